"""When leases end: a calendar by the minute, of which only the pages that have come are sorted.

A heap of all ends costs 80 bytes for each; a list for each minute costs 8. No entry is taken out
before its time: what has been replaced since is passed over when its page comes.
"""

import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

PAGE = 60.0  # seconds


class Leases(Generic[T]):
    """`ends` tells when what is found at a place now ends; there may be nothing any more."""

    def __init__(self, ends: Callable[[T], Iterable[float]]) -> None:
        self._ends = ends
        self._later: dict[float, list[T]] = {}  # by page
        self._pages: list[float] = []  # heap of the keys of it
        self._near: list[tuple[float, int, T]] = []  # heap of what the opened pages have
        self._opened = -math.inf  # the last of them
        self._number = itertools.count()  # places cannot be compared
        self._count = 0

    def __len__(self) -> int:
        """Entries, those that were replaced included."""
        return self._count

    def add(self, until: float, place: T) -> None:
        self._count += 1
        page = until // PAGE
        if page <= self._opened:
            heapq.heappush(self._near, (until, next(self._number), place))
            return
        there = self._later.get(page)
        if there is None:
            self._later[page] = [place]
            heapq.heappush(self._pages, page)
        else:
            there.append(place)

    def pages(self) -> Iterator[tuple[float, list[T]]]:
        """All of them, replaced ones included: the start of a page in Unix seconds, and the places
        where something ends in it. `add` takes such a start for each of the places."""
        yield from ((page * PAGE, there) for page, there in self._later.items())
        for until, _, place in self._near:
            yield until, [place]

    def add_page(self, until: float, places: list[T]) -> None:
        """Likewise `add`, for many places where something ends in one page."""
        page = until // PAGE
        if page <= self._opened or page in self._later:
            for place in places:
                self.add(until, place)
            return
        self._count += len(places)
        self._later[page] = places
        heapq.heappush(self._pages, page)

    def due(self, now: float) -> list[T]:
        """Takes out, the first to end first, the places where something has ended by `now`."""
        while self._pages and self._pages[0] * PAGE <= now:
            self._open()
        found = []
        while self._near and self._near[0][0] <= now:
            found.append(self._take())
        return found

    def first(self) -> float:
        """When the next lease ends; infinity where there is none."""
        while self._near or self._pages:
            if not self._near:
                self._open()
                continue
            until, _, place = self._near[0]
            if until in self._ends(place):
                return until
            self._take()
        return math.inf

    def _take(self) -> T:
        self._count -= 1
        return heapq.heappop(self._near)[2]

    def _open(self) -> None:
        """Sort the next page in."""
        page = heapq.heappop(self._pages)
        there = self._later.pop(page)
        self._opened = page
        self._count -= len(there)
        for place in set(there):
            for until in self._ends(place):
                if until // PAGE == page:
                    heapq.heappush(self._near, (until, next(self._number), place))
                    self._count += 1
