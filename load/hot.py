"""Where the time of a replay goes: the functions that take most of it, reading and folding apart.

    python -m load.hot day/mail.log --config day/mailwarden.toml

`mailwarden demo --keep day` writes such a log. The profiler itself makes every call dearer, so
only the order and the numbers of calls mean something; times are for `load.bench`.
"""

import argparse
import cProfile
import gc
import pstats
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from agents import configuration
from schemas.events import Fact
from streams.reader import Reader, ReadOptions
from streams.sources.archive import open_lines

SHOWN = 20
ROOT = Path(__file__).resolve().parent.parent
RESULT = Path(__file__).parent / "results" / "profile.md"


def read(path: Path) -> list[tuple[str, Fact]]:
    reader = Reader(ReadOptions())
    return [*reader.read([(str(path), open_lines(path))]), *reader.close()]


def fold(events: list[tuple[str, Fact]], config: Path | None) -> None:
    shard = configuration.build_shard(configuration.load(config))
    for place, event in events:
        shard.fold(event, place=place)


class Row(NamedTuple):
    """A function, with the time of its own as a share of the whole."""

    share: float
    calls: int
    function: str
    place: str  # file and line; "" of one that is not Python


def rows(work: Callable[[], object]) -> list[Row]:
    """All functions that were called, those with the most time of their own first."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return rows_of(pstats.Stats(profile))


def rows_of(stats: pstats.Stats) -> list[Row]:
    """The same of a profile that was taken before."""
    found = stats.stats  # type: ignore[attr-defined]
    total = sum(own for _, _, own, _, _ in found.values())
    order = sorted(found.items(), key=lambda item: -item[1][2])
    return [
        Row(own / total, calls, name, _place(Path(file), line))
        for (file, line, name), (_, calls, own, _, _) in order
    ]


def _place(path: Path, line: int) -> str:
    if path.is_relative_to(ROOT):
        path = path.relative_to(ROOT)
    return f"{path}:{line}" if line else ""


def table(title: str, work: Callable[[], object]) -> list[str]:
    """The functions with the most time of their own, as lines of Markdown."""
    return table_of(title, rows(work))


def table_of(title: str, found: list[Row]) -> list[str]:
    """The same of what was found before."""
    calls = sum(row.calls for row in found)
    lines = [f"## {title}", "", f"{calls:,} calls", "", "| own | calls | function |", "|--|--|--|"]
    lines += [
        f"| {100 * row.share:.1f} % | {row.calls:,} | `{row.function}` {row.place} |"
        for row in found[:SHOWN]
    ]
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--config", type=Path)
    given = parser.parse_args()
    gc.disable()
    events: list[tuple[str, Fact]] = read(given.log)
    text = ["# Where the time goes", ""]
    text += [f"`python -m load.hot`: {given.log.name}, {len(events):,} events", ""]
    text += table("Lines to events", lambda: read(given.log))
    text += table("Events to findings", lambda: fold(events, given.config))
    RESULT.write_text("\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    main()
