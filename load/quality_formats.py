"""What is found in each log format: ``python -m load.quality_formats``.

The same two organisations, with the same people and attackers, are written as each server of
load/scenarios/servers would log them, and as each carrier would carry Postfix's and Dovecot's
lines. What Postfix and Dovecot give is the measure. The table is kept in load/results/.
"""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from load import accusations
from load.judgement import Judgement, Row, judge
from load.quality import RESULTS, WIDTH
from load.quality_table import empty_table, share
from load.scenarios import mixes, truth
from load.scenarios.carriers import CARRIERS
from load.scenarios.catalogue import office, plant
from load.scenarios.mixes import Mix
from load.scenarios.organisation import Form
from load.scenarios.servers import SERVERS

SEED = 51  # for tuning
PLAIN = Form("postfix", "iso")
SHORT = ("journal", "rfc3164", "filebeat", "otlp", "docker")  # carriers in the table


def smaller(mix: Mix) -> Mix:
    """Three days of a part of the organisation."""
    people = mix.nature.people * 2 // 3
    return replace(mix, days=3, nature=replace(mix.nature, people=people))


MIXES = (smaller(office(SEED)), smaller(plant(SEED)))


class Result(Struct):
    form: Form
    judgements: list[Judgement]
    lost: int  # lines that nobody read

    @property
    def title(self) -> str:
        return f"{self.form.server}, {self.form.carrier}" if self.form.carrier else self.form.server

    @property
    def rows(self) -> list[Row]:
        return [row for one in self.judgements for row in one.attacks]


def measure(form: Form) -> Result:
    judgements, lost = [], 0
    for mix in MIXES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            mixes.write(replace(mix, form=form), folder)
            log = folder / "mail.log"
            said = accusations.of_log(log, folder / "mailwarden.toml")
            with log.open("rb") as file:
                lines = sum(1 for _ in file)
            told = truth.read(folder / "truth.jsonl")
            judgements.append(judge(mix.title, mix.nature.domain, lines, told, said, {}))
            lost += said.lost
    return Result(form, judgements, lost)


def _all(results: Sequence[Result]) -> Table:
    found = empty_table(
        "server, carrier", "lines", "not read", "sources", "accounts", "victims",
        "innocents by alerts", "by decisions",
    )  # fmt: skip
    for result in results:
        rows = result.rows
        found.add_row(
            result.title,
            f"{sum(one.lines for one in result.judgements):,}",
            str(result.lost),
            share(sum(row.found for row in rows), sum(row.clients for row in rows)),
            share(sum(row.accounts_found for row in rows), sum(row.accounts for row in rows)),
            share(sum(row.victims_found for row in rows), sum(row.victims for row in rows)),
            str(sum(sum(one.hits.values()) for one in result.judgements)),
            str(sum(sum(one.decided_hits.values()) for one in result.judgements)),
        )
    return found


def _classes(results: Sequence[Result]) -> Table:
    """Of the sources; of the victims where reports come from innocents."""
    groups = sorted({row.group for row in results[0].rows})
    found = empty_table("found, of 100", *groups)
    for result in results:
        right: Counter[str] = Counter()
        whole: Counter[str] = Counter()
        for row in result.rows:
            right[row.group] += row.found + row.accounts_found + row.victims_found
            whole[row.group] += row.clients + row.accounts + row.victims
        shares = (f"{100 * right[name] / whole[name]:.0f}" for name in groups)
        found.add_row(result.title, *shares)
    return found


def _less(results: Sequence[Result]) -> Table:
    """Each story of which another format gives less than the first one."""
    found = empty_table("found less", "format", "sources", "accounts", "victims", "for example")
    best = {row.story: row for row in results[0].rows}
    for result in results[1:]:
        for row in result.rows:
            had, has = _counts(best[row.story]), _counts(row)
            if any(now < before for now, before in zip(has, had, strict=True)):
                parts = (f"{b} to {n}" if b != n else "" for n, b in zip(has, had, strict=True))
                found.add_row(row.story, result.title, *parts, row.missed[0] if row.missed else "")
    return found


def _counts(row: Row) -> tuple[int, int, int]:
    return row.found, row.accounts_found, row.victims_found


def _hit(results: Sequence[Result]) -> Table:
    """Innocents by story, beside those of the first format."""
    found = empty_table("innocents hit", "format", "by alerts", "by decisions", "for example")
    for result in results:
        hits: Counter[str] = Counter()
        decided: Counter[str] = Counter()
        why: dict[str, str] = defaultdict(str)
        for one in result.judgements:
            hits.update(one.hits)
            decided.update(one.decided_hits)
            for line in one.hit:
                story, _, rest = line.removeprefix("decided: ").rpartition(": ")
                why[story.rpartition(": ")[0]] = rest
        for story in sorted(hits | decided):
            found.add_row(story, result.title, str(hits[story]), str(decided[story]), why[story])
    return found


@click.command()
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="At a time.")
@click.option("--only", type=click.Choice(sorted(SERVERS)), multiple=True, help="Keeps no table.")
def main(jobs: int, only: tuple[str, ...]) -> None:
    """Measure what is found in each format that the scenarios can be written in."""
    forms = [Form(name) for name in only or SERVERS if name != PLAIN.server]
    if not only:
        forms += [Form("postfix", name) for name in CARRIERS if name in SHORT]
    with ProcessPoolExecutor(jobs) as pool:
        results = list(pool.map(measure, [PLAIN, *forms]))
    tables = [one for each in (_all, _classes, _less, _hit) for one in (each(results), "")]
    Console(width=WIDTH).print(*tables, sep="\n")
    if only:
        return
    with (RESULTS / "quality_formats.md").open("w") as file:
        console = Console(file=file, width=WIDTH)
        when = f"{datetime.now(UTC):%Y-%m-%d}"
        head = f"# Quality by format\n\n`python -m load.quality_formats`, {when}; seed {SEED}\n"
        console.print(head, markup=False, highlight=False)
        console.print(*tables, markup=False, highlight=False, sep="\n")


if __name__ == "__main__":
    main()
