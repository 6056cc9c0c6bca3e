"""All that a stranger can find wrong with a server of ours, graded."""

import asyncio
import ssl
from collections.abc import Awaitable

import dns.asyncresolver
from msgspec import Struct

from agents.probing import certificate, lists, names, relay
from agents.probing.conversation import CHECKS
from agents.probing.forms import forms
from agents.probing.grades import Grade, Graded
from agents.probing.session import NoAnswerError, Session, Target
from agents.words import many

RELAY: dict[relay.Outcome, Grade] = {"closed": "ok", "open": "critical", "unknown": "unknown"}
CURE = (
    "let only known users and networks relay (in Postfix smtpd_relay_restrictions ="
    " permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination; see mynetworks)"
)


class Asked(Struct, frozen=True):
    """Which server, and with what."""

    target: Target
    domain: str  # one of the server's own
    resolver: dns.asyncresolver.Resolver
    trusted: ssl.SSLContext  # what certificates are judged by
    now: float  # Unix seconds: whether they are still good
    pause: float = 0.5  # seconds between two sessions or tries
    lists: tuple[str, ...] = ()  # block lists that it relies on, and may be on


async def check(asked: Asked) -> list[Graded]:
    """Every check, one after the other. What cannot be asked is unknown; nothing is raised."""
    target, domain = asked.target, asked.domain
    try:
        async with Session(target) as session:
            address, greeting = session.peer, session.greeting.text.partition(" ")[0]
    except NoAnswerError as error:
        return [Graded("session", "unknown", str(error))]
    found: list[Graded] = []
    for name in CHECKS:
        await asyncio.sleep(asked.pause)
        found += await _guarded(name, _in_session(asked, name))
    found += await _guarded(
        certificate.NAME, certificate.starttls(target, asked.trusted, asked.now)
    )
    found.append(await _relay(asked, address))
    found += await names.check(asked.resolver, address, greeting, domain)
    found += await lists.check(asked.resolver, address, asked.lists, asked.now)
    return found


async def _in_session(asked: Asked, name: str) -> list[Graded]:
    async with Session(asked.target) as session:
        await session.hello()
        return await CHECKS[name](session, asked.domain)


async def _guarded(name: str, checking: Awaitable[list[Graded]]) -> list[Graded]:
    try:
        return await checking
    except NoAnswerError as error:
        return [Graded(name, "unknown", str(error))]


async def _relay(asked: Asked, address: str) -> Graded:
    tried = await relay.probe(
        asked.target,
        relay.Plan(
            tuple(
                forms(
                    sender=f"relay-test@{asked.target.helo}",
                    recipient="relay-test@example.com",
                    domain=asked.domain,
                    address=address,
                )
            ),
            asked.domain,
            pause=asked.pause,
        ),
    )
    outcome = relay.outcome(tried)
    telling = {"closed": ("refused",), "open": ("accepted",), "unknown": ("unknown",)}[outcome]
    by = [each for each in tried if each.verdict in telling]
    text = f"{outcome}: {many(len(by), 'form')} of {len(tried)} {telling[0]}"
    if outcome != "closed":
        text += f": {', '.join(each.form for each in by)}; {by[0].step} {by[0].reply}"
    return Graded("open relay", RELAY[outcome], text, CURE if outcome == "open" else "")
