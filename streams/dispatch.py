"""Which parser has a line: by its tag, else by its text, a JSON object by its keys.

What a program without a tag writes could be of any format. So that a line that is nobody's does
not cost as much as all parsers together, an index of how the lines of each format begin and of
what stands in them (`Format`) names the few that are asked.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from streams.parsers import PARSERS
from streams.parsers.part import DOCUMENT, INDENTED, Format, Items, Mask, Parse, Record
from streams.secrets import mask as masking

MOST_TAGS = 4096  # tags whose parsers are remembered

Asked = tuple[Format, Parse]


class Parsers:
    """The parsers of one format, or of all. Raises KeyError for an unknown format."""

    def __init__(
        self, name: str = "auto", custom: Iterable[Format] = (), mask: Mask | None = None
    ) -> None:
        self._mask = mask or masking()
        formats = {each.name: each for each in (*custom, *PARSERS.values())}
        self._formats = list(formats.values()) if name == "auto" else [formats[name]]
        self.known: dict[str, Parse] = {}  # by tag

    def _pick(self, program: str) -> list[Asked]:
        asked = ((one, one.parser(self._mask, program)) for one in self._formats)
        found = [(one, parse) for one, parse in asked if parse is not None]
        if not found and may_stray(program):
            found = [(one, parse) for one in self._formats if (parse := strays(one, program))]
        return found

    def parse(self, record: Record) -> Items | None:
        """What a line says; None where it is nobody's. Raises ValueError where it is broken."""
        return (self.known.get(record.program) or self.learn(record.program))(record)

    def learn(self, program: str) -> Parse:
        """The parser of a tag that was not seen before."""
        found = self._pick(program)
        parse: Parse
        if not program:
            parse = _Texts(found).parse
        elif program == DOCUMENT:
            parse = _Documents(found).parse
        elif len(found) == 1:
            parse = found[0][1]
        else:
            parse = _first([parse for _, parse in found])
        if len(self.known) >= MOST_TAGS:
            self.known.clear()
        self.known[program] = parse
        return parse


def may_stray(program: str) -> bool:
    """Whether it is a tag: not none, nor what stands in its place."""
    return bool(program) and program[0] != "#" and program not in (DOCUMENT, *INDENTED)


def strays(one: Format, program: str) -> Parse | None:
    return one.stray(program) if one.stray is not None else None


def looks_like(one: Format, record: Record) -> bool:
    """Whether a format is asked about a line, as the line stands, if it has such a tag at all."""
    if record.program == DOCUMENT:
        return not one.keys or not record.data.keys().isdisjoint(one.keys)
    if record.program or not (one.begins or one.holds):
        return True
    if one.begins and _matcher(one.begins)(record.text):
        return True
    return any(word in record.text for word in one.holds)


def _first(found: list[Parse]) -> Parse:
    """The parser of a tag that several formats have, or none: the first that knows the line.

    Whoever made something of a line is asked first next time: a program's lines come together.
    """

    def parse(record: Record) -> Items | None:
        for place, one in enumerate(found):
            items = one(record)
            if items is not None:
                if items and place:
                    found.insert(0, found.pop(place))
                return items
        return None

    return parse


class _Texts:
    """The parser of lines without a tag. Whoever made something of a line is asked first next
    time, without the index."""

    def __init__(self, found: Sequence[Asked]) -> None:
        self._parsers = [parse for _, parse in found]
        self._last = self._parsers[0] if found else _nobodys
        self._always = [
            place for place, (one, _) in enumerate(found) if not one.begins and not one.holds
        ]
        begins = [(place, one.begins) for place, (one, _) in enumerate(found) if one.begins]
        self._begins: list[tuple[int, Callable[[str], object]]] = [
            (place, _matcher(pattern)) for place, pattern in begins
        ]
        anyone = "|".join(f"(?:{pattern})" for _, pattern in begins) or r"(?!)"
        self._anyone = _matcher(anyone)
        self._holds = [(word, place) for place, (one, _) in enumerate(found) for word in one.holds]

    def parse(self, record: Record) -> Items | None:
        """A line as it stands, or after its first word, which may be the host."""
        items = self._last(record)
        if items is not None:
            return items
        text = record.text
        held = [place for word, place in self._holds if word in text]
        asked = self._asked(text, held)
        if asked:
            items = self._ask(record, asked)
            if items is not None:
                return items
        host, space, rest = text.partition(" ")
        if not space or not host:
            return None
        rest = rest.lstrip()
        asked = self._asked(rest, held)  # what the whole does not hold, its rest does not either
        if not asked:
            return None
        record = Record(record.at, host, "", "", rest, record.offset, record.times)
        return self._ask(record, asked) or None

    def _asked(self, text: str, held: list[int]) -> list[int]:
        """The places of those whose line it may be."""
        if self._anyone(text) is None:
            return sorted({*held, *self._always}) if held else self._always
        begun = [place for place, begins in self._begins if begins(text)]
        return sorted({*begun, *held, *self._always})

    def _ask(self, record: Record, places: list[int]) -> Items | None:
        for place in places:
            parse = self._parsers[place]
            items = parse(record)
            if items is not None:
                if items:
                    self._last = parse
                return items
        return None


class _Documents:
    """The parser of JSON objects."""

    def __init__(self, found: Sequence[Asked]) -> None:
        self._parsers = [parse for _, parse in found]
        self._always = {place for place, (one, _) in enumerate(found) if not one.keys}
        self._keys: dict[str, list[int]] = {}
        for place, (one, _) in enumerate(found):
            for key in one.keys:
                self._keys.setdefault(key, []).append(place)

    def parse(self, record: Record) -> Items | None:
        keys, asked = self._keys, self._always
        for key in record.data:
            if key in keys:
                asked = asked.union(keys[key])
        for place in sorted(asked):
            items = self._parsers[place](record)
            if items is not None:
                return items
        return None


@cache
def _matcher(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern).match


def _nobodys(record: Record) -> Items | None:
    return None
