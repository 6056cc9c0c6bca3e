"""Decisions as a response policy zone: what resolvers answer in place of the truth (BIND 9 ARM,
"Response Policy Zones"; draft-vixie-dnsop-dns-rpz).

A domain that is refused, and all names in it, do not exist for who asks such a resolver; a pardon
lets the truth through. Nothing can be said here of SMTP clients: no name is asked for when an
address connects.
"""

from collections.abc import Iterable

from schemas.findings import Decision
from streams import targets
from streams.gateways.dnsbl.zones import NEGATIVE, listed

HEADER = "; Written by mailwarden from the decisions in force. Changes made here are lost.\n"
NOTHING = "."  # NXDOMAIN
TRUTH = "rpz-passthru."
LONGEST = 180  # characters of a domain: a name has 253, with "*." and the name of the zone


def head(nameserver: str, ttl: int, serial: int, expire: int) -> str:
    """`expire` is how long a secondary serves the zone when it hears no more of us, in seconds."""
    name = f"{nameserver.rstrip('.')}."
    timers = f"{serial} {ttl} {ttl} {expire or 86400} {NEGATIVE}"
    return f"{HEADER}$TTL {ttl}\n@ SOA {name} hostmaster.{name} {timers}\n@ NS {name}\n"


def rows(decisions: Iterable[Decision]) -> str:
    found: dict[str, str] = {}
    for decision in decisions:
        name = targets.domain(decision)
        if 0 < len(name) <= LONGEST and (listed(decision) or targets.pardoned(decision)):
            found.setdefault(name, NOTHING if listed(decision) else TRUTH)
    return "".join(f"{name} CNAME {to}\n*.{name} CNAME {to}\n" for name, to in found.items())
