"""How far a sink is done with the alerts of the topic: before which offsets all is told.

Alerts are told in another order than they lie there: some wait for a summary or a digest, and of
two revisions only the newer one is told. What is not told keeps the offset of its first message
open, so that a later process reads from there. Its memory is bounded by the alerts that wait.
"""

from collections.abc import Iterable

from agents.single.store import Told

Place = tuple[str, int]  # topic and partition


class Ledger:
    """Of one connection."""

    def __init__(self) -> None:
        self._next: dict[Place, int] = {}
        # By place and alert: its first offset and its newest revision.
        self._open: dict[Place, dict[str, tuple[int, int]]] = {}
        self._where: dict[str, Place] = {}
        self._said: dict[Place, int] = {}  # what `progress` gave

    def __len__(self) -> int:
        return len(self._where)

    def read(self, place: Place, offset: int, alert: str = "", revision: int = 0) -> None:
        """A message was polled; without an alert there is nothing to tell of it."""
        self._next[place] = max(offset + 1, self._next.get(place, 0))
        if alert:
            known = self._open.setdefault(place, {})
            first, newest = known.get(alert, (offset, 0))
            known[alert] = first, max(newest, revision)
            self._where[alert] = place

    def told(self, told: Iterable[Told]) -> None:
        for one in told:
            place = self._where.get(one.alert)
            if place is not None and self._open[place][one.alert][1] <= one.revision:
                del self._open[place][one.alert], self._where[one.alert]

    def progress(self) -> dict[Place, int]:
        """Before which offsets all is told, where that has changed since the last call."""
        found = {}
        for place, after in self._next.items():
            waiting = self._open.get(place)
            done = min(first for first, _ in waiting.values()) if waiting else after
            if self._said.get(place) != done:
                self._said[place] = found[place] = done
        return found
