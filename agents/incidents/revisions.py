"""The revisions of alerts, in any order and more than once, to what became of each alert."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from schemas import wire
from schemas.findings import Alert, Severity

KEPT = 64  # revisions of one alert that are remembered


class Turn(Struct, frozen=True):
    """A revision of an alert, as far as its severity and state go."""

    alert: str  # id
    revision: int
    at: float  # Unix seconds
    severity: Severity
    state: Literal["open", "withdrawn"]


class History:
    """One alert: its newest revision, and how it got there."""

    def __init__(self, alert: Alert) -> None:
        self.newest = alert
        self.first = alert.first
        self._turns: dict[int, Turn] = {}

    def add(self, alert: Alert) -> None:
        """Another revision of it, or the same again."""
        if _later(alert, self.newest):
            self.newest = alert
        self.first = min(self.first, alert.first)
        self.turned(turn_of(alert))

    def turned(self, turn: Turn) -> None:
        """Another revision of which no more is known."""
        before = self._turns.get(turn.revision)
        if before is None or _order(before) < _order(turn):
            self._turns[turn.revision] = turn
        if len(self._turns) > KEPT:
            self._thin()

    def changes(self) -> Iterator[tuple[Turn, Turn]]:
        """Each revision that is more or less severe than the known one before it, or withdrawn, or
        stands again, after that one."""
        turns = self._sorted()
        for before, turn in pairwise(turns):
            if (before.severity, before.state) != (turn.severity, turn.state):
                yield before, turn

    @property
    def opened(self) -> Turn:
        """The earliest revision that is known: as a rule the first, where all were kept."""
        return self._sorted()[0]

    @property
    def withdrawn(self) -> bool:
        return self.newest.state == "withdrawn"

    def _sorted(self) -> list[Turn]:
        return [self._turns[revision] for revision in sorted(self._turns)]

    def _thin(self) -> None:
        """Forget revisions between two that say the same; where that is not enough, those after
        the first."""
        turns = self._sorted()
        said = [(turn.severity, turn.state) for turn in turns]
        kept = [
            turn
            for index, turn in enumerate(turns)
            if index in (0, len(turns) - 1)
            or said[index] != said[index - 1]
            or said[index] != said[index + 1]
        ]
        while len(kept) > KEPT:
            del kept[1]
        self._turns = {turn.revision: turn for turn in kept}


def turn_of(alert: Alert) -> Turn:
    return Turn(alert.id, alert.revision, alert.at, alert.severity, alert.state)


def histories(alerts: Iterable[Alert], turns: Iterable[Turn] = ()) -> dict[str, History]:
    """What became of each alert, by its id. `turns` are further revisions of them."""
    found: dict[str, History] = {}
    for alert in alerts:
        history = found.get(alert.id)
        if history is None:
            history = found[alert.id] = History(alert)
        history.add(alert)
    for turn in turns:
        if turn.alert in found:
            found[turn.alert].turned(turn)
    return found


def _later(alert: Alert, other: Alert) -> bool:
    """Two of one number differ where a worker told the same anew: the later one counts."""
    if alert is other:
        return False
    one, two = (alert.revision, alert.at), (other.revision, other.at)
    return one > two or (one == two and wire.encode(alert) > wire.encode(other))


def _order(turn: Turn) -> tuple[float, str, str]:
    return turn.at, turn.severity, turn.state
