"""The names of a server of ours, as those see them whom it sends mail to: reverse name, greeting
and SPF."""

from collections.abc import Awaitable

import dns.asyncresolver

from agents import spf
from agents.probing.grades import Grade, Graded
from agents.resolver import Unanswered, addresses, pointers

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
    names = await pointers(resolver, address)
    if not names:
        cure = "have the provider of the address set one that leads back to it"
        return Graded("PTR", "warning", f"{address} has no name", cure)
    for name in names:
        if address in await addresses(resolver, name, address):
            return Graded("PTR", "ok", f"{address} is {name}, and {name} is {address}")
    text = f"{address} is {', '.join(names)}, but no such name leads back to it"
    return Graded("PTR", "warning", text, "make the name's A or AAAA record the address")


async def _greeting(resolver: dns.asyncresolver.Resolver, address: str, greeting: str) -> Graded:
    """Servers mostly greet with the name that they say in EHLO elsewhere (RFC 5321, 4.1.1.1)."""
    if "." not in greeting:
        text = f"it greets as {greeting!r}, which is no full name"
        return Graded("greeting", "warning", text, "give it one (in Postfix myhostname)")
    if address in await addresses(resolver, greeting, address):
        return Graded("greeting", "ok", f"it greets as {greeting}, which is {address}")
    text = f"it greets as {greeting}, which is not {address}"
    cure = "make the name's A or AAAA record the address, or greet with the reverse name"
    return Graded("greeting", "warning", text, cure)


async def _spf(
    resolver: dns.asyncresolver.Resolver, address: str, greeting: str, domain: str
) -> Graded:
    """Whether the server may send mail of our domain (RFC 7208)."""
    word = await spf.result(resolver, address, f"postmaster@{domain}", greeting)
    grade, cure = SPF.get(word, SPF_OTHERS)
    said = {"none": "has no SPF record", "pass": f"lets {address} send"}
    text = f"{domain} {said.get(word, f'answers {word} for {address}')}"
    return Graded("SPF", grade, text, cure)
