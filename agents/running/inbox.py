"""What gateways saw, on its way from their servers' thread to the detectors' loop. Bounded: what
comes while it is full is dropped, and counted, for whoever asks a gateway must not wait."""

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from streams import metrics

T = TypeVar("T")

ROOM = 50_000  # events


class Inbox(Generic[T]):
    """One end may be used by one thread, the other by another one."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._events: deque[T] = deque()

    def put(self, events: Sequence[T]) -> None:
        if len(self._events) + len(events) > self._room:
            metrics.REPORTS_DROPPED.inc(len(events))
            return
        self._events.extend(events)

    def take(self, most: int = 5_000) -> list[T]:
        """The oldest, in their order."""
        events = self._events
        return [events.popleft() for _ in range(min(most, len(events)))]

    def put_back(self, events: Sequence[T]) -> None:
        """What was taken last and could not be passed on."""
        self._events.extendleft(reversed(events))
