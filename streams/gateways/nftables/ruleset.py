"""Decisions as commands for nft, in the JSON of libnftables-json(5).

Single hosts lie in hash sets: an IPv4 address, or the /64 that one IPv6 host commands, looked up
by a masked address. Other networks lie in interval sets, whose elements must not overlap.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from schemas import net
from schemas.findings import Decision
from streams import prefixes, targets
from streams.pieces import pieces

Command = dict[str, Any]

PRIORITY = -10  # before the usual filters (0)
LONGEST = 366 * 86400  # seconds that an element may have left
MARGIN = 2.0  # seconds: the kernel counts whole ones, and ends nothing before its time
HOSTS = ["timeout"]  # flags of the sets whose elements know nothing of each other

REFUSALS: dict[str, tuple[str, Any]] = {
    "drop": ("dropped", {"drop": None}),
    "reject": ("rejected", {"reject": {"type": "tcp reset"}}),
}
"""What becomes of a packet, by the action of a decision, and the counter of ours that says how
often. (A counter that is called drop could be listed, but not be read in again.)"""

_SOURCE4 = {"payload": {"protocol": "ip", "field": "saddr"}}
_SOURCE6 = {"payload": {"protocol": "ip6", "field": "saddr"}}

KINDS: dict[str, tuple[str, list[str], Any]] = {
    "host4": ("ipv4_addr", HOSTS, _SOURCE4),
    "net4": ("ipv4_addr", ["interval", "timeout"], _SOURCE4),
    "client6": ("ipv6_addr", HOSTS, {"&": [_SOURCE6, "ffff:ffff:ffff:ffff::"]}),
    "net6": ("ipv6_addr", ["interval", "timeout"], _SOURCE6),
}
"""Our sets, once for each action: type, flags, and what of a packet is looked up in them."""


def table(name: str) -> Command:
    return {"table": {"family": "inet", "name": name}}


def structure(name: str, ports: Iterable[int], chains: Iterable[str]) -> list[Command]:
    """Table, counters, empty sets and rules: made where they are not there, rules written anew.
    The counters go on counting."""
    ours = {"family": "inet", "table": name}
    commands: list[Command] = [{"add": table(name)}]
    for counter, _ in REFUSALS.values():
        commands.append({"add": {"counter": {**ours, "name": counter}}})
    for action in REFUSALS:
        for kind, (what, flags, _) in KINDS.items():
            found = {**ours, "name": f"{action}_{kind}"}
            commands.append({"add": {"set": {**found, "type": what, "flags": flags}}})
            commands.append({"flush": {"set": found}})
    for chain in chains:
        commands += _chain(ours, chain, sorted(set(ports)))
    return commands


def _chain(ours: dict[str, str], hook: str, ports: list[int]) -> Iterator[Command]:
    chain = {**ours, "name": hook}
    base = {"type": "filter", "hook": hook, "prio": PRIORITY, "policy": "accept"}
    yield {"add": {"chain": {**chain, **base}}}
    yield {"flush": {"chain": chain}}
    port = {"payload": {"protocol": "tcp", "field": "dport"}}
    within = [_match("==", {"meta": {"key": "iifname"}}, "lo"), {"accept": None}]
    other = [_match("!=", port, {"set": ports}), {"accept": None}]
    refused = [
        [_match("==", source, f"@{action}_{kind}"), {"counter": counter}, verdict]
        for action, (counter, verdict) in REFUSALS.items()
        for kind, (_, _, source) in KINDS.items()
    ]
    for expression in (within, other, *refused):
        yield {"add": {"rule": {**ours, "chain": hook, "expr": expression}}}


def _match(operator: str, left: Any, right: Any) -> Command:
    return {"match": {"op": operator, "left": left, "right": right}}


Content = dict[str, dict[str, float]]
"""What is in the sets: by set, each network with the end of its lease, in Unix seconds."""


def content(decisions: Iterable[Decision], now: float) -> Content:
    """Each piece of a network that is refused. A milder decision, or a pardon, is a hole in a
    wider one that comes after it."""
    sets: Content = {}
    for found, decision in pieces(decisions):
        refused = decision.action in REFUSALS and not targets.pardoned(decision)
        if refused and decision.until > now:
            kind, value = _value(found)
            sets.setdefault(f"{decision.action}_{kind}", {})[value] = decision.until
    return sets


def elements(name: str, sets: Content, now: float) -> list[Command]:
    """Put them into empty sets, each with the seconds that are left of its lease."""
    return [
        {"add": {"element": {**_set(name, found), "elem": [_lease(*row, now) for row in rows]}}}
        for found, rows in ((found, held.items()) for found, held in sets.items())
        if rows
    ]


def changes(name: str, before: Content, after: Content, now: float) -> list[Command] | None:
    """Make sets with the one content have the other. None where that is not for certain: where
    networks change, whose order in their sets counts, or a lease that the kernel may just be
    ending is renewed. What ends within `MARGIN` is left to the kernel."""
    commands: list[Command] = []
    for found in before.keys() | after.keys():
        old, new = before.get(found, {}), after.get(found, {})
        if old == new:
            continue
        if KINDS[found.partition("_")[2]][1] != HOSTS:
            return None
        gone = [key for key, until in old.items() if new.get(key) != until]
        ending = [key for key in gone if old[key] <= now + MARGIN]
        if any(key in new for key in ending):
            return None
        left = sorted(set(gone).difference(ending))
        if left:
            commands.append({"delete": {"element": {**_set(name, found), "elem": left}}})
        came = {key: until for key, until in new.items() if old.get(key) != until}
        commands += elements(name, {found: came}, now)
    return commands


def _set(table: str, name: str) -> dict[str, str]:
    return {"family": "inet", "table": table, "name": name}


def _lease(network: str, until: float, now: float) -> Command:
    address, cut, length = network.partition("/")
    value: Any = {"prefix": {"addr": address, "len": int(length)}} if cut else address
    return {"elem": {"val": value, "timeout": math.ceil(min(max(until - now, 0.001), LONGEST))}}


def _value(found: prefixes.Prefix) -> tuple[str, str]:
    """The kind of set that a network belongs to, and its name there."""
    version, _, length = found
    address = prefixes.address(found)
    if length == net.CLIENT_BITS[version]:
        return ("host4" if version == 4 else "client6"), address
    if length == prefixes.BITS[version]:
        return f"net{version}", address
    return f"net{version}", f"{address}/{length}"
