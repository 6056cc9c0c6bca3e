"""A sink that keeps a ticket for each incident, in a system of a help desk.

The first alert of an incident opens it. What follows is a comment, where it says something new: a
further alert, a higher severity, a withdrawal. More evidence for the same is none. When a person
acknowledges or ends the incident here, the ticket hears of it and is closed with it; so it is when
all of its alerts are withdrawn. Where an incident goes on after that, the ticket is opened again.

An incident is what alerts name as `incident`. A subclass speaks with one system: it opens, finds,
comments on, closes and opens again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from schemas import wire
from schemas.findings import SEVERITIES, Alert, Severity
from schemas.incidents import Case
from schemas.settings import SettingsError
from streams import tls
from streams.posted import GONE, Posted
from streams.posting import Answer, Request, Server
from streams.rendering import chat, words
from streams.sink import Sink, SinkError, SinkSettings
from streams.tickets import Ticket, Tickets

LOOK = 30.0  # seconds between two looks at what people said
WITHDRAWN = "all of its alerts are withdrawn"


class TicketSettings(SinkSettings, frozen=True):
    """What all of them have."""

    least: Severity = "high"  # milder alerts are not told here
    gather: float = 300.0  # seconds in which alerts of one incident, detector and severity are told
    # as one, but for the first; 0: each is told as itself
    url: str = ""  # http:// or https:// of the system; must be set
    timeout: float = 30.0  # seconds for one request
    ca: str = ""  # PEM file of authorities, in place of the system's


class Draft(Struct, frozen=True):
    """A ticket to be opened."""

    incident: str
    title: str
    text: str
    severity: Severity
    alert: Alert


class Ticketing(Sink):
    Settings = TicketSettings
    settings: TicketSettings
    people = True

    def __init__(
        self,
        settings: SinkSettings,
        name: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises SettingsError where the settings cannot be used."""
        super().__init__(settings, name)
        chosen = self.settings
        self._server = Server(chosen.url, tls.to_server(chosen.ca), chosen.timeout)
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        self._headers |= self.credentials()
        self._clock = clock
        self._looked = clock()
        self._memory: Tickets | None = None
        self._posted = Posted(self.name)

    # -- what a subclass says -----------------------------------------------------------------

    def credentials(self) -> dict[str, str]:
        """Headers. Raises SettingsError."""
        raise NotImplementedError

    def find(self, incident: str) -> str | None:
        """The ticket of an incident that an earlier process opened and could not note."""
        raise NotImplementedError

    def create(self, draft: Draft) -> str:
        raise NotImplementedError

    def comment(self, ticket: str, text: str, severity: Severity | None = None) -> None:
        """Add to it; `severity` is its new one, where that has changed."""
        raise NotImplementedError

    def finish(self, ticket: str, text: str, *, false_positive: bool) -> None:
        raise NotImplementedError

    def reopen(self, ticket: str, text: str) -> None:
        raise NotImplementedError

    # -- for it --------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: Any = None, *, missing: bool = False) -> Any:
        """What the system answers to a request, None where that is nothing, or, with `missing`,
        where there is no such thing. Raises SinkError, and RefusedError for what will never do."""
        answers: list[Answer] = []
        content = b"" if body is None else wire.encode(body)
        request = Request(content, self._headers, path, method)
        self._server.send([request], answers.append)
        [answer] = answers
        if missing and answer.status == 404:
            return None
        if not 200 <= answer.status < 300:
            raise RefusedError(self._server.shown, answer)
        if not answer.body:
            return None
        try:
            return msgspec.json.decode(answer.body)
        except msgspec.DecodeError as error:
            raise SinkError(f"{self._server.shown}: not JSON") from error

    # -- the sink ------------------------------------------------------------------------------

    def about(self) -> str:
        return f"a ticket for each incident at {self._server.shown}"

    def deliver(self, alerts: Sequence[Alert]) -> None:
        named = {f"{one.id}-{one.revision}": one for one in alerts}
        for name in self._posted.begin(named):
            try:
                self._take(named[name])
            except RefusedError as error:
                if not self._posted.refused(name, error.status, error.reason):
                    raise
            else:
                self._posted.taken(name)
        self._posted.end(self._server.shown)
        self.trouble = self._posted.trouble

    def due(self) -> float | None:
        if not self._tickets.open():
            return None
        return max(0.0, self._looked + LOOK - self._clock())

    def refresh(self) -> None:
        """Look at what people said of the incidents whose tickets are open."""
        self._looked = self._clock()
        for incident, ticket in self._tickets.open().items():
            case = self.case(incident)
            if case is not None and case.since > ticket.heard:
                with self._there(incident):
                    self._pass_on(ticket, case)
                    self._tickets.put(incident, ticket)

    def _pass_on(self, ticket: Ticket, case: Case) -> None:
        by = next((deed.by for deed in reversed(case.deeds) if deed.what == case.state), "")
        said = chat.harmless(words.plain(f"{case.state.replace('_', ' ')} by {by}"))
        if case.reason:
            said += f": {chat.harmless(words.plain(case.reason, 500))}"
        if case.state == "acknowledged":
            self.comment(ticket.id, said)
        elif case.state in ("closed", "false_positive"):
            self.finish(ticket.id, said, false_positive=case.state == "false_positive")
            ticket.closed = True
        ticket.heard = case.since

    @contextmanager
    def _there(self, incident: str) -> Iterator[None]:
        """Where the system knows the ticket no more, neither do we, and the next alert opens
        another."""
        try:
            yield
        except RefusedError as error:
            if error.status not in GONE:
                raise
            self._tickets.forget(incident)

    @property
    def _tickets(self) -> Tickets:
        if self._memory is None:
            name = f"{quote(self.name, safe='')}.tickets.json"
            self._memory = Tickets(self.folder / name if self.folder else None)
        return self._memory

    def _take(self, alert: Alert) -> None:
        incident = alert.incident or alert.id
        ticket = self._tickets.get(incident)
        if ticket is None:
            if alert.state == "withdrawn":
                return
            draft = Draft(incident, chat.title(alert), chat.text(alert), alert.severity, alert)
            found = self.find(incident)
            if found is None:
                found = self.create(draft)
            else:
                self.comment(found, f"{draft.title}\n{draft.text}")
            ticket = Ticket(found, alert.severity, {alert.id: alert.state}, count=1)
            ticket.heard = self._since(incident)
            self._tickets.put(incident, ticket)
            return
        with self._there(incident):
            self._follow(incident, ticket, alert)
            return
        self._take(alert)

    def _follow(self, incident: str, ticket: Ticket, alert: Alert) -> None:
        before = ticket.alerts.get(alert.id)
        rose = _rank(alert.severity) > _rank(ticket.severity)
        text = f"{chat.title(alert)}\n{chat.text(alert)}"
        again = alert.state == "open" and (before != "open" or rose or self._goes_on(alert))
        if ticket.closed and again:
            self.reopen(ticket.id, text)
            ticket.closed, ticket.heard = False, self._since(incident)
        elif ticket.closed:
            return
        elif before != alert.state or rose or _sums_up(alert):
            self.comment(ticket.id, text, alert.severity if rose else None)
        else:
            return
        ticket.alerts[alert.id] = alert.state
        ticket.count += before is None
        ticket.severity = alert.severity if rose else ticket.severity
        if ticket.count <= len(ticket.alerts) and "open" not in ticket.alerts.values():
            self.finish(ticket.id, WITHDRAWN, false_positive=False)
            ticket.closed = True
        self._tickets.put(incident, ticket)

    def _since(self, incident: str) -> float:
        """Of the newest word about it: it is older than what comes now."""
        case = self.case(incident)
        return case.since if case is not None else 0.0

    def _goes_on(self, alert: Alert) -> bool:
        """Whether there is more of a closed incident than the person saw who closed it."""
        case: Case | None = self.case(alert.incident or alert.id)
        return case is not None and case.state == "closed" and alert.last > case.seen


class RefusedError(SinkError):
    """The system answered that it does not take this."""

    def __init__(self, shown: str, answer: Answer) -> None:
        super().__init__(f"{shown}: answered {answer.status} {answer.reason}")
        self.status, self.reason = answer.status, answer.reason


def needed(settings: Struct, *names: str) -> None:
    """Raises SettingsError where one of the settings is empty."""
    for name in names:
        if not getattr(settings, name):
            raise SettingsError(f"{name}: must be set")


def _sums_up(alert: Alert) -> bool:
    """Whether it counts other alerts (streams/gathering.py): then more of them are news."""
    return [one.sign for one in alert.evidence[:1]] == ["alerts"]


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)
