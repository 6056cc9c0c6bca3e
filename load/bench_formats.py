"""How fast each log format is read, on one core: ``python -m load.bench_formats [FORMAT...]``.

The lines are those of the format's cases, over and over: hard ones are as common as easy ones
there, which in a real log they are not. `whole` is carrier, parser and joiner together, `parser`
the parser alone, both in time of the processor, the best of several rounds. The table is kept in
load/results/ where all formats were measured.
"""

import gc
import json
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain, cycle, islice
from pathlib import Path

import click
from msgspec import Struct, structs
from rich.console import Console
from rich.progress import track
from rich.table import Table

from streams.dispatch import Parsers
from streams.parsers import PARSERS
from streams.parsers.carrier import Carrier, Stamps
from streams.parsers.part import Record
from streams.reader import Reader, ReadOptions
from tests.parsers import cases

RESULTS = Path(__file__).parent / "results"
ROUNDS = 5
NOW = 1_767_225_600.0
GOAL = 100_000  # lines a second


class Speed(Struct):
    """Microseconds of the processor for each line."""

    format: str
    cases: int  # lines in its cases
    whole: float
    parser: float

    @property
    def a_second(self) -> int:
        return round(1e6 / self.whole)


def best(step: Callable[[], object], lines: int) -> float:
    """Microseconds a line of the fastest round."""
    found = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        step()
        found.append(time.process_time() - begun)
    return min(found) / lines * 1e6


def lines_of(name: str) -> list[bytes]:
    """The lines of a format's cases that are read without options of their own."""
    found = cases.of_file(cases.FOLDER / f"{name}.log")
    return list(chain.from_iterable(case.lines for case in found if not case.options))


def read_whole(lines: list[tuple[int, bytes]]) -> None:
    """Carrier, parser and joiner."""
    reader = Reader(ReadOptions(zone="UTC", year=2025, now=NOW, host="mx.example.org"))
    for _ in reader.read([("log", lines)]):
        pass


def numbered(known: list[bytes], count: int) -> list[tuple[int, bytes]]:
    """So many lines: the known ones, over and over."""
    return list(enumerate(islice(cycle(known), count)))


def measure(name: str, count: int) -> Speed:
    known = lines_of(name)
    lines = numbered(known, count)
    records = _records(lines)
    parsers = Parsers()

    def parse() -> None:
        for record in records:
            try:
                parsers.parse(record)
            except ValueError:
                continue  # a dead letter

    return Speed(
        name, len(known), best(lambda: read_whole(lines), len(lines)), best(parse, len(lines))
    )


def _records(lines: list[tuple[int, bytes]]) -> list[Record]:
    carrier = Carrier("mx.example.org", Stamps(None, 2025, NOW))
    records = []
    for offset, line in lines:
        try:
            record = carrier.record(line, offset)
        except ValueError:
            continue
        if record is not None:
            records.append(record)
    return records


def table(speeds: list[Speed], lines: int) -> str:
    """Markdown, the slowest first."""
    machine = f"one {platform.machine()} processor, Python {platform.python_version()}"
    slow = sum(speed.a_second < GOAL for speed in speeds)
    out = [
        "# Speed of each log format",
        "",
        f"`python -m load.bench_formats --lines {lines}`, {datetime.now(UTC):%Y-%m-%d}, {machine}.",
        "The lines are those of each format's cases, over and over: hard ones as often as easy.",
        f"Microseconds of the processor a line, the best of {ROUNDS} rounds.",
        "",
        f"{len(speeds) - slow} of {len(speeds)} read {GOAL:,} lines a second or more.",
        "",
        "| format | lines/s | whole | parser | carrier and joiner | case lines |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    out += [
        f"| {one.format} | {one.a_second:,} | {one.whole:.2f} | {one.parser:.2f} "
        f"| {one.whole - one.parser:.2f} | {one.cases} |"
        for one in speeds
    ]
    return "\n".join(out) + "\n"


@click.command()
@click.option("--lines", default=10_000, show_default=True, help="How many lines of each format.")
@click.argument("formats", nargs=-1, type=click.Choice(list(PARSERS)), metavar="[FORMAT...]")
def main(lines: int, formats: tuple[str, ...]) -> None:
    """Measure all formats, or those that are named."""
    gc.disable()  # events are freed by their reference count
    console = Console(stderr=True)
    names = list(formats or PARSERS)
    speeds = [measure(name, lines) for name in track(names, "formats", console=console)]
    speeds.sort(key=lambda speed: -speed.whole)
    shown = Table("format", "lines/s", "whole, us", "parser, us")
    for speed in speeds:
        row = (f"{speed.a_second:,}", f"{speed.whole:.2f}", f"{speed.parser:.2f}")
        shown.add_row(speed.format, *row)
    Console().print(shown)
    if formats:
        return
    (RESULTS / "formats.md").write_text(table(speeds, lines))
    kept = {
        "command": f"python -m load.bench_formats --lines {lines}",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "goal": GOAL,
        "formats": [{**structs.asdict(one), "lines_a_second": one.a_second} for one in speeds],
    }
    (RESULTS / "formats.json").write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
