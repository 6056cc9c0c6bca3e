"""The names of a server of ours, as those see them whom it sends mail to: reverse name, greeting
and SPF."""

from collections.abc import Awaitable

import dns.asyncresolver
import dns.reversename
from spftrace import BaseResolver, Evaluator
from spftrace.resolver import NOERROR, NXDOMAIN, DnsError

from agents.probing.grades import Grade, Graded
from agents.resolver import Unanswered, records
from schemas import net

SPF: dict[str, tuple[Grade, str]] = {
    "pass": ("ok", ""),
    "temperror": ("unknown", ""),
    "none": ("warning", "publish one, as v=spf1 mx -all"),
    "permerror": ("critical", "mend it: receivers take it for none, or refuse the mail"),
}
SPF_OTHERS: tuple[Grade, str] = ("warning", "add it, if this server sends mail of ours")


async def check(
    resolver: dns.asyncresolver.Resolver, address: str, greeting: str, domain: str
) -> list[Graded]:
    """`address` is the server's, `greeting` the name that it greets with, `domain` ours."""
    return [
        await _guarded("PTR", _reverse(resolver, address)),
        await _guarded("greeting", _greeting(resolver, address, greeting)),
        await _spf(resolver, address, greeting, domain),
    ]


async def _guarded(check: str, asked: Awaitable[Graded]) -> Graded:
    try:
        return await asked
    except Unanswered as error:
        return Graded(check, "unknown", f"the DNS does not answer: {str(error).partition(':')[0]}")


async def _reverse(resolver: dns.asyncresolver.Resolver, address: str) -> Graded:
    """Forward-confirmed: a name anybody can claim, an address only its owner (RFC 1912, 2.1)."""
    pointer = str(dns.reversename.from_address(address))
    names = [name.rstrip(".") for name in await records(resolver, pointer, "PTR")]
    if not names:
        cure = "have the provider of the address set one that leads back to it"
        return Graded("PTR", "warning", f"{address} has no name", cure)
    for name in names:
        if address in await _addresses(resolver, name, address):
            return Graded("PTR", "ok", f"{address} is {name}, and {name} is {address}")
    text = f"{address} is {', '.join(names)}, but no such name leads back to it"
    return Graded("PTR", "warning", text, "make the name's A or AAAA record the address")


async def _greeting(resolver: dns.asyncresolver.Resolver, address: str, greeting: str) -> Graded:
    """Servers mostly greet with the name that they say in EHLO elsewhere (RFC 5321, 4.1.1.1)."""
    if "." not in greeting:
        text = f"it greets as {greeting!r}, which is no full name"
        return Graded("greeting", "warning", text, "give it one (in Postfix myhostname)")
    if address in await _addresses(resolver, greeting, address):
        return Graded("greeting", "ok", f"it greets as {greeting}, which is {address}")
    text = f"it greets as {greeting}, which is not {address}"
    cure = "make the name's A or AAAA record the address, or greet with the reverse name"
    return Graded("greeting", "warning", text, cure)


async def _spf(
    resolver: dns.asyncresolver.Resolver, address: str, greeting: str, domain: str
) -> Graded:
    """Whether the server may send mail of our domain (RFC 7208)."""
    result = await Evaluator(_Transport(resolver)).evaluate(
        address, f"postmaster@{domain}", greeting
    )
    grade, cure = SPF.get(result.verdict, SPF_OTHERS)
    said = {"none": "has no SPF record", "pass": f"lets {address} send"}
    text = f"{domain} {said.get(result.verdict, f'answers {result.verdict} for {address}')}"
    return Graded("SPF", grade, text, cure)


async def _addresses(resolver: dns.asyncresolver.Resolver, name: str, like: str) -> list[str]:
    """A name's addresses of the same version as `like`."""
    found = await records(resolver, name, "AAAA" if ":" in like else "A")
    return [net.address(text) for text in found]


class _Transport(BaseResolver):
    """Our resolver, as the SPF library asks it."""

    def __init__(self, resolver: dns.asyncresolver.Resolver) -> None:
        self._resolver = resolver

    async def _lookup(self, name: str, rtype: str) -> tuple[str, list[str]]:
        try:
            found = await records(self._resolver, name, rtype)
        except Unanswered as error:
            raise DnsError(str(error)) from error
        if rtype in ("MX", "PTR"):
            found = [text.rpartition(" ")[2].rstrip(".") for text in found]
        return (NOERROR if found else NXDOMAIN), found
