"""The JSON that bouncers read, and which entries they ask for.

Fields, their order and ``null`` for an empty list are those of CrowdSec's local API; durations
are Go's (``3h59m59.0s``).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice

import msgspec
from msgspec import Struct

from streams.gateways.lapi.book import Changes
from streams.gateways.lapi.entries import IP, RANGE, USERNAME, Entry
from streams.prefixes import BITS, parse, write

ORIGIN = "mailwarden"
SOON = 1.0
"""Seconds that an entry must still hold to be told of. Bouncers cut the rest of a second off, and
ipset takes a timeout of 0 for no timeout at all."""

PART = 1000  # entries that are written in one go
NONE = b"null"

_encode = msgspec.json.Encoder().encode


class Row(Struct, frozen=True):
    duration: str
    id: int
    origin: str
    scenario: str
    scope: str
    type: str
    value: str


class Filters(Struct, frozen=True):
    """What a bouncer asks for; what it does not say it takes as it is."""

    scopes: tuple[str, ...] = (IP.lower(), RANGE.lower())
    containing: tuple[str, ...] = ()  # parts of a scenario's name
    without: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    type: str = ""
    value: str = ""
    within: str = ""  # a network
    around: str = ""

    def choose(self, entries: Iterable[Entry]) -> Iterable[Entry]:
        if self.origins and ORIGIN not in self.origins:
            return ()
        scopes = [scope for scope in (IP, RANGE, USERNAME) if scope.lower() in self.scopes]
        chosen: Iterable[Entry] = (entry for entry in entries if entry.scope in scopes)
        if self.type or self.value or self.containing or self.without:
            chosen = filter(self._asks_for, chosen)
        network = self.within or self.around
        return filter(_related(network, inside=bool(self.within)), chosen) if network else chosen

    def _asks_for(self, entry: Entry) -> bool:
        scenario = entry.scenario.lower()
        return (
            (not self.type or entry.type == self.type)
            and (not self.value or entry.value == self.value)
            and (not self.containing or any(part in scenario for part in self.containing))
            and not any(part in scenario for part in self.without)
        )


def filters(query: Mapping[str, str]) -> Filters:
    """The query of a request. Raises ValueError where it asks for no network."""
    asked = query.get("ip", query.get("range"))
    network = "" if asked is None else write(parse(asked))
    inside = query.get("contains", "true").lower() in ("false", "0", "f")
    return Filters(
        scopes=_words(query.get("scopes") or query.get("scope") or "ip,range"),
        containing=_words(query.get("scenarios_containing", "")),
        without=_words(query.get("scenarios_not_containing", "")),
        origins=_words(query.get("origins", "")),
        type=query.get("type", ""),
        value=query.get("value", ""),
        within=network if inside else "",
        around="" if inside else network,
    )


def decisions(entries: Iterable[Entry], now: float) -> Iterator[bytes]:
    """The answer to a question about decisions."""
    return _array(_row(entry, entry.until - now) for entry in entries if entry.until > now)


def stream(changes: Changes, chosen: Filters, now: float, *, again: bool) -> Iterator[bytes]:
    """The answer to a poll. With `again`, what is renewed is told as deleted as well: some
    bouncers pass over what they hold already, and keep its old end."""
    choose = chosen.choose
    gone = {one.entry.key: one.at for one in changes.gone}
    deleted = [
        *choose(one.entry for one in changes.gone),
        *choose(changes.renewed if again else ()),
    ]
    yield b'{"deleted":'
    yield from _array(_row(entry, min(gone.get(entry.key, now), now) - now) for entry in deleted)
    yield b',"new":'
    yield from _array(
        _row(entry, entry.until - now) for entry in choose(changes.new) if entry.until - now >= SOON
    )
    yield b"}"


@lru_cache(65536)
def duration(seconds: int) -> str:
    """Hours, minutes and seconds, as Go writes them. With a fraction: patterns of some bouncers ask
    for one."""
    minutes, rest = divmod(abs(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest}.0s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    if hours:
        text = f"{hours}h{text}"
    return f"-{text}" if seconds < 0 else text


def _row(entry: Entry, seconds: float) -> Row:
    left = duration(int(seconds))
    return Row(left, entry.id, ORIGIN, entry.scenario, entry.scope, entry.type, entry.value)


def _array(rows: Iterator[Row]) -> Iterator[bytes]:
    begun = False
    while part := list(islice(rows, PART)):
        yield b"," if begun else b"["
        yield _encode(part)[1:-1]
        begun = True
    yield b"]" if begun else NONE


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in text.split(",") if word.strip())


def _related(network: str, *, inside: bool) -> Callable[[Entry], bool]:
    """Whether an entry's network lies in `network`, or has it inside."""
    asked = parse(network)

    def related(entry: Entry) -> bool:
        if entry.scope not in (IP, RANGE):
            return False
        theirs = parse(entry.value)
        wide, narrow = (asked, theirs) if inside else (theirs, asked)
        shift = BITS[wide[0]] - wide[2]
        return (
            wide[0] == narrow[0] and wide[2] <= narrow[2] and wide[1] == narrow[1] >> shift << shift
        )

    return related
