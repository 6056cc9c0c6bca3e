"""Lines of one or several sources -> events: carrier, parser, joiner.

A Reader keeps what it knows of each source (by name) between calls of `read`, so a file can be
read as it grows. Several sources are merged by event time. A line that is nobody's is counted
and passed over; one that is ours and broken becomes a `DeadLine`, within a limit.
"""

import heapq
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import TypeVar
from zoneinfo import ZoneInfo

from msgspec import Raw, Struct, ValidationError, msgpack, structs

from schemas.events import Fact
from streams.dispatch import Parsers
from streams.join import Joiner, Output
from streams.parsers.carrier import Carrier, Letter, Remembered, Stamps
from streams.parsers.part import (
    Attempt,
    Entry,
    Format,
    Item,
    Items,
    Part,
    Record,
    Turn,
    Twin,
)
from streams.secrets import mask

LONGEST_DEAD = 2000  # characters of a line that a dead letter shows
DEAD_LIMIT = 10_000  # dead letters for each `DEAD_PERIOD`; beyond that they are only counted
DEAD_PERIOD = 3600.0  # seconds of event time
AHEAD = 300.0  # seconds that a stamp may be ahead of a live clock
MOST_TIMES = 1000  # events that one "message repeated N times" makes, beside attempts

T = TypeVar("T")
Lines = Iterable[tuple[int, bytes]]
Source = tuple[str, Lines]


class ReadOptions(Struct, frozen=True):
    """How lines are to be read."""

    format: str = "auto"  # a name in PARSERS, that of a custom format, or auto
    host: str = ""  # gateway of lines that name none
    zone: str = ""  # IANA name, for stamps without one; "" is this machine's
    year: int = 0  # of stamps without one; 0: the latest that is not after now + 1 day
    now: float = 0.0  # Unix seconds; 0 is the wall clock
    fingerprint_key: bytes = b""  # for passwords that a log shows
    custom: tuple[Format, ...] = ()  # a site's own formats, which come before those in PARSERS


class DeadLine(Struct, frozen=True):
    """A line that is ours and cannot be read."""

    reason: str
    source: str
    offset: int
    line: str  # cut


class Counts(Struct):
    lines: int = 0
    events: int = 0
    nobody: int = 0  # lines of no format that we know
    dead: int = 0


class Snapshot(Struct):
    """What must outlive a Reader."""

    joiner: Raw
    carriers: dict[str, Remembered]  # by source


