"""Which ticket tells of which incident: in a file, so that a restart opens none twice."""

from pathlib import Path

from msgspec import Struct, field

from schemas.findings import Severity
from streams.kept import Kept

KEPT = 5000  # tickets; of an older one nothing is known, and another is opened where it goes on
ALERTS = 500  # alerts of an incident that are known by name


class Ticket(Struct):
    id: str  # by which the desk's system knows it
    severity: Severity
    alerts: dict[str, str] = field(default_factory=dict)  # id -> state
    closed: bool = False
    heard: float = 0.0  # Unix seconds of the newest word of people that it has
    count: int = 0  # of alerts, those included that are not known by name


class Tickets:
    """By incident. Kept at `path`; None: only as long as the process lives."""

    def __init__(self, path: Path | None) -> None:
        self._kept = Kept(path, dict[str, Ticket], dict)
        self._known = self._kept.read()

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
        self._kept.write(self._known)

    def forget(self, incident: str) -> None:
        """It is there no more."""
        if self._known.pop(incident, None):
            self._kept.write(self._known)
