"""mail.lines, a partition: lines in order -> events, each with the position that it always has.

What comes of the lines follows from the messages alone, with the time that they tell, and never
from when they are read. So a partition's state need not be safe at each step: whoever gets it
takes an older snapshot, reads again from there on and tells nothing before the message up to
which everything was told. A position is the message's offset and a count: an event that is told
again all the same has the one it had, and is absorbed once.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

import msgspec
from msgspec import Struct

from agents.intake import lines
from agents.intake.lines import Line
from schemas.events import Fact
from streams.parsers.carrier import Letter
from streams.parsers.part import Format
from streams.reader import DeadLine, Reader, ReadOptions

BITS = 20  # of a position, for the events of one message


class _Packed(Struct, array_like=True):
    format: str
    zone: str
    reader: bytes


_packed = msgspec.msgpack.Decoder(list[_Packed])
_source = attrgetter("source")

Told = tuple[int, Fact]
"""Position, event."""


class Joining:
    """The readers of a partition, one for each way in which its lines are to be read."""

    def __init__(self, custom: tuple[Format, ...] = ()) -> None:
        """`custom`: the site's own formats."""
        self._custom = custom
        self.dead: list[DeadLine] = []  # since whoever empties it
        self.gateways: set[str] = set()  # the same, of those that spoke
        self.nobody = 0
        self.lines = 0
        self.settled = False  # the last message had lines, so that a snapshot says it all
        self._readers: dict[tuple[str, str], Reader] = {}

    def read(self, offset: int, value: bytes) -> Iterator[Told]:
        """What a message comes to."""
        try:
            message = lines.decode(value)
        except ValueError as error:
            text = value[:2000].decode("utf-8", "backslashreplace")
            self.dead.append(DeadLine(str(error), "mail.lines", offset, text))
            return
        self.settled = bool(message.lines)
        if message.lines:
            reader = self._reader(message.format, message.zone)
            reader.tell(message.now)
            self.lines += len(message.lines)
            told = self._joined(reader, message.lines)
        else:
            told = (fact for one in self._readers.values() for _, fact in one.advance(message.now))
        yield from enumerate(told, offset << BITS)

    @property
    def waits(self) -> bool:
        """Whether time alone can bring out more."""
        return bool(self._readers)

    def pack(self) -> bytes:
        return msgspec.msgpack.encode(
            [_Packed(*name, reader.pack()) for name, reader in self._readers.items()]
        )

    def restore(self, packed: bytes) -> None:
        """Raises ValueError where it is none of `pack`."""
        for one in _packed.decode(packed):
            self._reader(one.format, one.zone).restore(one.reader)

    def _joined(self, reader: Reader, many: list[Line]) -> Iterator[Fact]:
        nobody = reader.counts.nobody
        for source, some in groupby(many, _source):
            for _, fact in reader.letters(source, _offsets(some)):
                self.gateways.add(fact.gateway)
                yield fact
        self.nobody += reader.counts.nobody - nobody

    def _reader(self, format: str, zone: str) -> Reader:  # noqa: A002 - as the settings call it
        reader = self._readers.get((format, zone))
        if reader is None:
            options = ReadOptions(format=format, zone=zone, custom=self._custom)
            reader = self._readers[format, zone] = Reader(options, self.dead.append)
        return reader


def _offsets(some: Iterable[Line]) -> Iterator[tuple[int, Letter]]:
    return ((line.offset, line.letter) for line in some)
