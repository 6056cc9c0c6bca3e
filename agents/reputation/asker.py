"""Answers the questions of `sender_reputation`: names that lead back and forth, and SPF.

What the DNS cannot say now is not said at all: a name server that is down makes nobody look bad.
Names in HELO and domains of senders are an attacker's to choose: they are asked for as names, and
there are few of them in a question.
"""

import dns.asyncresolver

from agents import spf
from agents.detector import Question
from agents.resolver import Unanswered, addresses, pointers
from schemas import net
from schemas.events import Signal

POINTERS = 4  # names of one address that are followed
UNKNOWN = (
    "temperror",
    "permerror",
    "none",
    "neutral",
)  # results of SPF that say nothing of the client


async def answer(resolver: dns.asyncresolver.Resolver, question: Question) -> list[Signal]:
    """What there is to say to the client's watcher. Raises nothing for what the DNS does."""
    client = question.client
    said = [("names", await _names(resolver, client))]
    said += [("helo", await _greeting(resolver, client, helo)) for helo in question.greetings]
    said += [("spf", await _spf(resolver, question, domain)) for domain in question.domains]
    return [
        Signal(at=question.at, about=question.about, kind=kind, client=client, detail=detail)
        for kind, detail in said
        if detail
    ]


async def _names(resolver: dns.asyncresolver.Resolver, address: str) -> str:
    """Forward-confirmed (RFC 8601, 3: "iprev"): agree, missing or disagree, and the name."""
    try:
        names = (await pointers(resolver, address))[:POINTERS]
        for name in names:
            if address in await addresses(resolver, name, address):
                return f"agree {name}"
    except Unanswered:
        return ""
    return f"disagree {names[0]}" if names else "missing"


async def _greeting(resolver: dns.asyncresolver.Resolver, address: str, helo: str) -> str:
    literal = net.address(helo) if helo.startswith("[") else ""
    if literal:
        return f"own {helo}" if literal == address else f"other {helo}"
    try:
        own = address in await addresses(resolver, helo, address)
    except Unanswered:
        return ""
    return f"own {helo}" if own else f"other {helo}"


async def _spf(resolver: dns.asyncresolver.Resolver, question: Question, domain: str) -> str:
    helo = question.greetings[0] if question.greetings else ""
    word = await spf.result(resolver, question.client, f"postmaster@{domain}", helo)
    return "" if word in UNKNOWN else f"{word} {domain}"
