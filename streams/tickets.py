"""Which ticket tells of which incident: in a file, so that a restart opens none twice."""

import logging
from pathlib import Path

import msgspec
from msgspec import Struct, field

from schemas.findings import Severity
from streams import atomic
from streams.said import said

log = logging.getLogger(__name__)

KEPT = 5000  # tickets; of an older one nothing is known, and another is opened where it goes on
ALERTS = 500  # alerts of an incident that are known by name


class Ticket(Struct):
    id: str  # by which the desk's system knows it
    severity: Severity
    alerts: dict[str, str] = field(default_factory=dict)  # id -> state
    closed: bool = False
    heard: float = 0.0  # Unix seconds of the newest word of people that it has
    count: int = 0  # of alerts, those included that are not known by name


_tickets = msgspec.json.Decoder(dict[str, Ticket])


class Tickets:
    """By incident. Kept at `path`; None: only as long as the process lives."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._trouble = ""
        self._known = self._read()

    def get(self, incident: str) -> Ticket | None:
        return self._known.get(incident)

    def open(self) -> dict[str, Ticket]:
        """Those that are not closed."""
        return {name: ticket for name, ticket in self._known.items() if not ticket.closed}

    def put(self, incident: str, ticket: Ticket) -> None:
        """Note what is known of it now."""
        while len(ticket.alerts) > ALERTS:
            del ticket.alerts[next(iter(ticket.alerts))]
        self._known.pop(incident, None)
        self._known[incident] = ticket
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        self._write()

    def forget(self, incident: str) -> None:
        """It is there no more."""
        if self._known.pop(incident, None):
            self._write()

    def _read(self) -> dict[str, Ticket]:
        if self._path is None:
            return {}
        try:
            return _tickets.decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning(said("state unusable", path=self._path, reason=error))
            return {}

    def _write(self) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.replace(self._path, msgspec.json.encode(self._known).decode(), 0o600)
        except OSError as error:
            trouble = str(error.strerror)
            if trouble != self._trouble:
                log.warning(said("state unusable", path=self._path, reason=trouble))
            self._trouble = trouble
            return
        self._trouble = ""
