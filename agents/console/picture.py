"""What is going on, as one value: made anew where something has changed, never changed itself, so
that any thread may look at it."""

from collections.abc import Sequence

from msgspec import Struct, structs

from agents.incidents.assembling import INCIDENTS, Assembly
from agents.incidents.incident import Incident
from schemas.findings import Alert
from schemas.incidents import Case

ALERTS = 20_000  # that are kept in mind: the newest
SLACK = 1_000  # more than that before the oldest are let go


class Picture(Struct, frozen=True):
    version: int  # grows
    alerts: tuple[Alert, ...]  # without samples
    cases: tuple[Case, ...]
    assembly: Assembly
    incidents: Sequence[Incident]  # the newest first, without what was decided in their course
    count: int  # of all incidents


def nothing(window: float) -> Picture:
    return Picture(0, (), (), Assembly((), window=window), (), 0)


class Drawing:
    """Keeps in mind what a picture is made of. `window` is that of Assembly."""

    def __init__(self, window: float, before: Picture | None = None) -> None:
        self._window = window
        self._newest = before or nothing(window)
        self._fresh = False  # alerts or cases are not in the newest picture
        self._alerts: dict[str, Alert] = {}
        self._cases: dict[str, Case] = {}

    def take(self, alerts: Sequence[Alert], cases: Sequence[Case]) -> None:
        for alert in alerts:
            before = self._alerts.get(alert.id)
            if before is None or before.revision <= alert.revision:
                self._alerts[alert.id] = structs.replace(alert, samples=[])
        for case in cases:
            self._cases[case.id] = case
        self._fresh = self._fresh or bool(alerts or cases)
        if len(self._alerts) > ALERTS + SLACK:
            newest = sorted(self._alerts.values(), key=lambda one: -one.last)[:ALERTS]
            self._alerts = {alert.id: alert for alert in newest}

    def draw(self) -> Picture:
        version = self._newest.version + 1
        if self._fresh:
            self._fresh = False
            alerts, cases = tuple(self._alerts.values()), tuple(self._cases.values())
            assembly = Assembly(alerts, cases, window=self._window)
            found = assembly.tell(most=INCIDENTS)
            self._newest = Picture(version, alerts, cases, assembly, found.incidents, found.count)
        else:  # decisions do not change which alerts belong together
            self._newest = structs.replace(self._newest, version=version)
        return self._newest
