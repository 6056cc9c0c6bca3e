"""`mailwarden replay`: what would have been found and blocked in old logs."""

import sys
import time
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Group
from rich.text import Text

from agents.commands import options
from agents.commands.comparing import compared, write_difference
from agents.commands.progress import following, readable
from agents.commands.suggesting import innocent, suggested
from agents.comparison import difference, sides
from agents.configuration import Config
from agents.contrast import Contrast
from agents.operator import report
from agents.replay import Replay, Verdict
from agents.words import many, span
from schemas import wire
from streams.reader import DeadLine, ReadOptions

DEAD = 3  # unreadable lines that are shown


@click.command("replay")
@options.config
@options.reading
@click.option("--json", "as_json", is_flag=True, help="One object a line: alerts, decisions.")
@click.option(
    "--compare",
    type=click.Path(path_type=Path),
    metavar="OTHER.toml",
    help="Show only what these settings find and decide otherwise, and why.",
)
@click.option(
    "--suggest",
    is_flag=True,
    help="Suggest thresholds at which the known innocent stay silent.",
)
@click.option(
    "--innocent",
    "innocents",
    multiple=True,
    metavar="WHO|FILE",
    help="With --suggest: a client, network or account, or a file with one a line. Whom"
    " `decisions` pardoned is known.",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(
    config: Path | None,
    as_json: bool,
    compare: Path | None,
    suggest: bool,
    innocents: tuple[str, ...],
    files: tuple[Path, ...],
    **reading: Any,
) -> None:
    """Read old logs through the same code as `run`, in event time, and say what would have been
    found and blocked. Nothing is enforced. Several files are merged by time; .gz, .bz2, .xz and
    .zst are read as they are.

    \b
    mailwarden replay /var/log/mail.log
    mailwarden replay --json mail.log.2.gz mail.log.1 mail.log > found.jsonl
    mailwarden replay --compare stricter.toml mail.log
    mailwarden replay --suggest --innocent 192.0.2.7 --innocent known.txt mail.log
    """
    if suggest and compare is not None:
        raise click.UsageError("--suggest and --compare are two questions: ask one at a time.")
    if innocents and not suggest:
        raise click.UsageError("--innocent is for --suggest.")
    settings = options.load(config)
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise options.Unusable(f"no such file: {', '.join(missing)}")
    dead = Dead()
    if suggest:
        known = innocent(settings, innocents)
        options_read = read_options(settings, **reading)
        ended = suggested(settings, known, options_read, files, dead, as_json=as_json)
        dead.tell()
        _tell_broken(ended)
        return
    others = [options.load(compare)] if compare is not None else []
    replay = Replay(settings, read_options(settings, **reading), dead, others)
    contrast = Contrast(*replay.shards) if others else None
    broken: list[str] = []
    begun = time.perf_counter()
    with following(files) as progress:
        sources = [(str(path), readable(path, broken)) for path in files]
        verdict = replay.run(sources, progress=progress, watch=contrast)
    took = time.perf_counter() - begun
    if contrast is not None:
        found = difference(*sides((settings, others[0]), replay.verdicts, contrast))
        if as_json:
            write_difference(found)
        else:
            names = (str(config or "these settings"), str(compare))
            report.console().print(compared(found, *names))
    elif as_json:
        write_json(verdict)
    else:
        report.console().print(_summary(replay, verdict, took))
    dead.tell()
    _tell_broken(broken)


def _tell_broken(broken: list[str]) -> None:
    for word in broken:
        click.echo(f"mailwarden: {word}", err=True)
    if broken:
        raise click.exceptions.Exit(1)


def read_options(config: Config, **given: Any) -> ReadOptions:
    """How lines are read: as the options say that were given, else as the settings do."""
    settings = config.settings
    told = {name: value for name, value in given.items() if value is not None}
    return ReadOptions(
        **{
            "format": settings.logs.format,
            "host": settings.site.host,
            "zone": settings.site.zone,
            "custom": config.formats,
            **told,
        }
    )


def write_json(verdict: Verdict) -> None:
    """Every alert, then every decision, as one JSON object a line."""
    out = sys.stdout.buffer
    for kind, found in (("alert", verdict.alerts), ("decision", verdict.decisions)):
        for value in found:
            out.write(wire.encode({"kind": kind, **msgspec.structs.asdict(value)}) + b"\n")
    out.flush()


class Dead:
    """Lines that are ours and cannot be read: counted, the first few kept to be shown."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[DeadLine] = []

    def __call__(self, line: DeadLine) -> None:
        self.count += 1
        if len(self._first) < DEAD:
            self._first.append(line)

    def tell(self) -> None:
        if not self.count:
            return
        lines = "line" if self.count == 1 else "lines"
        click.echo(f"mailwarden: {self.count:,} {lines} could not be read; the first:", err=True)
        for line in self._first:
            place = f"{line.source}:{line.offset}"
            click.echo(f"  {report.printable(place)}: {report.printable(line.reason)}", err=True)


def _summary(replay: Replay, verdict: Verdict, took: float) -> Group:
    counts = replay.reader.counts
    speed = f"{counts.lines / took:,.0f} lines/s" if took else ""
    return Group(
        report.findings(verdict.alerts, verdict.decisions),
        Text(),
        Text.assemble(
            f"{counts.lines:,} {'line' if counts.lines == 1 else 'lines'} in {span(took)}",
            (f" ({speed})", "dim"),
            f", {replay.events:,} {'event' if replay.events == 1 else 'events'}",
        ),
        Text.assemble(
            f"{many(len(verdict.alerts), 'finding')}  ", report.by_severity(verdict.alerts)
        ),
        Text(f"{many(len(verdict.decisions), 'decision')}, none carried out: a replay only shows"),
    )
