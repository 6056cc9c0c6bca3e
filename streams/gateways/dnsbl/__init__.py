"""A DNS block list: zones for rbldnsd(8), and a response policy zone for resolvers.

rbldnsd looks at its files every so often (its option -c) and replaces what it knows. DNS knows no
leases: an entry goes when we take it out. So a zone bears a time at which rbldnsd ceases to answer
for it, and is written again in time, as long as somebody is there to do it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Annotated

from msgspec import Meta

from schemas.findings import Decision
from streams import targets
from streams.gateway import GatewaySettings, Note
from streams.gateways.dnsbl import rpz, zones
from streams.reloading import Reload
from streams.writing import Writing

__all__ = ["Dnsbl", "DnsblSettings"]

PATIENCE = 5.0  # seconds for one question

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]*\.?)+$")]


class DnsblSettings(GatewaySettings, frozen=True):
    """Which zones are written. A path that is "" is not."""

    ip4: str = "/var/lib/rbldns/mailwarden-ip4"  # ip4trie: clients
    ip6: str = "/var/lib/rbldns/mailwarden-ip6"  # ip6trie: clients
    names: str = ""  # dnset: domains
    rpz: str = ""  # response policy zone: domains
    zone: str = ""  # what the list is called: `check` then asks the system's resolver for it
    reasons: bool = False  # TXT records say all that a finding says, names of accounts included
    ttl: int = 60  # seconds that resolvers may remember an answer, beyond the end of its lease
    expire: int = 3600  # seconds that zones hold when nobody is there to renew them; 0: for ever
    nameserver: Name = "localhost"  # in the zones' SOA and NS
    rpz_command: tuple[str, ...] = ()  # that makes the resolver read the zone
    reload_interval: float = 5.0  # seconds between two of these, at least


class Dnsbl(Writing):
    """Writes the zones."""

    Settings = DnsblSettings
    blind_to = "logins, and servers that do not ask the list"
    settings: DnsblSettings

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "dnsbl",
        lifted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Zones expire by `clock`; `ticks` only measures."""
        super().__init__(settings, name, lifted)
        self._clock = clock
        self._expires = 0.0  # when the zones that are written expire
        self._serial = 0
        self._policy: str | None = None  # the rows of the response policy zone
        self._reload = Reload(self.settings.rpz_command, self.settings.reload_interval, ticks)

    def apply(self, decisions: Sequence[Decision]) -> bool:
        if self._expiry() != self._expires:
            self._expires = self._expiry()
            self._given = None
        return super().apply(decisions)

    def render(self, decisions: Sequence[Decision]) -> dict[str, str]:
        settings = self.settings
        head = zones.head(settings.nameserver, settings.ttl, self._expires)
        texts = {}
        for path, rows in (
            (settings.ip4, zones.ip4),
            (settings.ip6, zones.ip6),
            (settings.names, zones.names),
        ):
            if path:
                texts[path] = head + rows(decisions, reasons=settings.reasons)
        if settings.rpz:
            texts[settings.rpz] = self._response_policy(decisions)
        return texts

    def reload(self, path: str) -> Reload | None:
        wanted = path == self.settings.rpz and self.settings.rpz_command
        return self._reload if wanted else None

    def reaches(self, decision: Decision) -> bool:
        if decision.action not in zones.REFUSED:
            return False
        settings = self.settings
        found = targets.prefix(decision)
        if found is not None:
            return bool(settings.ip4 if found[0] == 4 else settings.ip6)
        return bool((settings.names or settings.rpz) and targets.domain(decision))

    def review(self) -> list[Note]:
        settings = self.settings
        notes = [_asked(settings.zone)] if settings.zone else []
        if not settings.zone and (settings.ip4 or settings.ip6 or settings.names):
            remedy = ('zone = "bl.example.org" (what the list is called)',)
            notes.append(Note("unknown", "whether the list answers: zone is not set", remedy))
        if settings.rpz and not settings.rpz_command:
            text = f"whether a resolver reads {settings.rpz} anew: rpz_command is not set"
            remedy = ('rpz_command = ["unbound-control", "auth_zone_reload", "ZONE"]',)
            notes.append(Note("unknown", text, remedy))
        return notes

    def _expiry(self) -> float:
        """When a zone that is written now expires: the same for half of the time, and at least
        that far away."""
        step = self.settings.expire / 2
        return (self._clock() // step + 2) * step if step else 0.0

    def _response_policy(self, decisions: Sequence[Decision]) -> str:
        """A zone that has changed has a higher serial number (RFC 1912, 2.2)."""
        rows = rpz.rows(decisions)
        if rows != self._policy:
            self._policy = rows
            self._serial = max(self._serial + 1, int(self._clock()))
        settings = self.settings
        return rpz.head(settings.nameserver, settings.ttl, self._serial, settings.expire) + rows


def _asked(zone: str) -> Note:
    """Whether the list answers, as its users would see it."""
    import dns.exception  # noqa: PLC0415 - only a check asks, and an edge must start soon
    import dns.resolver  # noqa: PLC0415

    question = f"2.0.0.127.{zone}."
    try:
        answer = dns.resolver.resolve(question, "A", lifetime=PATIENCE)
    except dns.exception.DNSException as error:
        remedy = (f"dig {question}", f"rbldnsd must serve {zone}, and the resolver ask it")
        return Note("failed", f"{question} is asked for in vain: {error}", remedy)
    codes = sorted(row.to_text() for row in answer)
    good = codes == ["127.0.0.2"]
    return Note("ok" if good else "failed", f"{question} is {', '.join(codes)}")
