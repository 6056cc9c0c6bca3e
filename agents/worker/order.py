"""The order of messages: of each partition the one that comes next, and none is passed over.

Around a rebalance Faust 0.15.3 drops messages in several places (a batch that is cut short where
its flow stops, a read offset that a late batch sets after the seek to what is committed) and
gives others twice. So what Faust gives is only taken in the order of its offsets, beginning at
the one after what is safe.

Offsets have real gaps as well: the marks of transactions, and what retention has deleted. What
Faust gives, however often, tells nothing of them: a message beyond a gap may come twice because
it was on its way twice. Only the broker knows what comes next, and is asked.
"""

import time
from collections.abc import Callable, Iterable
from enum import Enum, auto

from faust.types import TP

IDLE = 3.0  # seconds without any message after which one that is there is missing
BUSY = 30.0  # seconds after which it is missing even if others come
PATIENCE = 1.0  # seconds for the messages of a gap to come, before the broker is asked again


class Verdict(Enum):
    TAKE = auto()  # it is the next one, or was taken before
    ASK = auto()  # there may be others before it: the broker knows
    PASS = auto()  # the same, and the broker was asked already; it comes again


class Order:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: dict[TP, int] = {}
        self._moved: dict[TP, float] = {}  # when it was taken last, or read again
        self._asked: dict[TP, float] = {}  # when the broker was asked about the present gap
        self._empty: dict[TP, int] = {}  # the end before which the broker has nothing more
        self._last = clock()

    def begin(self, place: TP, offset: int) -> None:
        """The message that comes next. Another order of the same partition is forgotten."""
        self._next[place] = offset
        self._moved[place] = self._clock()
        self._asked.pop(place, None)
        self._empty.pop(place, None)

    def forget(self) -> None:
        self._next.clear()
        self._moved.clear()
        self._asked.clear()
        self._empty.clear()

    def next(self, place: TP) -> int | None:
        return self._next.get(place)

    def take(self, place: TP, offset: int) -> Verdict:
        """What to do with this message."""
        self._last = self._clock()
        expected = self._next[place]
        if offset < expected:
            return Verdict.TAKE
        if offset > expected:
            if self._last - self._asked.get(place, -PATIENCE) < PATIENCE:
                return Verdict.PASS
            self._asked[place] = self._last
            return Verdict.ASK
        self._next[place] = offset + 1
        self._moved[place] = self._last
        if self._asked:
            self._asked.pop(place, None)
        return Verdict.TAKE

    def bridge(self, place: TP, gap: int, offset: int) -> bool:
        """What the broker says: the first message from `gap` on is the one at `offset`. Whether
        there are offsets in between, which are empty."""
        if offset <= gap:
            return False
        self._next[place] = offset
        return True

    def missing(self, places: Iterable[tuple[TP, int]]) -> list[TP]:
        """Of (partition, its end) those with a message that should have come. Each is named
        again only after as much time."""
        now = self._clock()
        patience = IDLE if now - self._last > IDLE else BUSY
        found = []
        for place, end in places:
            due = end > self._next.get(place, end) and end > self._empty.get(place, 0)
            if due and now - self._moved[place] > patience:
                self._moved[place] = now
                found.append(place)
        return found

    def nothing_before(self, place: TP, end: int) -> None:
        """What the broker says: up to `end` there are no messages but those that were taken."""
        self._empty[place] = end
