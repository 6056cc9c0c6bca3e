"""How far a sink is done with the alerts of the topic: before which offsets all is told.

Alerts are told in another order than they lie there: some wait for a summary or a digest, and of
two revisions only the newer one is told. What is not told keeps the offset of its first message
open, so that a later process reads from there; what was told beyond it is known by name, so that
it is not told again. Its memory is bounded by the alerts that wait, and by `KEPT`.
"""

from collections.abc import Iterable

from msgspec import Struct

from agents.single.store import Told

KEPT = 20_000  # told alerts that lie beyond one that is not; of more, the oldest are told again

Place = tuple[str, int]  # topic and partition


class Entry(Struct):
    """An alert that is to be told."""

    first: int  # offset of its first message
    last: int  # and of its newest
    revision: int  # the newest


class Ledger:
    """Of one connection."""

    def __init__(self) -> None:
        self._next: dict[Place, int] = {}
        self._open: dict[Place, dict[str, Entry]] = {}
        self._where: dict[str, Place] = {}
        self._beyond: dict[str, tuple[Place, int, int]] = {}  # told: place, offset, revision
        self._said: dict[Place, int] = {}  # what `progress` gave

    def __len__(self) -> int:
        return len(self._where)

    def read(self, place: Place, offset: int, alert: str = "", revision: int = 0) -> None:
        """A message was polled; without an alert there is nothing to tell of it."""
        self._next[place] = max(offset + 1, self._next.get(place, 0))
        if alert:
            known = self._open.setdefault(place, {})
            entry = known.setdefault(alert, Entry(offset, offset, revision))
            entry.last, entry.revision = offset, max(entry.revision, revision)
            self._where[alert] = place

    def told(self, told: Iterable[Told]) -> None:
        for one in told:
            place = self._where.get(one.alert)
            if place is None or self._open[place][one.alert].revision > one.revision:
                continue
            entry = self._open[place].pop(one.alert)
            del self._where[one.alert]
            self._beyond[one.alert] = place, entry.last, entry.revision
        while len(self._beyond) > KEPT:
            del self._beyond[next(iter(self._beyond))]

    def progress(self) -> dict[Place, int]:
        """Before which offsets all is told, where that has changed since the last call."""
        found = {}
        for place, after in self._next.items():
            waiting = self._open.get(place)
            done = min(entry.first for entry in waiting.values()) if waiting else after
            if self._said.get(place) != done:
                self._said[place] = found[place] = done
        if found:
            self._beyond = {
                alert: known
                for alert, known in self._beyond.items()
                if known[1] >= self._said.get(known[0], 0)
            }
        return found

    def beyond(self) -> dict[str, int]:
        """Alerts that were told although one before them was not: the revision of each."""
        return {alert: revision for alert, (_, _, revision) in self._beyond.items()}
