"""Alerts that a sink is not told yet: because of the hour, or because somebody may take them on.

Both are by the clock on the wall. Who calls locks.
"""

from collections.abc import Callable

from schemas.findings import Alert
from streams.sink import Sink

QUIET = 2000  # alerts that wait for the end of quiet hours; as many are told before, as one
REMEMBERED = 20_000  # alerts that were told because nobody took them on

Asked = Callable[[Alert], bool]


class Holding:
    """Of one sink. `taken` says whether somebody took an alert on."""

    def __init__(self, sink: Sink, taken: Asked) -> None:
        self._sink = sink
        self._taken = taken
        self._patience = sink.settings.unacknowledged
        self._waiting: dict[str, tuple[float, Alert]] = {}  # since when nobody took it on
        self._passed: dict[str, None] = {}
        self.quiet: dict[str, Alert] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self.quiet)

    def find(self, alert: Alert) -> Alert | None:
        """The revision of an alert that is held, if one is."""
        _, waiting = self._waiting.get(alert.id, (0.0, None))
        return waiting or self.quiet.get(alert.id)

    def for_people(self, alert: Alert, now: float) -> bool:
        """Whether the alert waits for somebody to take it on."""
        if not self._patience or alert.id in self._passed:
            return False
        since, _ = self._waiting.get(alert.id, (min(now, alert.at), alert))
        self._waiting[alert.id] = since, alert
        return True

    def for_morning(self, alert: Alert, now: float) -> bool:
        """Whether the alert waits for the end of the quiet hours."""
        if self._sink.disturbs(alert) or self._sink.quiet.end(now) is None:
            self.quiet.pop(alert.id, None)
            return False
        self.quiet[alert.id] = alert
        return True

    def overdue(self, now: float) -> tuple[list[Alert], list[Alert]]:
        """Alerts whose time is over: those that nobody took on, and those that are settled, because
        somebody did or because they were withdrawn."""
        ripe = [one for since, one in self._waiting.values() if now >= since + self._patience]
        told: list[Alert] = []
        settled: list[Alert] = []
        for one in ripe:
            del self._waiting[one.id]
            if one.state == "withdrawn" or self._taken(one):
                settled.append(one)
                continue
            told.append(one)
            self._passed[one.id] = None
            while len(self._passed) > REMEMBERED:
                del self._passed[next(iter(self._passed))]
        return told, settled

    def morning(self, now: float) -> bool:
        """Whether what waited for the end of the quiet hours may be told."""
        return bool(self.quiet) and (len(self.quiet) >= QUIET or not self.hushed(now))

    def hushed(self, now: float) -> bool:
        return self._sink.quiet.end(now) is not None

    def due(self, now: float) -> float | None:
        """Seconds until something is to be told; None: nothing waits."""
        waits = [since + self._patience - now for since, _ in self._waiting.values()]
        end = self._sink.quiet.end(now)
        if self.quiet or end is not None:
            waits.append((end or now) - now)
        return max(0.0, min(waits)) if waits else None
