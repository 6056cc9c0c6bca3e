"""Questions to the DNS, asynchronous, each answer kept as long as its TTL says."""

from collections.abc import Iterable

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
import dns.reversename

from schemas import net

LIFETIME = 10.0  # seconds for one question, all its retries included
KEPT = 10_000  # answers

Unanswered = dns.exception.DNSException
"""What a question raises that has no answer, for now or ever."""


def server(text: str) -> tuple[str, int]:
    """(address, port) of ``192.0.2.53``, ``192.0.2.53:5353`` or ``[2001:db8::53]:53``. Raises
    ValueError."""
    found = net.address(text)
    if found:
        return found, 53
    host, _, port = text.rpartition(":")
    found = net.address(host)
    if not found or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is no address of a resolver such as 192.0.2.53")
    return found, int(port)


def new(servers: Iterable[str] = (), lifetime: float = LIFETIME) -> dns.asyncresolver.Resolver:
    """A resolver that asks `servers`, else those of this system. Raises ValueError where there
    are none."""
    named = [dns.nameserver.Do53Nameserver(*server(text)) for text in servers]
    try:
        resolver = dns.asyncresolver.Resolver(configure=not named)
    except dns.resolver.NoResolverConfiguration as error:
        raise ValueError(f"this system names no resolver: {error}") from error
    if named:
        resolver.nameservers = named
    resolver.lifetime = lifetime
    resolver.timeout = lifetime / 3
    resolver.cache = dns.resolver.LRUCache(KEPT)
    return resolver


async def records(resolver: dns.asyncresolver.Resolver, name: str, kind: str) -> list[str]:
    """The records of a name as text, none where it has none. Raises Unanswered where that is
    not known."""
    try:
        answer = await resolver.resolve(name, kind, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    if kind == "TXT":
        return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
    return [record.to_text() for record in answer]


async def pointers(resolver: dns.asyncresolver.Resolver, address: str) -> list[str]:
    """The names that an address says it has, which anybody can claim. Raises Unanswered."""
    pointer = str(dns.reversename.from_address(address))
    return [name.rstrip(".") for name in await records(resolver, pointer, "PTR")]


async def addresses(resolver: dns.asyncresolver.Resolver, name: str, like: str) -> list[str]:
    """A name's addresses of the same version as `like`. Raises Unanswered."""
    found = await records(resolver, name, "AAAA" if ":" in like else "A")
    return [net.address(text) for text in found]
