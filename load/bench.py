"""Speed beside the references, measured in one run: ``python -m load.bench``.

Each program reads the same generated log, several times in turns, so that what else the machine
does hits all alike. The time is that of the whole process, its start included, as a user waits
for it; `processor` is what it cost. The table is kept in load/results/.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import Struct, field
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from agents.demo.traffic import SETTINGS, Plan, Traffic

RESULTS = Path(__file__).parent / "results"
FILTERS = Path("/etc/fail2ban/filter.d")
REFERENCE = "fail2ban"
GOALS = {"events": 3.0, "replay": 2.0}  # times the reference


class Contender(Struct):
    """A program that reads a log, and how long each run took."""

    name: str
    does: str
    command: list[str]
    seconds: list[float] = field(default_factory=list)  # by the clock
    processor: list[float] = field(default_factory=list)  # user and system

    def run(self) -> None:
        before = os.times()
        begun = time.perf_counter()
        subprocess.run(self.command, check=True, stdout=subprocess.DEVNULL)
        self.seconds.append(time.perf_counter() - begun)
        after = os.times()
        spent = after.children_user + after.children_system
        self.processor.append(spent - before.children_user - before.children_system)


def contenders(log: Path, settings: Path) -> list[Contender]:
    """The references that are installed, and ours."""
    python = sys.executable
    mailwarden = [python, "-m", "mailwarden"]
    config = ["-c", str(settings)]
    everyone = [
        _fail2ban(REFERENCE, "its Postfix patterns", log, "postfix"),
        _fail2ban(
            f"{REFERENCE} too", "its Dovecot patterns, in a run of their own", log, "dovecot"
        ),
        Contender("pflogsumm", "counts of Postfix", ["pflogsumm", str(log)]),
        Contender("events", "lines to typed events", [python, "-m", "load.read", str(log)]),
        Contender("parse", "events as JSON", [*mailwarden, "parse", str(log)]),
        Contender(
            "replay",
            "events, joined, all detectors, decisions",
            [*mailwarden, "replay", *config, "--json", str(log)],
        ),
    ]
    return [one for one in everyone if shutil.which(one.command[0])]


def _fail2ban(name: str, does: str, log: Path, patterns: str) -> Contender:
    return Contender(name, does, ["fail2ban-regex", str(log), str(FILTERS / f"{patterns}.conf")])


def rows(everyone: list[Contender], lines: int) -> list[dict[str, object]]:
    """What is kept of a run: medians, rates, and the ratio to the reference."""
    reference = next((c for c in everyone if c.name == REFERENCE), None)
    found = []
    for contender in everyone:
        seconds = statistics.median(contender.seconds)
        processor = statistics.median(contender.processor)
        ratio = statistics.median(reference.processor) / processor if reference else None
        found.append(
            {
                "name": contender.name,
                "does": contender.does,
                "command": " ".join(Path(part).name for part in contender.command),
                "runs": len(contender.seconds),
                "seconds": round(seconds, 3),
                "processor": round(processor, 3),
                "lines_per_second": round(lines / seconds),
                "ratio": round(ratio, 2) if ratio else None,
                "goal": GOALS.get(contender.name),
            }
        )
    return found


def table(found: list[dict[str, object]], title: str) -> Table:
    shown = Table(box=box.MARKDOWN, title=title, title_justify="left")
    for head, justify in (
        ("program", "left"),
        ("what it does", "left"),
        ("seconds", "right"),
        ("processor", "right"),
        ("lines/s", "right"),
        (f"x {REFERENCE}", "right"),
        ("goal", "right"),
    ):
        shown.add_column(head, justify="right" if justify == "right" else "left")
    for row in found:
        shown.add_row(
            str(row["name"]),
            str(row["does"]),
            f"{row['seconds']:.2f}",
            f"{row['processor']:.2f}",
            f"{row['lines_per_second']:,}",
            f"{row['ratio']:.1f}" if row["ratio"] else "",
            f"{row['goal']:.0f}" if row["goal"] else "",
        )
    return shown


@click.command()
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True)
@click.option("--days", type=click.IntRange(1), default=3, show_default=True, help="Of traffic.")
def main(runs: int, days: int) -> None:
    """Measure how fast a mail log is read, beside fail2ban-regex and pflogsumm."""
    with tempfile.TemporaryDirectory() as directory:
        log, settings = Path(directory, "mail.log"), Path(directory, "mailwarden.toml")
        settings.write_text(SETTINGS)
        with log.open("wb") as file:
            file.writelines(Traffic(Plan(days=days, stamp="rfc3164")).lines())
        with log.open("rb") as file:
            lines = sum(1 for _ in file)
        everyone = contenders(log, settings)
        for _ in track(range(runs), "measuring", transient=True):
            for contender in everyone:
                contender.run()
        size = log.stat().st_size
    found = rows(everyone, lines)
    what = f"{lines:,} lines, {size / 1e6:.0f} MB, median of {runs} runs in turns"
    where = f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    keep(found, what, where)


def keep(found: list[dict[str, object]], what: str, where: str) -> None:
    """Show the table, and write it to load/results/speed.{md,json}."""
    Console().print(table(found, what))
    RESULTS.mkdir(exist_ok=True)
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    with (RESULTS / "speed.md").open("w") as file:
        Console(file=file, width=140).print(
            f"# Speed\n\n`make bench`, {when}, {where}\n\n{what}\n",
            table(found, ""),
            "\nThe ratio is that of processor time. Commands:\n",
            *(f"- {row['name']}: `{row['command']}`" for row in found),
            sep="\n",
            markup=False,
            highlight=False,
        )
    (RESULTS / "speed.json").write_text(
        json.dumps({"date": when, "where": where, "what": what, "rows": found}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