class Reader:
    """Raises KeyError for an unknown format and ZoneInfoNotFoundError for an unknown zone."""

    def __init__(
        self, options: ReadOptions, dead: Callable[[DeadLine], None] | None = None
    ) -> None:
        self.counts = Counts()
        self.joiner = Joiner()
        self._dead = dead
        self._host = options.host
        self._year = options.year
        self._zone: tzinfo | None = ZoneInfo(options.zone) if options.zone else None
        self._now = options.now or time.time()  # noqa: TID251 - the reader is part of the shell
        self._live = 0.0  # the caller's clock, where there is one
        self._quiet = 0.0  # the caller's clock when it first asked after the last line
        self._carriers: dict[str, Carrier] = {}
        self._dead_left = DEAD_LIMIT
        self._dead_since = 0.0
        self._parsers = Parsers(options.format, options.custom, mask(options.fingerprint_key))

    def read(self, sources: Sequence[Source]) -> Iterator[Output]:
        """(name of the source, event) of all lines, by event time over several sources."""
        self._quiet = 0.0
        if len(sources) == 1:
            name, lines = sources[0]
            yield from self._one(name, lines, self._carrier(name).record)
        else:
            yield from self._merged(sources)

    def letters(self, name: str, letters: Iterable[tuple[int, Letter]]) -> Iterator[Output]:
        """The same of lines that were taken out of their envelopes."""
        self._quiet = 0.0
        yield from self._one(name, letters, self._carrier(name).letter)

    def tell(self, at: float) -> None:
        """What the caller's clock says: stamps from the future are measured by it."""
        self._live = at
        self._now = at
        for carrier in self._carriers.values():
            carrier.stamps.now = at

    def advance(self, at: float) -> list[Output]:
        """What no longer waits, now that the caller's clock says `at` and no line has come.

        Only how that clock moves on counts, so that an old log is read like a new one.
        """
        self.tell(at)
        if not self._quiet:
            self._quiet = at - self.joiner.clock
        out = self.joiner.advance(at - self._quiet)
        self.counts.events += len(out)
        return out

    def close(self) -> list[Output]:
        """What still waits, at the end of a replay."""
        out = self.joiner.close()
        self.counts.events += len(out)
        return out

    def pack(self) -> bytes:
        """What must outlive the process."""
        carriers = {name: carrier.pack() for name, carrier in self._carriers.items()}
        return msgpack.encode(Snapshot(Raw(self.joiner.pack()), carriers))

    def restore(self, packed: bytes) -> None:
        """Go on where `pack` was called. Raises ValueError where it is no snapshot."""
        try:
            found = msgpack.decode(packed, type=Snapshot)
        except ValidationError:
            self.joiner.restore(packed)  # of a version whose carriers remembered nothing
            return
        self.joiner.restore(bytes(found.joiner))
        for name, remembered in found.carriers.items():
            self._carrier(name).restore(remembered)

    # -- lines ----------------------------------------------------------------------------

    def _one(
        self, name: str, lines: Iterable[tuple[int, T]], read: Callable[[T, int], Record | None]
    ) -> Iterator[Output]:
        carrier = self._carrier(name)
        joiner, counts = self.joiner, self.counts
        known, learn = self._parsers.known, self._parsers.learn
        out: list[Output] = []
        clock = joiner.clock
        for offset, line in lines:
            counts.lines += 1
            try:
                record = read(line, offset)
                if record is None:
                    if carrier.rest:
                        counts.lines -= 1
                        rest, carrier.rest = carrier.rest, []
                        yield from self._one(name, rest, carrier.letter)
                    continue
                parse = known.get(record.program)
                items = learn(record.program)(record) if parse is None else parse(record)
            except ValueError as error:
                self._bury(str(error), name, offset, line)
                continue
            at = record.at
            if at > clock:
                if self._live and at > max(self._live, clock) + AHEAD:
                    self._bury("the stamp is in the future", name, offset, line)
                    continue
                clock = at
                if at > joiner.clock:  # whoever takes the events may call `advance` meanwhile
                    joiner.clock = at
                if at >= joiner.due:
                    out += joiner.advance(at)
            if not items:
                if items is None:
                    if record.otherwise is not None:
                        counts.lines -= 1
                        yield from self._one(name, [(offset, record.otherwise)], _itself)
                    else:
                        counts.nobody += 1
            else:
                if record.times != 1:
                    items = _repeated(items, record.times)
                for item in items:
                    kind = item.__class__
                    if kind is Part:
                        joiner.part(item, name, out)  # type: ignore[arg-type]
                    elif kind is Attempt:
                        joiner.attempt(item, name, out)  # type: ignore[arg-type]
                    elif kind is Entry:
                        joiner.entry(item, name, out)  # type: ignore[arg-type]
                    elif kind is Twin:
                        joiner.twin(item, name, out)  # type: ignore[arg-type]
                    elif kind is Turn:
                        joiner.turn(item, name, out)  # type: ignore[arg-type]
                    else:
                        out.append((name, item))  # type: ignore[arg-type]
            if out:
                counts.events += len(out)
                yield from out
                out.clear()

    def _merged(self, sources: Sequence[Source]) -> Iterator[Output]:
        streams = [
            self._parsed(number, name, lines, self._carrier(name).record, 0.0)
            for number, (name, lines) in enumerate(sources)
        ]
        counts, joiner = self.counts, self.joiner
        for at, _, name, items in heapq.merge(*streams, key=_place):
            if at > joiner.clock:
                joiner.clock = at
                if at >= joiner.due:
                    for told in joiner.advance(at):
                        counts.events += 1
                        yield told
            for told in joiner.add(items, name):
                counts.events += 1
                yield told

    def _parsed(
        self,
        number: int,
        name: str,
        lines: Iterable[tuple[int, T]],
        read: Callable[[T, int], Record | None],
        newest: float,
    ) -> Generator[tuple[float, int, str, Items], None, float]:
        """The items of one source, each at the newest time that its source has shown, which is
        returned."""
        carrier = self._carrier(name)
        counts = self.counts
        for offset, line in lines:
            counts.lines += 1
            try:
                record = read(line, offset)
                items = self._parsers.parse(record) if record else ()
            except ValueError as error:
                self._bury(str(error), name, offset, line)
                continue
            if record is None:
                if carrier.rest:
                    counts.lines -= 1
                    rest, carrier.rest = carrier.rest, []
                    newest = yield from self._parsed(number, name, rest, carrier.letter, newest)
                continue
            if not items:
                if items is None and record.otherwise is not None:
                    counts.lines -= 1
                    other = [(offset, record.otherwise)]
                    newest = yield from self._parsed(number, name, other, _itself, newest)
                else:
                    counts.nobody += items is None
                continue
            if self._live and record.at > max(self._live, self.joiner.clock) + AHEAD:
                self._bury("the stamp is in the future", name, offset, line)
                continue
            newest = max(newest, record.at)
            if record.times != 1:
                items = _repeated(items, record.times)
            yield newest, number, name, items
        return newest

    def _carrier(self, name: str) -> Carrier:
        carrier = self._carriers.get(name)
        if carrier is None:
            stamps = Stamps(self._zone, self._year, self._now)
            carrier = self._carriers[name] = Carrier(self._host, stamps)
        return carrier

    def _bury(self, reason: str, name: str, offset: int, line: object) -> None:
        self.counts.dead += 1
        if self._dead is None:
            return
        if self.joiner.clock - self._dead_since > DEAD_PERIOD:
            self._dead_since, self._dead_left = self.joiner.clock, DEAD_LIMIT
        if self._dead_left > 0:
            self._dead_left -= 1
            self._dead(DeadLine(reason, name, offset, _shown(line)))


def _itself(record: Record, offset: int) -> Record:
    return record


def _shown(line: object) -> str:
    """A line in a dead letter: as bytes, as it lay in an envelope, or what was made of it."""
    if isinstance(line, bytes):
        return line[: LONGEST_DEAD * 4].decode("utf-8", "backslashreplace")[:LONGEST_DEAD]
    text = line.text if isinstance(line, Letter | Record) else ""
    return text[:LONGEST_DEAD]


def _place(item: tuple[float, int, str, Items]) -> tuple[float, int]:
    return item[0], item[1]


def _repeated(items: Items, times: int) -> Items:
    """What a line says that stands for `times` of its kind."""
    repeated: list[Item] = []
    for item in items:
        if isinstance(item, Attempt) and item.reporter in ("smtp", "summary"):
            event = item.event
            total = min(event.count * times, 1_000_000)
            repeated.append(_counted(item, total))
        elif isinstance(item, Part) and (item.ends or item.once):
            repeated.append(item)
        else:
            repeated.extend([item] * min(times, MOST_TIMES))
    return repeated


def _counted(item: Attempt, total: int) -> Attempt:
    return structs.replace(item, event=structs.replace(item.event, count=total))


__all__ = ["Counts", "DeadLine", "Fact", "ReadOptions", "Reader"]
