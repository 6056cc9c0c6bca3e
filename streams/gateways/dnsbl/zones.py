"""Decisions as zones of a DNS block list, in the text of rbldnsd(8), by RFC 5782.

A client that is refused is listed; a pardon, or a milder decision, is an exclusion, and of those
that hold an address the longest prefix counts. What a resolver may remember is short, also that
somebody is not listed, so that a lease that has ended is forgotten soon.
"""

import time
from collections.abc import Iterable, Iterator

from schemas.findings import Decision
from streams import prefixes, targets
from streams.prefixes import Prefix
from streams.writing import HEADER

REFUSED = ("drop", "reject")
NEGATIVE = 5  # seconds that it is remembered that somebody is not listed
REASON = 120  # characters of a reason; a TXT record of one string has 255 bytes

OTHERS = ("127.0.0.2", "blocked")
LISTED = {
    "auth_breach": ("127.0.0.4", "guessing passwords"),
    "auth_campaign": ("127.0.0.4", "guessing passwords"),
    "auth_dictionary": ("127.0.0.4", "guessing passwords"),
    "auth_distributed": ("127.0.0.4", "guessing passwords"),
    "directory_harvest": ("127.0.0.5", "guessing addresses"),
    "backscatter_made": ("127.0.0.6", "backscatter"),
    "backscatter_received": ("127.0.0.6", "backscatter"),
    "account_burst": ("127.0.0.7", "mail of an account in other hands"),
    "account_cluster": ("127.0.0.7", "mail of an account in other hands"),
    "internal_mailer": ("127.0.0.7", "mail of an account in other hands"),
    "open_relay": ("127.0.0.8", "probing for open relays"),
    "relay_probe": ("127.0.0.8", "probing for open relays"),
    "protocol_abuse": ("127.0.0.9", "abuse of the protocol"),
    "sender_reputation": ("127.0.0.10", "bad reputation"),
}
"""The answer, and what is said with it, by the detector that asked for the decision."""


def head(nameserver: str, ttl: int, expires: float) -> str:
    """What each zone begins with. Answers are remembered for `ttl` seconds. At `expires` (Unix
    seconds; 0: never) rbldnsd ceases to answer for the zone: who has not renewed it by then is
    gone."""
    lines = [HEADER]
    if expires:
        lines.append(time.strftime("$TIMESTAMP - %Y-%m-%d-%H-%M-%S\n", time.gmtime(expires)))
    name = f"{nameserver.rstrip('.')}."
    lines += [
        f"$SOA {ttl} {name} hostmaster.{name} 0 {ttl} {ttl} 86400 {NEGATIVE}\n",
        f"$NS {ttl} {name}\n",
        f"$TTL {ttl}\n",
        f":{OTHERS[0]}:{OTHERS[1]}\n",
    ]
    return "".join(lines)


def ip4(decisions: Iterable[Decision], *, reasons: bool) -> str:
    """Rows of an ip4trie. 127.0.0.2 is always listed, 127.0.0.1 never."""
    rows = _networks(decisions, 4, reasons)
    return "127.0.0.2 :127.0.0.2:test entry\n!127.0.0.1\n" + "".join(rows)


def ip6(decisions: Iterable[Decision], *, reasons: bool) -> str:
    """Rows of an ip6trie, with the same two addresses as IPv6 writes them."""
    rows = _networks(decisions, 6, reasons)
    return "::ffff:7f00:2 :127.0.0.2:test entry\n!::ffff:7f00:1\n" + "".join(rows)


def names(decisions: Iterable[Decision], *, reasons: bool) -> str:
    """Rows of a dnset: domains, with all names in them. TEST is always listed, INVALID never."""
    rows = ["test :127.0.0.2:test entry\n!.invalid\n"]
    for decision in decisions:
        name = targets.domain(decision)
        if name and name not in ("test", "invalid"):
            rows.append(_row(f".{name}", decision, reasons))
    return "".join(rows)


def listed(decision: Decision) -> bool:
    return decision.action in REFUSED and not targets.pardoned(decision)


def _networks(decisions: Iterable[Decision], version: int, reasons: bool) -> Iterator[str]:
    for decision in decisions:
        found = targets.prefix(decision)
        if found is not None and found[0] == version and not _is_test(found):
            yield _row(prefixes.write(found), decision, reasons)


def _is_test(found: Prefix) -> bool:
    """Loopback in IPv4, where the addresses lie that test a list."""
    return found[0] == 4 and found[1] >> 24 == 127 and found[2] >= 8


def _row(key: str, decision: Decision, reasons: bool) -> str:
    if not listed(decision):
        return f"!{key}\n"
    code, why = LISTED.get(decision.detector, OTHERS)
    if reasons:
        why = targets.reason(decision, REASON) or why
    return f"{key} :{code}:{why} [{targets.word(decision.alert or decision.id)}]\n"
