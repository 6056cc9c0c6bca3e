"""How one line of a log is read, step by step: carrier, format, parser, items, events; and why
nothing comes of it where nothing does.

The steps are the reader's own. Which functions and patterns had a part in them is seen by a
profiler's hook, so that parsers need not tell it.
"""

import re
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, structs

import streams.parsers
from schemas.events import EVENTS
from streams.dispatch import Parsers, looks_like, may_stray, strays
from streams.join import Joiner
from streams.parsers import PARSERS
from streams.parsers.carrier import Carrier, Letter, Stamps
from streams.parsers.part import DOCUMENT, INDENTED, Format, Items, Record
from streams.reader import ReadOptions
from streams.secrets import mask

T = TypeVar("T")
HOME = f"{streams.parsers.__name__}."


class Explained(Struct, omit_defaults=True):
    """How a line, or one of those that lie in an envelope, is read. Times are Unix seconds, UTC."""

    at: float = 0.0
    host: str = ""
    program: str = ""
    pid: str = ""
    text: str = ""
    times: int = 1  # how many lines it stands for
    carrier: list[str] = []  # functions that took stamp, envelope and tag off, in order
    formats: list[str] = []  # that are asked: they have this tag, or the line looks like theirs
    format: str = ""  # whose line it is
    parser: list[str] = []  # functions that made something of it, the outermost first
    patterns: list[str] = []  # that are found in it
    items: list[dict[str, Any]] = []  # what the parser gives to the joiner
    events: list[dict[str, Any]] = []
    why: str = ""  # there is no event


def explain(line: bytes, options: ReadOptions) -> list[Explained]:
    """One for the line, or for each that its envelope holds.

    Raises ZoneInfoNotFoundError for an unknown zone.
    """
    zone = ZoneInfo(options.zone) if options.zone else None
    carrier = Carrier(options.host, Stamps(zone, options.year, options.now))
    return list(_carried(carrier, options, carrier.record, line))


def _carried(
    carrier: Carrier, options: ReadOptions, read: Callable[[T, int], Record | None], line: T
) -> Iterator[Explained]:
    try:
        record, trace = _traced(lambda: read(line, 0))
    except ValueError as error:
        yield Explained(text=_text(line), why=f"its carrier cannot be read: {error}")
        return
    if record is not None:
        yield _parsed(record, trace.carrier(), options)
        return
    rest, carrier.rest = carrier.rest, []
    for _, letter in rest:
        for explained in _carried(carrier, options, carrier.letter, letter):
            explained.carrier = [*trace.carrier(), *explained.carrier]
            yield explained
    if not rest:
        why = "it is empty, a header, or goes on in the next line"
        yield Explained(text=_text(line), carrier=trace.carrier(), why=why)


def _text(line: object) -> str:
    if isinstance(line, Letter):
        return line.text
    return line.decode("utf-8", "backslashreplace") if isinstance(line, bytes) else ""


def _parsed(record: Record, carrier: list[str], options: ReadOptions) -> Explained:
    formats = {one.name: one for one in (*options.custom, *PARSERS.values())}
    wanted = [options.format] if options.format != "auto" else list(formats)
    masking = mask(options.fingerprint_key)
    explained = Explained(
        at=record.at,
        host=record.host,
        program=record.program,
        pid=record.pid,
        text=record.text or msgspec.json.encode(record.data).decode(),
        times=record.times,
        carrier=carrier,
        formats=[
            name
            for name in wanted
            if formats[name].parser(masking, record.program) and looks_like(formats[name], record)
        ],
    )
    if may_stray(record.program) and not any(
        formats[name].parser(masking, record.program) for name in wanted
    ):
        explained.formats = [name for name in wanted if strays(formats[name], record.program)]
    for name in explained.formats:
        parsers = Parsers(name, [formats[name]], masking)
        parsers.learn(record.program)
        try:
            items, trace = _traced(lambda parsers=parsers: parsers.parse(record))  # type: ignore[misc]
        except ValueError as error:
            explained.format, explained.why = name, f"it is broken, a dead letter: {error}"
            return explained
        if items is not None:
            return _told(explained, formats[name], items, trace, record)
    if record.otherwise is not None:
        return _parsed(record.otherwise, carrier, options)
    explained.why = _nobodys(record, explained.formats)
    return explained


def _told(
    explained: Explained, one: Format, items: Items, trace: "_Trace", record: Record
) -> Explained:
    explained.format = one.name
    explained.parser = trace.parser()
    explained.patterns = trace.matching(record.text)
    explained.items = [_fields(item) for item in items]
    joiner = Joiner()
    now = [event for _, event in joiner.add(items)]
    waiting = [event for _, event in joiner.close()]
    explained.events = [_fields(event) for event in (*now, *waiting)]
    if not items:
        explained.why = f"it is a line of {one.name} that tells nothing of interest"
    elif not explained.events:
        explained.why = "it is a part of a story: other lines, before or after it, make the event"
    return explained


def _nobodys(record: Record, formats: list[str]) -> str:
    if record.program == DOCUMENT:
        return "no format knows a JSON object with these keys"
    if not record.program:
        return "it has no tag, and no format knows its words"
    if record.program in INDENTED:
        return "it goes on from a line before it, and no format reads that"
    if record.program.startswith("#"):
        return "no format has a table with these columns"
    if formats:
        return f"its tag {record.program!r} is known, but none of those formats knows its words"
    return f"no format has the tag {record.program!r}"


def _fields(item: Any) -> dict[str, Any]:
    """An event without its empty fields; another item without those that are as usual."""
    event = isinstance(item, EVENTS)
    told: dict[str, Any] = {"type": item.type} if event else {"item": type(item).__name__.lower()}
    for field in structs.fields(item):
        value = getattr(item, field.name)
        if field.name == "offset" or (not value if event else value == field.default):
            continue
        if isinstance(value, type):
            told[field.name] = value.__name__.lower()
        else:
            told[field.name] = _fields(value) if isinstance(value, Struct) else value
    return told


class _Trace:
    """The functions of the parsers that returned something, and the patterns that were tried."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.patterns: dict[str, re.Pattern[str]] = {}

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(HOME):
            return
        if event == "return" and argument:
            name = frame.f_code.co_qualname.removeprefix("Carrier.").removeprefix("Stamps.")
            place = f"{module.removeprefix(HOME)}.{name}"
            if "<" not in name and place not in self.functions:
                self.functions.append(place)
        elif event == "c_call" and isinstance(
            owner := getattr(argument, "__self__", None), re.Pattern
        ):
            name = _name(module, owner)
            if name:
                self.patterns[f"{module.removeprefix(HOME)}.{name}"] = owner

    def carrier(self) -> list[str]:
        """What read stamp and envelope."""
        steps = [name.split(".") for name in self.functions if name.startswith("carrier.")]
        return [".".join(step[1:]) for step in steps if step[1] != "carrier" and step[-1][0] != "_"]

    def parser(self) -> list[str]:
        """Who read the rest, the outermost first."""
        return self.functions[::-1]

    def matching(self, text: str) -> list[str]:
        """Patterns that are found in a text, with the part that they match."""
        return [name for name, pattern in self.patterns.items() if pattern.search(text)]


def _name(module: str, pattern: re.Pattern[str]) -> str:
    """What a module calls a pattern; "" where it has none of its own."""
    found = vars(sys.modules[module]).items()
    return next((name for name, value in found if value is pattern), "")


def _traced(step: Callable[[], T]) -> tuple[T, _Trace]:
    trace = _Trace()
    before = sys.getprofile()
    sys.setprofile(trace)
    try:
        return step(), trace
    finally:
        sys.setprofile(before)
