"""Stories: events as they happen, told to a shard, and the findings that stand in the end.

    told = tell(AuthDictionary(), every(30, guesses("192.0.2.7", ["anna", "ben", "carl"])))
    assert told.shapes == {"auth_dictionary": {"dictionary"}}

Times in a story are seconds after `START`, a Thursday at noon, so that a story may look back and
forward without crossing a UTC day. A story is warm (a month was seen before) unless it says so.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from agents.detector import Detector
from agents.engine import Engine
from agents.record import Record, Sentence
from agents.response import Response
from agents.shard import Shard
from schemas.events import Auth, Fact
from schemas.findings import Alert, Decision, Evidence, Finding
from schemas.keys import Site
from schemas.net import Networks
from schemas.settings import ResponseSettings

START = 1767268800.0  # 2026-01-01T12:00:00Z
MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0

SITE = Site(domains=frozenset({"example.org"}), default_domain="example.org")

E = TypeVar("E", bound=Fact)


class Heard(Response):
    """A response that decides nothing and keeps every finding, each revision of it."""

    def __init__(self) -> None:
        super().__init__(ResponseSettings(), Networks(), Networks())
        self.findings: list[Finding] = []

    def answer(
        self, finding: Finding, sentences: dict[str, Sentence], now: float
    ) -> tuple[Alert, Decision | None]:
        self.findings.append(finding)
        return super().answer(finding, sentences, now)[0], None


class Story:
    """A shard and what it concluded. `tell` may be called again: the story goes on."""

    def __init__(
        self, *detectors: Detector, site: Site = SITE, warm: bool = True, limit: int = 400_000
    ) -> None:
        self.heard = Heard()
        self.shard = Shard(Engine(detectors, site), self.heard, limit=limit)
        if warm:
            self.shard.begun = START - 40 * DAY

    def tell(self, *parts: Fact | Iterable[Fact]) -> "Story":
        """Tell all events in the order of their times, then what is left unsaid."""
        for event in together(*parts):
            self.shard.fold(event)
        self.shard.drain()
        return self

    @property
    def said(self) -> list[Finding]:
        """Everything that was said, in order: each finding as often as it was revised."""
        return self.heard.findings

    @property
    def findings(self) -> list[Finding]:
        """The final state of each finding, in the order in which they were first said."""
        return list({finding.id: finding for finding in self.said}.values())

    @property
    def standing(self) -> list[Finding]:
        """Those that were not withdrawn in the end."""
        return [finding for finding in self.findings if finding.state == "open"]

    @property
    def shapes(self) -> dict[str, set[str]]:
        """The final shapes by the finding's name."""
        found: dict[str, set[str]] = {}
        for finding in self.standing:
            found.setdefault(finding.detector, set()).add(finding.shape)
        return found

    @property
    def subjects(self) -> dict[str, set[str]]:
        """Who is spoken of, by the finding's name."""
        found: dict[str, set[str]] = {}
        for finding in self.standing:
            found.setdefault(finding.detector, set()).add(finding.subject.value)
        return found

    @property
    def accused(self) -> set[str]:
        """Every client that any finding accuses."""
        return {client for finding in self.standing for client in finding.clients}

    @property
    def silent(self) -> bool:
        """Whether nothing was said at all."""
        return not self.said

    def finding(self, name: str, subject: str = "") -> Finding:
        """The one finding of that name (about that subject), in its final state."""
        found = [
            finding
            for finding in self.findings
            if finding.detector == name and subject in ("", finding.subject.value)
        ]
        assert len(found) == 1, f"{len(found)} findings {name} about {subject or 'anybody'}"
        return found[0]

    def record(self, key: str) -> Record:
        return self.shard.records[key]

    def state(self, key: str, detector: str) -> Any:
        return self.shard.records[key].states[detector]


def tell(*parts: Detector | Fact | Iterable[Fact], site: Site = SITE, warm: bool = True) -> Story:
    """A whole story at once: the detectors, then the events."""
    detectors = [part for part in parts if isinstance(part, Detector)]
    events = [part for part in parts if not isinstance(part, Detector)]
    return Story(*detectors, site=site, warm=warm).tell(*events)


def count(finding: Finding, sign: str) -> Evidence:
    """The evidence of a sign. Fails where the finding has none of it."""
    found = [seen for seen in finding.evidence if seen.sign == sign]
    assert len(found) == 1, f"{sign}: among {[seen.sign for seen in finding.evidence]}"
    return found[0]


# -- events ------------------------------------------------------------------------------------


def failed(client: str, account: str = "", at: float = 0.0, **more: Any) -> Auth:
    """A login that failed, `at` seconds after START."""
    return Auth(at=START + at, client=client, account=account, outcome="failed", **more)


def opened(client: str, account: str, at: float = 0.0, **more: Any) -> Auth:
    """A login that succeeded."""
    return Auth(at=START + at, client=client, account=account, outcome="ok", **more)


def event(fact: type[E], /, at: float = 0.0, **more: Any) -> E:
    """Any other event, `at` seconds after START."""
    return fact(at=START + at, **more)


def every(gap: float, events: Iterable[E], start: float = 0.0) -> list[E]:
    """The events one after the other, `gap` seconds apart; their own times are replaced."""
    return [
        msgspec.structs.replace(event, at=START + start + number * gap)
        for number, event in enumerate(events)
    ]


def moved(events: Iterable[E], by: float) -> list[E]:
    """The same events `by` seconds later."""
    return [msgspec.structs.replace(event, at=event.at + by) for event in events]


def repeat(times: int, make: Callable[[int], E]) -> list[E]:
    """`times` events, each made from its number: 0, 1, 2, ..."""
    return [make(number) for number in range(times)]


def guesses(client: str, accounts: Iterable[str], **more: Any) -> list[Auth]:
    """One failure of the client at each account."""
    return [failed(client, account, **more) for account in accounts]


def regular(client: str, *accounts: str, days: int = 5, last: int = 1) -> list[Auth]:
    """Good evidence: the accounts log in from the client once on each of some days; the last
    of them is `last` days before the story."""
    return [
        opened(client, account, at=-(last + day) * DAY)
        for day in range(days)
        for account in accounts
    ]


def together(*parts: Fact | Iterable[Fact]) -> list[Fact]:
    """All events in the order of time; those of one moment in the order given."""
    return sorted(_flat(parts), key=lambda event: event.at)


def _flat(parts: Iterable[Fact | Iterable[Fact]]) -> Iterator[Fact]:
    for part in parts:
        if isinstance(part, Fact):
            yield part
        else:
            yield from part
