"""`mailwarden report`: what was attacked and stopped in a time, as a page for people."""

import time
from pathlib import Path
from typing import Any

import click

from agents.commands import options
from agents.commands.kept import opened
from agents.commands.progress import following, readable
from agents.commands.replay import Dead, read_options
from agents.configuration import Config
from agents.operator import report as pages
from agents.replay import Replay
from agents.reporting import html, pdf, terminal
from agents.reporting.figures import Facts, Report, figures
from agents.reporting.served import served
from agents.words import many
from schemas import wire
from streams import atomic

WEEK = 7 * 86400.0
MODE = 0o600  # of a new page: it names accounts


@click.command("report")
@options.config
@options.kafka
@click.option(
    "--last",
    type=options.Span(),
    help="How long back, as 24h, 7d, 4w: from now, or from the end of FILE.  [default: 7d; all of"
    " FILE]",
)
@options.reading
@click.option("--json", "as_json", is_flag=True, help="One JSON object with all figures.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write one HTML file, which needs nothing else (mode 0600: it names accounts).",
)
@click.option(
    "--pdf",
    "paper",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the same as PDF, printed by Chromium, which must be installed.",
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
def command(
    config: Path | None,
    kafka: bool,
    last: float | None,
    as_json: bool,
    page: Path | None,
    paper: Path | None,
    files: tuple[Path, ...],
    **reading: Any,
) -> None:
    """What was attacked, what was stopped, how soon it was seen, what was withdrawn, where it came
    from, and which accounts to look after.

    From what `mailwarden run` has kept on this server, with --kafka from Kafka, or from old logs
    (FILE...), which are read as by `replay`. A finding counts where its last event is in that time.

    \b
    mailwarden report
    mailwarden report --last 4w --html report.html
    mailwarden report --last 4w --pdf report.pdf
    mailwarden report --kafka --json | jq .findings
    mailwarden report /var/log/mail.log.1 /var/log/mail.log
    """
    if sum((as_json, page is not None, paper is not None)) > 1:
        raise click.UsageError("--json, --html and --pdf are three forms: ask for one at a time.")
    if paper is not None:
        try:
            pdf.browser()  # before the logs are read for it
        except pdf.PdfError as error:
            raise click.ClickException(str(error)) from error
    given = [name for name, value in reading.items() if value is not None]
    if given and not files:
        raise click.UsageError(f"--{given[0].replace('log_', '')} says how FILE is to be read.")
    source = click.get_current_context().get_parameter_source("kafka")
    if files and kafka and source is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--kafka and FILE are two sources: ask for one at a time.")
    settings = options.load(config)
    dead, broken = Dead(), list[str]()
    if files:
        facts = _replayed(settings, files, last, dead, broken, **reading)
    else:
        facts = _kept(settings, last or WEEK, kafka=kafka)
    show(figures(facts), page, paper, as_json=as_json)
    dead.tell()
    for word in broken:
        click.echo(f"mailwarden: {word}", err=True)
    if broken:
        raise click.exceptions.Exit(1)


def show(report: Report, page: Path | None, paper: Path | None, *, as_json: bool) -> None:
    """As it was asked for. What cannot be written ends the command with exit 1."""
    if as_json:
        click.echo(wire.encode(report))
    elif paper is not None:
        try:
            pdf.write(html.page(report), paper, MODE)
        except pdf.PdfError as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"{paper}: {many(report.findings, 'attack')}", err=True)
    elif page is None:
        pages.console().print(terminal.page(report))
    else:
        try:
            atomic.replace(page, html.page(report), MODE)
        except OSError as error:
            raise click.ClickException(f"{page}: cannot be written: {error.strerror}") from error
        click.echo(f"{page}: {many(report.findings, 'attack')}", err=True)


def _kept(config: Config, last: float, *, kafka: bool) -> Facts:
    now = time.time()
    with opened(config, kafka=kafka) as kept:
        return Facts(
            source="Kafka" if kafka else "what this server has kept",
            since=now - last,
            until=now,
            alerts=kept.alerts(limit=2**31, since=now - last),
            in_force=kept.decisions(now),
            audit=kept.audit(limit=2**31, since=now - last),
            served=None if kafka else served(config.settings.http.listen),
        )


def _replayed(
    config: Config,
    files: tuple[Path, ...],
    last: float | None,
    dead: Dead,
    broken: list[str],
    **reading: Any,
) -> Facts:
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise options.Unusable(f"no such file: {', '.join(missing)}")
    replay = Replay(config, read_options(config, **reading), dead)
    with following(files) as progress:
        sources = [(str(path), readable(path, broken)) for path in files]
        verdict = replay.run(sources, progress=progress)
    until = replay.shard.clock
    since = max(replay.shard.begun, until - last) if last else replay.shard.begun
    return Facts(
        source=many(len(files), "log"),
        since=since,
        until=until,
        alerts=verdict.alerts,
        in_force=[decision for decision in verdict.decisions if decision.until > until],
        made=[decision for decision in verdict.decisions if decision.since >= since],
        told=verdict.told,
        replayed=True,
    )
