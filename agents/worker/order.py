"""The order of messages: of each partition the one that comes next, and none is passed over.

Around a rebalance Faust 0.15.3 drops messages in several places (a batch that is cut short where
its flow stops, a read offset that a late batch sets after the seek to what is committed) and
gives others twice. So what Faust gives is only taken in the order of its offsets, beginning at
the one after what is safe; where one is missing, the partition is read again from there.

Offsets have real gaps as well: the marks of transactions, and what retention has deleted. When
the message beyond the gap is given a second time, there is nothing in between.
"""

import time
from collections.abc import Callable, Iterable

from faust.types import TP

IDLE = 3.0  # seconds without any message after which one that is there is missing
BUSY = 30.0  # seconds after which it is missing even if others come


class Order:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: dict[TP, int] = {}
        self._moved: dict[TP, float] = {}  # when it was taken last, or read again
        self._beyond: dict[TP, int] = {}  # the first that came too early
        self._last = clock()

    def begin(self, place: TP, offset: int) -> None:
        """The message that comes next. Another order of the same partition is forgotten."""
        self._next[place] = offset
        self._moved[place] = self._clock()
        self._beyond.pop(place, None)

    def forget(self) -> None:
        self._next.clear()
        self._moved.clear()
        self._beyond.clear()

    def next(self, place: TP) -> int | None:
        return self._next.get(place)

    def take(self, place: TP, offset: int) -> tuple[bool, bool]:
        """Whether this message may be taken, which is true also of one that was taken before; and
        whether the partition must be read again from `next`."""
        self._last = self._clock()
        expected = self._next[place]
        if offset < expected:
            return True, False
        beyond = self._beyond.get(place)
        if offset > expected and (beyond is None or offset > beyond):
            self._beyond.setdefault(place, offset)
            return False, beyond is None
        self._beyond.pop(place, None)
        self._next[place] = offset + 1
        self._moved[place] = self._last
        return True, False

    def missing(self, places: Iterable[tuple[TP, int]]) -> list[TP]:
        """Of (partition, its end) those with a message that should have come. Each is named
        again only after as much time."""
        now = self._clock()
        patience = IDLE if now - self._last > IDLE else BUSY
        found = []
        for place, end in places:
            if end > self._next.get(place, end) and now - self._moved[place] > patience:
                self._moved[place] = now
                self._beyond.pop(place, None)
                found.append(place)
        return found
