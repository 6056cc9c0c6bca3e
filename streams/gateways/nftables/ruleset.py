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

REFUSALS: dict[str, tuple[str, Any]] = {
    "drop": ("dropped", {"drop": None}),
    "reject": ("rejected", {"reject": {"type": "tcp reset"}}),
}
"""What becomes of a packet, by the action of a decision, and the counter of ours that says how
often. (A counter that is called drop could be listed, but not be read in again.)"""

_SOURCE4 = {"payload": {"protocol": "ip", "field": "saddr"}}
_SOURCE6 = {"payload": {"protocol": "ip6", "field": "saddr"}}

KINDS: dict[str, tuple[str, list[str], Any]] = {
    "host4": ("ipv4_addr", ["timeout"], _SOURCE4),
    "net4": ("ipv4_addr", ["interval", "timeout"], _SOURCE4),
    "client6": ("ipv6_addr", ["timeout"], {"&": [_SOURCE6, "ffff:ffff:ffff:ffff::"]}),
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


def elements(name: str, decisions: Iterable[Decision], now: float) -> list[Command]:
    """The content of the sets: each piece of a network with the seconds that are left of its
    lease. A milder decision, or a pardon, is a hole in a wider one that comes after it."""
    sets: dict[str, list[Command]] = {}
    for found, decision in pieces(decisions):
        left = math.ceil(min(max(decision.until - now, 0.0), LONGEST))
        if decision.action in REFUSALS and not targets.pardoned(decision) and left > 0:
            kind, value = _value(found)
            element = {"elem": {"val": value, "timeout": left}}
            sets.setdefault(f"{decision.action}_{kind}", []).append(element)
    ours = {"family": "inet", "table": name}
    return [
        {"add": {"element": {**ours, "name": found, "elem": content}}}
        for found, content in sets.items()
    ]


def _value(found: prefixes.Prefix) -> tuple[str, Any]:
    """The kind of set that a network belongs to, and how it is written there."""
    version, _, length = found
    address = prefixes.address(found)
    if length == net.CLIENT_BITS[version]:
        return ("host4" if version == 4 else "client6"), address
    if length == prefixes.BITS[version]:
        return f"net{version}", address
    return f"net{version}", {"prefix": {"addr": address, "len": length}}
