"""Whether somebody has taken an alert on, as far as persons' words about incidents say."""

from collections.abc import Iterable

from schemas.findings import SEVERITIES, Alert
from schemas.incidents import Case


class Taken:
    """Told of all cases by one thread, asked by others."""

    def __init__(self) -> None:
        self._by_incident: dict[str, Case] = {}

    def learn(self, cases: Iterable[Case]) -> None:
        """These are all cases there are."""
        found: dict[str, Case] = {}
        for case in cases:
            if case.state != "open":
                for name in (case.id, *case.parts):
                    known = found.get(name)
                    if known is None or known.since <= case.since:
                        found[name] = case
        self._by_incident = found

    def of(self, incident: str) -> Case | None:
        """What people made of an incident that they acknowledged or ended."""
        return self._by_incident.get(incident)

    def __call__(self, alert: Alert) -> bool:
        """Whether somebody acknowledged or ended the alert's incident, and nothing came since that
        opens it again: a higher severity; of a closed one, a later event."""
        known = self._by_incident
        case = known.get(alert.incident or alert.id) or known.get(alert.id)
        if case is None or SEVERITIES.index(alert.severity) > SEVERITIES.index(case.severity):
            return False
        return case.state != "closed" or alert.last <= case.seen
