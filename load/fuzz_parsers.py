"""Changed case lines through the whole reader: ``python -m load.fuzz_parsers``.

Each line of the parsers' cases is cut, doubled, mixed with others and filled with odd bytes. A
line is an event, nothing or a dead letter; anything else that is raised is a fault, and so is a
line that takes long. What was found is kept in load/results/fuzz.md.
"""

import gc
import platform
import sys
import time
import traceback
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import click
from msgspec import Struct, field
from rich.console import Console
from rich.progress import Progress

from streams.reader import Reader, ReadOptions
from tests.parsers import cases
from tests.parsers.mutations import mutated

RESULTS = Path(__file__).parent / "results"
NOW = 1_767_225_600.0  # that of the cases
BATCH = 1000  # lines that one reader reads
SLOW = 0.1  # seconds of the processor for one line


class Tally(Struct):
    lines: int = 0
    events: int = 0
    nobody: int = 0
    dead: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slow: list[bytes] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    examples: dict[str, bytes] = field(default_factory=dict)

    def read(self, lines: list[bytes]) -> None:
        """A reader for these lines; a new one after each fault."""
        begun = time.process_time()
        reader = Reader(ReadOptions(zone="UTC", year=2025, now=NOW))
        for number, line in enumerate(lines):
            before = time.process_time()
            try:
                for _ in reader.read([("fuzz", [(number, line)])]):
                    self.events += 1
            except Exception as error:
                self._fault(error, line)
            took = time.process_time() - before
            self.slowest = max(self.slowest, took)
            if took > SLOW:
                self.slow.append(line)
        self.events += len(reader.close())
        self.lines += len(lines)
        self.nobody += reader.counts.nobody
        self.dead += reader.counts.dead
        self.seconds += time.process_time() - begun

    def _fault(self, error: Exception, line: bytes) -> None:
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
        self.faults[what] += 1
        self.examples.setdefault(what, line)


def report(tally: Tally, seed: int) -> str:
    """What is kept."""
    command = f"python -m load.fuzz_parsers --lines {tally.lines} --seed {seed}"
    out = [
        "# Changed case lines through the reader",
        "",
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}",
        "",
        "| | |",
        "|---|---|",
        f"| lines | {tally.lines:,} |",
        f"| events | {tally.events:,} |",
        f"| nobody's | {tally.nobody:,} |",
        f"| dead letters | {tally.dead:,} |",
        f"| exceptions | {sum(tally.faults.values()):,} |",
        f"| longer than {SLOW:g} s | {len(tally.slow):,} |",
        f"| slowest line | {tally.slowest * 1e3:.1f} ms |",
        f"| processor | {tally.seconds:.0f} s |",
    ]
    if tally.faults:
        out += ["", "| exception | times | a line |", "|---|---|---|"]
        out += [
            f"| {what} | {times} | `{tally.examples[what]!r}` |"
            for what, times in tally.faults.most_common()
        ]
    return "\n".join(out) + "\n"


@click.command()
@click.option("--lines", default=1_000_000, show_default=True, help="How many lines are read.")
@click.option("--seed", default=1, show_default=True, help="Another seed makes other lines.")
def main(lines: int, seed: int) -> None:
    """Read changed case lines; exit status 1 where one raised or took long."""
    known = [line for case in cases.cases() for line in case.lines]
    random = Random(seed)
    tally = Tally()
    gc.freeze()
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("lines", total=lines)
        while tally.lines < lines:
            count = min(BATCH, lines - tally.lines)
            tally.read([mutated(random.choice(known), known, random) for _ in range(count)])
            progress.update(task, completed=tally.lines)
    text = report(tally, seed)
    (RESULTS / "fuzz.md").write_text(text)
    click.echo(text)
    for line in tally.slow[:10]:
        click.echo(f"slow: {line[:300]!r}", err=True)
    sys.exit(bool(tally.faults or tally.slow))


if __name__ == "__main__":
    main()
