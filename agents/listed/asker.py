"""Asks block lists, and believes a list only that passes its own test.

The test of RFC 5782 (5): 127.0.0.2 is listed and 127.0.0.1 is not. A list that was shut down
often lists nobody, or everybody; a resolver in between may answer for it.
"""

import dns.asyncresolver

from agents.listed.zone import ALWAYS, NEVER, Answer, State, misused, question, version
from agents.resolver import Unanswered, records
from schemas import net

LONGEST = 300  # characters of a list's own words


class Asker:
    """What `resolver` answers is kept as long as it says, the tests of lists included."""

    def __init__(self, resolver: dns.asyncresolver.Resolver) -> None:
        self._resolver = resolver

    async def addresses(self, gateway: str) -> list[str]:
        """Those of a name, IPv4 first; an address is its own. Raises Unanswered."""
        if net.address(gateway):
            return [net.address(gateway)]
        found = []
        for kind in ("A", "AAAA"):
            found += await records(self._resolver, gateway, kind)
        return [net.address(text) for text in found]

    async def ask(self, address: str, zone: str) -> Answer:
        """What a list says of an address."""
        try:
            wrong = await self._wrong(zone, version(address))
            codes = await self._codes(address, zone) if not wrong else ()
            wrong = wrong or misused(codes)
            text = await self._words(address, zone) if codes and not wrong else ""
        except Unanswered as error:
            wrong, codes, text = f"no answer: {error}", (), ""
        if wrong:
            return Answer(address=address, zone=zone, state="unknown", codes=codes, text=wrong)
        state: State = "listed" if codes else "not listed"
        return Answer(address=address, zone=zone, state=state, codes=codes, text=text)

    async def _wrong(self, zone: str, kind: int) -> str:
        """Why a list is not to be believed; "" where it passes its test."""
        always = await self._codes(ALWAYS[kind], zone)
        if not always:
            return f"it fails its own test: {ALWAYS[kind]} is not listed"
        if misused(always):
            return misused(always)
        if await self._codes(NEVER[kind], zone):
            return f"it fails its own test: {NEVER[kind]} is listed"
        return ""

    async def _codes(self, address: str, zone: str) -> tuple[str, ...]:
        return tuple(sorted(await records(self._resolver, question(address, zone), "A")))

    async def _words(self, address: str, zone: str) -> str:
        """The reason that a list gives; that it gives none takes nothing from its answer."""
        try:
            said = await records(self._resolver, question(address, zone), "TXT")
        except Unanswered:
            return ""
        return " ".join(" ".join(said).split())[:LONGEST]
