"""docs/formats.md, made from the parsers and their cases: what each log format can tell, and not.

`python -m tools.formats > docs/formats.md`; a test tells when it is stale.
"""

import inspect
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from types import ModuleType

from msgspec import Struct, field, structs

from schemas.events import EVENTS, Fact, Signal
from streams.dispatch import looks_like
from streams.parsers import PARSERS
from streams.parsers.part import DOCUMENT, INDENTED, Format
from streams.secrets import mask
from tests.parsers import cases, records

TOP = """\
# Log formats

Made from the parsers and their cases by `python -m tools.formats > docs/formats.md`.

`auto`, which is what is read without `--format`, finds the format of each line by its tag, else by
its words; a JSON object by its keys, a row by the names of its columns. `mailwarden parse --explain
LINE` says how one line is read. "Tells" lists the events that the cases of a format make, and those
of their fields that are filled in; time, gateway and source always are.
"""
ALWAYS = frozenset({"at", "gateway", "source", "offset"})
MOST_TAGS = 24
LIMIT = re.compile(
    r"\b(?:cannot|can't|nothing|neither|nobody|never|unknown|(?:does|do|is|are|tells?) not|"
    r"not (?:be )?(?:told|tell|known|know|documented))\b"
)
SENTENCE = re.compile(r"(?<=[.;])\s+(?=[A-Z`a-z(])")


class Seen(Struct):
    """What the cases of a format show."""

    tags: set[str] = field(default_factory=set)
    tells: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def seen(name: str) -> Seen:
    found, one, masking = Seen(), PARSERS[name], mask()
    for case in cases.of_file(cases.FOLDER / f"{name}.log"):
        for record in records.of_case(case):
            if looks_like(one, record) and records.claims(one, record, masking):
                found.tags.add(_tag(record.program))
        for event in cases.read(case.lines, **case.options).events:
            found.tells[event.type] |= _filled(event)
    return found


def _tag(program: str) -> str:
    if program == DOCUMENT:
        return "JSON objects"
    if program.startswith("#"):
        return "tables with a header"
    if program in INDENTED:
        return "lines without a tag"
    return f"`{program}`"


def _filled(event: Fact) -> set[str]:
    return {name for name, value in structs.asdict(event).items() if value and name not in ALWAYS}


def _modules(one: Format) -> Iterator[ModuleType]:
    """The module of a format, and those of its folder."""
    home = sys.modules[one.parser.__module__]
    yield home
    if hasattr(home, "__path__"):
        for name in sorted(sys.modules):
            if name.startswith(f"{home.__name__}."):
                yield sys.modules[name]


def _doc(module: ModuleType) -> str:
    return inspect.cleandoc(module.__doc__ or "").replace("``", "`")


def _limits(one: Format) -> list[str]:
    """The sentences that say what cannot be known."""
    found = []
    for module in _modules(one):
        for paragraph in _doc(module).split("\n\n"):
            if not paragraph.startswith("    "):
                sentences = SENTENCE.split(" ".join(paragraph.split()))
                found += [said for said in sentences if LIMIT.search(said)]
    return [f"{said[0].upper()}{said[1:]}" for said in dict.fromkeys(found)]


def _section(name: str) -> Iterator[str]:
    one, found = PARSERS[name], seen(name)
    yield f"## {name}\n\n{_doc(next(_modules(one)))}\n"
    tags = sorted(found.tags, key=lambda tag: (tag[0] != "`", tag))
    more = f" and {len(tags) - MOST_TAGS} more" if len(tags) > MOST_TAGS else ""
    yield f"Read by: {', '.join(tags[:MOST_TAGS])}{more}.\n"
    yield "| tells | with |\n|---|---|"
    for kind in EVENTS:
        if kind is not Signal and kind.type in found.tells:
            order = [each.name for each in structs.fields(kind)]
            filled = sorted(found.tells[kind.type], key=order.index)
            yield f"| {kind.type} | {', '.join(filled)} |"
    limits = _limits(one)
    if limits:
        yield "\nWhat it cannot tell, and what limits it:\n"
        yield from (f"- {said}" for said in limits)
    yield ""


def text() -> str:
    """The page."""
    kinds = [kind.type for kind in EVENTS if kind is not Signal]
    out = [TOP, f"| format | {' | '.join(kinds)} |", f"|---|{':-:|' * len(kinds)}"]
    for name in PARSERS:
        told = seen(name).tells
        marks = " | ".join("x" if kind in told else "" for kind in kinds)
        out.append(f"| [{name}](#{name}) | {marks} |")
    out.append("")
    for name in PARSERS:
        out += _section(name)
    return "\n".join(out)


if __name__ == "__main__":
    sys.stdout.write(text())
