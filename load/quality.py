"""How much is found, how early, and who is wronged: ``python -m load.quality``.

Each mix of load/scenarios is written, replayed, and held against its truth, with fail2ban beside
it on the same file. The table is kept in load/results/.
"""

import json
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from load import accusations, reference
from load.judgement import Judgement, judge
from load.quality_table import tables
from load.regression import worse
from load.scenarios import mixes, truth
from load.scenarios.catalogue import MIXES
from load.scenarios.mixes import Mix

RESULTS = Path(__file__).parent / "results"
WIDTH = 170  # of the tables, in characters


def measure(mix: Mix) -> Judgement:
    """Write, replay and judge one mix, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mixes.write(mix, folder)
        log = folder / "mail.log"
        said = accusations.of_log(log, folder / "mailwarden.toml")
        banned = reference.banned(log, folder)
        with log.open("rb") as file:
            lines = sum(1 for _ in file)
        told = truth.read(folder / "truth.jsonl")
        return judge(mix.title, mix.nature.domain, lines, told, said, banned)


def measure_all(chosen: list[Mix], jobs: int) -> list[Judgement]:
    """All of them, so many at a time, in the order given."""
    with Progress(transient=True) as progress, ProcessPoolExecutor(jobs) as pool:
        task = progress.add_task("measuring", total=len(chosen))
        running = {pool.submit(measure, mix): mix for mix in chosen}
        found = {}
        for done in as_completed(running):
            found[running[done].title] = done.result()
            progress.update(task, advance=1, description=f"measured {running[done].title}")
    return [found[mix.title] for mix in chosen]


@click.command()
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="At a time.")
@click.option("--only", metavar="NAME-SEED", multiple=True, help="These mixes; keeps no table.")
@click.option("--accept", is_flag=True, help="Keep the table although something is worse.")
def main(jobs: int, only: tuple[str, ...], *, accept: bool) -> None:
    """Measure what is found in the fixed mixes, and who is wronged, beside fail2ban.

    Fails, and keeps the table of before, where less is found or more innocents are hit.
    """
    chosen = [mix for mix in MIXES if not only or mix.title in only]
    if not chosen:
        raise click.UsageError(f"The mixes are {', '.join(mix.title for mix in MIXES)}.")
    results = measure_all(chosen, jobs)
    parts = []
    for name, tuning in (("for reports", False), ("for tuning", True)):
        titles = {mix.title for mix in chosen if mix.tuning == tuning}
        mine = [result for result in results if result.mix in titles]
        if mine:
            parts.append((f"Seeds {name}: {', '.join(result.mix for result in mine)}", mine))
    shown = [part for head, mine in parts for part in tables(head, mine)]
    Console(width=WIDTH).print(*shown, sep="\n")
    table = RESULTS / "quality.json"
    lost = worse(json.loads(table.read_bytes()), results) if table.exists() else []
    for line in lost:
        click.echo(f"worse: {line}", err=True)
    if lost and not accept:
        raise click.exceptions.Exit(1)
    if not only:
        keep(parts, results)


def keep(parts: list[tuple[str, list[Judgement]]], results: list[Judgement]) -> None:
    """Write the tables to load/results/quality.md, and all that was measured to quality.json."""
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "quality.md").open("w") as file:
        console = Console(file=file, width=WIDTH)
        console.print(f"# Quality\n\n`make quality`, {when}", markup=False, highlight=False)
        for head, mine in parts:
            console.print(*tables(head, mine), markup=False, highlight=False, sep="\n")
    kept = {"date": when, "mixes": [_brief(result) for result in results]}
    (RESULTS / "quality.json").write_text(json.dumps(kept, indent=1) + "\n")


def _brief(result: Judgement) -> dict[str, Any]:
    """All but the times to each single detection, whose median is enough."""
    brief: dict[str, Any] = msgspec.to_builtins(result)
    for row in brief["attacks"]:
        waits = row.pop("waits")
        row["median_seconds"] = round(statistics.median(waits), 1) if waits else None
    return brief


if __name__ == "__main__":
    main()
