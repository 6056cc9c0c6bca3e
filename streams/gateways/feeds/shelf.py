"""What a collection of TAXII holds, and since when: who asks for what is new must miss nothing.

An indicator is on the shelf from the moment when the list that it stands in was first looked at
with it. Each has a time of its own, so that a page can end between any two. One whose decision was
taken back before its time stays there as revoked until then, as far as this process knows; after a
restart everything is new.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from streams.gateways.feeds.formats.stix import AUTHOR, author, indicator, name, time
from streams.gateways.feeds.item import Item

REVOKED = 10_000  # that are kept

MICRO = 1_000_000


class Entry(Struct, frozen=True):
    name: str  # id of the object
    added: int  # microseconds of Unix time; no two are alike
    item: Item | None  # None: the identity that all indicators are by
    revoked: float = 0.0  # Unix seconds when it was taken back

    def object(self) -> dict[str, object]:
        if self.item is None:
            return author()
        found = indicator(self.item, self.name)
        if self.revoked:
            found |= {"revoked": True, "modified": time(self.revoked)}
        return found


class Shelf:
    """Of one list."""

    def __init__(self, now: float) -> None:
        self._last = int(now * MICRO)
        self._entries = {AUTHOR: Entry(AUTHOR, self._last, None)}  # the oldest first
        self._generation = -1

    def update(self, generation: int, items: Callable[[], Sequence[Item]], now: float) -> None:
        """`items` gives the list now; it is not asked where its generation is known."""
        if generation == self._generation:
            return
        self._generation = generation
        fresh = {name(item): item for item in items()}
        revoked = 0
        for entry in list(self._entries.values()):
            if entry.item is None or (entry.name in fresh and not entry.revoked):
                continue
            if entry.item.decision.until <= now:
                del self._entries[entry.name]
            elif not entry.revoked:
                self._put(entry.name, entry.item, now, max(now, entry.item.decision.since + 0.001))
            revoked += entry.name in self._entries
        for own, item in fresh.items():
            known = self._entries.get(own)
            if known is None or known.revoked:
                self._put(own, item, now)
        if revoked > REVOKED:
            self._forget(revoked - REVOKED)

    def after(self, added: int) -> Iterator[Entry]:
        """Those that were added later than that, the oldest first."""
        return (entry for entry in self._entries.values() if entry.added > added)

    def get(self, own: str) -> Entry | None:
        return self._entries.get(own)

    def _put(self, own: str, item: Item, now: float, revoked: float = 0.0) -> None:
        self._entries.pop(own, None)
        self._last = max(int(now * MICRO), self._last + 1)
        self._entries[own] = Entry(own, self._last, item, revoked)

    def _forget(self, count: int) -> None:
        old = [entry.name for entry in self._entries.values() if entry.revoked]
        for own in islice(old, count):
            del self._entries[own]
