"""How `mailwarden parse --explain` shows what `agents/line_explained.py` found."""

import time
from collections.abc import Iterable
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.line_explained import Explained


def show(found: Iterable[Explained], *, eyes: bool) -> None:
    """A table for eyes, else one JSON object for each line."""
    for explained in found:
        if eyes:
            Console().print(_table(explained))
        else:
            click.echo(msgspec.json.encode(explained))


def _table(explained: Explained) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 1))
    for name, value in _rows(explained):
        table.add_row(Text(name, style="bold"), Text(_plain(value)))
    return table


def _rows(explained: Explained) -> Iterable[tuple[str, str]]:
    if explained.at:
        at = time.gmtime(explained.at)
        yield "time (UTC)", time.strftime("%Y-%m-%d %H:%M:%S", at)
    yield "host", explained.host or "(none: the configured one)"
    yield "program", f"{explained.program or '(no tag)'} {explained.pid}".strip()
    yield "text", explained.text
    if explained.times != 1:
        yield "stands for", f"{explained.times} lines"
    yield "carrier", ", ".join(explained.carrier)
    yield "formats asked", ", ".join(explained.formats) or "(none)"
    yield "format", explained.format or "(nobody's)"
    for title, names in (("parser", explained.parser), ("patterns", explained.patterns)):
        if names:
            yield title, ", ".join(names)
    for title, things in (("item", explained.items), ("event", explained.events)):
        for thing in things:
            yield title, _words(thing)
    if explained.why:
        yield "why nothing", explained.why


def _words(thing: dict[str, Any]) -> str:
    words = []
    for name, value in thing.items():
        shown = f"({_words(value)})" if isinstance(value, dict) else value
        words.append(str(shown) if name in ("item", "type") else f"{name}={shown}")
    return "  ".join(words)


def _plain(text: str) -> str:
    """Text of strangers for a terminal: no control characters."""
    return "".join(c if c.isprintable() else "?" for c in text)
