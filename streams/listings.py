"""A listing of the mail queue, line by line, becomes one sample.

A listing ends with its last line where it has one; else when the next one begins (its header, or
where it has none a message that was listed already), or after `QUIET` seconds of silence.
"""

from collections import Counter
from typing import Any

from msgspec import Struct, field, structs

from schemas.events import Fact, Queue
from streams.parsers.part import Entry

QUIET = 10.0  # seconds of silence that end a listing
MOST_MESSAGES = 200_000  # that are told apart in one listing
MOST_SENDERS = 20_000
TOP = 10  # senders that a sample names
LIMIT = 1000  # listings that are open

Told = tuple[str, Fact]  # source, event
Key = tuple[str, str, str]  # gateway, source, listing


class Listing(Struct, array_like=True):
    at: float
    offset: int
    counts: dict[str, int] = field(default_factory=dict)
    oldest: float = 0.0
    senders: dict[str, int] = field(default_factory=dict)
    messages: set[str] = field(default_factory=set)
    headed: bool = False


class Listings:
    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._open: dict[Key, Listing] = {}
        self.due = float("inf")  # when `advance` has something to tell

    def add(self, entry: Entry, source: str, out: list[Told]) -> None:
        key = (entry.gateway, source, entry.listing)
        listing = self._open.get(key)
        if listing is not None and (
            entry.begins
            or (not listing.headed and entry.message in listing.messages)
            or entry.at > listing.at + QUIET
        ):
            self._close(key, out)
            listing = None
        if listing is None:
            if len(self._open) >= self._limit:
                self._close(next(iter(self._open)), out)
            listing = self._open[key] = Listing(entry.at, entry.offset, headed=entry.begins)
        listing.at = max(listing.at, entry.at)
        self.due = min(self.due, listing.at + QUIET)
        if entry.message and len(listing.messages) < MOST_MESSAGES:
            listing.messages.add(entry.message)
        if not entry.ends or not listing.messages:  # the last line repeats the sums
            _count(listing, entry)
        if entry.ends:
            self._close(key, out)

    def advance(self, at: float, out: list[Told]) -> None:
        """Put the listings that ended into `out`."""
        for key in [key for key, listing in self._open.items() if listing.at + QUIET <= at]:
            self._close(key, out)
        self.due = min((one.at + QUIET for one in self._open.values()), default=float("inf"))

    def pack(self) -> Any:
        return [(key, listing) for key, listing in self._open.items()]

    def restore(self, packed: list[tuple[Key, Listing]]) -> None:
        self._open = dict(packed)
        self.advance(float("-inf"), [])

    def _close(self, key: Key, out: list[Told]) -> None:
        listing = self._open.pop(key)
        gateway, source, _ = key
        top = Counter(listing.senders).most_common(TOP)
        sample = Queue(
            at=listing.at,
            gateway=gateway,
            offset=listing.offset,
            oldest=listing.oldest,
            top_senders=tuple(top),
        )
        out.append((source, structs.replace(sample, **listing.counts)))


def _count(listing: Listing, entry: Entry) -> None:
    counts = listing.counts
    for name, number in entry.counts.items():
        counts[name] = counts.get(name, 0) + number
    if entry.arrived and (not listing.oldest or entry.arrived < listing.oldest):
        listing.oldest = entry.arrived
    sender = entry.sender
    if sender and (sender in listing.senders or len(listing.senders) < MOST_SENDERS):
        listing.senders[sender] = listing.senders.get(sender, 0) + 1
