"""What each step from a line to an event costs: ``python -m load.bench_parsers [LOG]``.

Without LOG a generated day. Each step runs alone over the same lines, the best of several
rounds counts, so that what else the machine does matters little; the steps add up to `whole`.
"""

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from agents.demo.traffic import Plan, Traffic
from streams.dispatch import Parsers
from streams.join import Joiner
from streams.parsers.carrier import Carrier, Stamps
from streams.reader import Reader, ReadOptions
from streams.sources.archive import open_lines

ROUNDS = 7
NOW = 1.8e9


def best(step: Callable[[], object]) -> float:
    """Seconds of the fastest round."""
    found = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        step()
        found.append(time.perf_counter() - begun)
    return min(found)


@click.command()
@click.argument("log", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--lines", default=50_000, help="How many lines are read.")
def main(log: Path | None, lines: int) -> None:
    """Measure carrier, parser, joiner, and all of them together."""
    if log is None:
        log = Path(tempfile.mkdtemp()) / "day.log"
        log.write_bytes(b"".join(Traffic(Plan(past=1)).lines()))
    taken = [line for line, _ in zip(open_lines(log), range(lines), strict=False)]
    gc.disable()  # events are freed by their reference count; the lines held here are not theirs
    options = ReadOptions(zone="UTC", now=NOW)
    records = []
    carrier = Carrier("", Stamps(None, 0, NOW))
    for offset, line in taken:
        record = carrier.record(line, offset)
        if record is not None:
            records.append(record)
    parsers = Parsers()
    items = [parsers.parse(record) for record in records]

    def carry() -> None:
        carrier = Carrier("", Stamps(None, 0, NOW))
        for offset, line in taken:
            carrier.record(line, offset)

    def parse() -> None:
        for record in records:
            parsers.parse(record)

    def join() -> None:
        joiner = Joiner()
        for record, made in zip(records, items, strict=True):
            if record.at >= joiner.due:
                joiner.advance(record.at)
            if made:
                joiner.add(made)

    def whole() -> None:
        for _ in Reader(options).read([("log", taken)]):
            pass

    table = Table("step", "us a line", "lines/s", title=f"{len(taken):,} lines of {log.name}")
    for name, step in (("carrier", carry), ("parser", parse), ("joiner", join), ("whole", whole)):
        took = best(step) / len(taken)
        table.add_row(name, f"{took * 1e6:.2f}", f"{1 / took:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
