"""Messages of foreign topics -> lines by gateway, in the order of their time.

A foreign topic has any key, any number of partitions, any number of lines in a message. Lines
are taken out of their envelopes, and those of several partitions are merged by the time that
they tell: a partition that lags behind holds the others up until it has come as far, or for
`PATIENCE` at most. Nothing is known of a line but its gateway and its time: the rest is read
where all lines of a gateway come together. No IO; driven by `now`.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from zoneinfo import ZoneInfo

from msgspec import Struct, field, structs

from schemas.settings import TopicSettings
from streams.bus import Message
from streams.parsers.carrier import LONGEST_JSON, Carrier, Letter, Stamps, opened
from streams.reader import AHEAD, LONGEST_DEAD, DeadLine

PATIENCE = 3.0  # seconds that lines wait for another partition's
HELD = 20_000  # lines of a partition that wait; beyond them no more of it is read

_HOST = re.compile(rb"[A-Za-z0-9](?:[A-Za-z0-9.:_-]{0,253}[A-Za-z0-9])?")

Place = tuple[str, int]
Dead = Callable[[DeadLine], None]


class Lane(Struct, frozen=True):
    """What a message of mail.lines has in common."""

    gateway: str
    format: str
    zone: str


_NOTHING = Letter("")


class Waiting(Struct, gc=False):
    """A line that waits for its turn. No lane: its message had none."""

    at: float
    lane: Lane | None
    letter: Letter
    offset: int
    done: int = -1  # its message ends here: the offset after it


class Source(Struct):
    """A partition of a foreign topic."""

    name: str
    settings: TopicSettings
    carrier: Carrier
    newest: float = float("-inf")
    waiting: deque[Waiting] = field(default_factory=deque)


class Rekey:
    """`host` is the gateway of lines for which nobody names one. `settings` knows those of each
    topic."""

    def __init__(
        self, host: str, settings: Callable[[str], TopicSettings], dead: Dead, now: float
    ) -> None:
        self._host = host
        self._settings = settings
        self._dead = dead
        self._now = now
        self._sources: dict[Place, Source] = {}
        self._lanes: dict[tuple[str, str, str], Lane] = {}
        self._stuck = 0.0  # since when lines wait that could go

    def assign(self, places: Iterable[Place]) -> None:
        """These partitions are ours, and no others. What waits of the others is forgotten: it
        was not committed."""
        self._sources = {place: self._sources.get(place) or self._begin(place) for place in places}

    def rewind(self, place: Place) -> None:
        """This partition is read again from what was committed."""
        self._sources[place] = self._begin(place)

    def full(self) -> list[Place]:
        """Partitions of which enough waits."""
        return [place for place, one in self._sources.items() if len(one.waiting) >= HELD]

    @property
    def waiting(self) -> bool:
        return any(source.waiting for source in self._sources.values())

    def add(self, message: Message) -> None:
        source = self._sources[message.topic, message.partition]
        waiting, before = source.waiting, len(source.waiting)
        offset = message.offset
        try:
            letters = split(message.value or b"")
        except ValueError as error:
            text = (message.value or b"")[:LONGEST_DEAD].decode("utf-8", "backslashreplace")
            self._dead(DeadLine(str(error), source.name, offset, text))
            letters = []
        published = message.published if message.published > 0 else self._now
        host = source.settings.host or _host(message.key) or self._host
        for letter in letters:
            self._place(source, letter, offset, host, published)
        if len(waiting) == before:
            waiting.append(Waiting(source.newest, None, _NOTHING, offset))
        waiting[-1].done = offset + 1

    def take(
        self, behind: set[Place], now: float
    ) -> tuple[list[tuple[Lane, str, Waiting]], dict[Place, int]]:
        """The lines whose turn it is, each with its lane and the name of its source; and how far
        each partition is done with. `behind` are the partitions of which more lies there."""
        self._now = now
        until = min(
            (self._sources[place].newest for place in behind if place in self._sources),
            default=float("inf"),
        )
        if not self.waiting:
            self._stuck = 0.0
        elif self._stuck and now - self._stuck > PATIENCE:
            until = float("inf")
        taken: list[tuple[Lane, str, Waiting]] = []
        done: dict[Place, int] = {}
        several = 0
        for place, source in self._sources.items():
            waiting, before = source.waiting, len(taken)
            while waiting and waiting[0].at <= until:
                one = waiting.popleft()
                if one.lane is not None:
                    taken.append((one.lane, source.name, one))
                if one.done >= 0:
                    done[place] = one.done
            several += len(taken) > before
        if several > 1:
            taken.sort(key=_time)
        if taken or done:
            self._stuck = 0.0
        elif self.waiting and not self._stuck:
            self._stuck = now
        return taken, done

    def _begin(self, place: Place) -> Source:
        topic, partition = place
        settings = self._settings(topic)
        zone = ZoneInfo(settings.zone) if settings.zone else None
        return Source(f"{topic}/{partition}", settings, Carrier("", Stamps(zone, 0, self._now)))

    def _place(
        self, source: Source, letter: Letter, offset: int, host: str, published: float
    ) -> None:
        """Find out whose a line is, and when."""
        if letter.at is None and not letter.stamp:
            letter = structs.replace(letter, at=published, read=True)
        carrier = source.carrier
        told = carrier.glance(letter)
        gateway = letter.host
        if told is None or not gateway:
            part = carrier.continues(letter)
            try:
                record = carrier.letter(letter, offset)
            except ValueError:
                record = None  # its reader will say so
            if carrier.rest:
                inside, carrier.rest = carrier.rest, []
                for _, each in inside:
                    self._place(source, each, offset, host, published)
                return
            if record is not None and record.otherwise is not None:
                record = record.otherwise  # a line within: it may name another host
            # The parts of a line go one way, though only the first of them may name its host.
            gateway = (record.host if record and not part else "") or letter.host or host
            told = record.at if record else None
        if told is not None:
            source.newest = max(source.newest, min(told, published + AHEAD))
        elif source.newest < 0:
            source.newest = published
        at = source.newest
        settings = source.settings
        name = (gateway, settings.format, settings.zone)
        lane = self._lanes.get(name)
        if lane is None:
            if len(self._lanes) > HELD:
                self._lanes.clear()
            lane = self._lanes[name] = Lane(*name)
        if not letter.host:
            letter = structs.replace(letter, host=gateway)
        source.waiting.append(Waiting(at, lane, letter, offset))


def split(value: bytes) -> list[Letter]:
    """The lines of a message, in their envelopes or as they are. Raises ValueError."""
    if len(value) > LONGEST_JSON:
        raise ValueError(f"a message of more than {LONGEST_JSON} bytes")
    head = value[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head[:1] == b"{" or (head[:1] == b"[" and head[1:].lstrip()[:1] in (b"{", b"[", b'"')):
        return opened(value.removeprefix(b"\xef\xbb\xbf"))
    if head[:1] == value.rstrip()[-1:] == b'"':
        with suppress(ValueError):
            return opened(value)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        if value[:1] == b"\n":
            raise ValueError("Protocol Buffers? OpenTelemetry must send otlp_json") from None
        text = value.decode("utf-8", "backslashreplace")
    return list(_lines(text))


def _lines(text: str) -> Iterator[Letter]:
    for line in text.split("\n"):
        if line[:1] == "{":
            yield from opened(line)
        elif line and not line.isspace():
            yield Letter(line)


def _host(key: bytes) -> str:
    """A key that can be a host: shippers are often told to use it so."""
    return key.decode() if _HOST.fullmatch(key) else ""


def _time(item: tuple[Lane, str, Waiting]) -> float:
    return item[2].at
