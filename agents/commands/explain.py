"""`mailwarden explain`: why something was found about somebody, or why not."""

import glob
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from agents import explain
from agents.commands import options
from agents.commands.alerts import find, whole
from agents.commands.progress import following
from agents.commands.replay import read_options
from agents.configuration import Config
from agents.explain import Peak, Watch
from agents.operator import report
from agents.operator.listing import Column, listing
from agents.replay import Replay
from agents.running import reading
from agents.words import many, number
from schemas import keys
from schemas.findings import Alert
from streams.sources.archive import open_lines
from streams.sources.find import NothingFoundError


@click.command("explain")
@options.config
@options.kafka
@options.reading
@click.option("--client", metavar="IP", help="Explain what is said, and not said, of a client.")
@click.option("--account", metavar="NAME", help="The same of a login or an address.")
@options.json_lines
@click.argument("what", nargs=-1, metavar="[ID | FILE...]")
def command(
    config: Path | None,
    kafka: bool,
    client: str | None,
    account: str | None,
    as_json: bool,
    what: tuple[str, ...],
    **reads: Any,
) -> None:
    """Explain an alert by its ID: its window, each count beside its threshold, the events that it
    rests on, what was checked for innocence, what would have kept it silent, and the command that
    undoes it.

    With --client or --account, read log FILEs (else those that are followed) and show how near
    each detector came to a finding about them, and when: why was nothing said, or that much?

    \b
    mailwarden explain 5f0c1e9a
    mailwarden explain --client 192.0.2.7 /var/log/mail.log
    mailwarden explain --account anna@example.org mail.log.1.gz mail.log
    """
    settings = options.load(config)
    if client is None and account is None:
        if len(what) != 1:
            raise click.UsageError("Give the ID of an alert, or --client or --account.")
        _show_alert(find(settings, what[0], kafka=kafka), as_json=as_json)
        return
    subjects: tuple[str, ...] = ()
    try:
        if client is not None:
            subjects += explain.of_client(client)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--client") from error
    if account is not None:
        subjects += explain.of_account(account, settings.site)
    replay = Replay(settings, read_options(settings, **reads))
    watch = Watch(replay.shard, subjects)
    paths = [Path(name) for name in what] or _followed(settings)
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise options.Unusable(f"no such file: {', '.join(missing)}")
    with following(paths) as progress:
        sources = [(str(path), open_lines(path)) for path in paths]
        verdict = replay.run(sources, progress=progress, watch=watch)
    names = {key[2:] for key in subjects}
    alerts = [a for a in verdict.alerts if names & {a.subject.value, *a.clients, *a.accounts}]
    if not options.for_eyes(as_json):
        for peak in watch.peaks():
            click.echo(msgspec.json.encode(peak))
    else:
        console = report.console()
        console.print(_story(watch, alerts, console.width))


def _followed(config: Config) -> list[Path]:
    """The files that `run` follows."""
    try:
        patterns = reading.found(config).patterns
    except NothingFoundError as error:
        raise options.Unusable(f"{error}: name the log FILEs") from error
    return [Path(name) for pattern in patterns for name in sorted(glob.glob(pattern))]


def _show_alert(alert: Alert, *, as_json: bool) -> None:
    if not options.for_eyes(as_json):
        click.echo(msgspec.json.encode(alert))
        return
    kept = [
        f"{number(seen.threshold)}{f' {seen.unit}' * bool(seen.unit)} {seen.sign}"
        for seen in alert.evidence
        if seen.count >= seen.threshold > 1  # where one is enough, there is nothing to say
    ]
    words = Text(f"silent with fewer than {', or '.join(kept)}", style="dim")
    said = report.indented(words)
    report.console().print(Group(whole(alert), Text(), said if kept else Text()))


COLUMNS = (
    Column("DETECTOR"),
    Column("OF"),
    Column("COUNT", "folded"),
    Column("HIGHEST"),
    Column("THRESHOLD"),
    Column("AT (UTC)"),
)


def _story(watch: Watch, alerts: list[Alert], width: int) -> RenderableType:
    seen = ", ".join(many(count, f"{kind} event") for kind, count in watch.events.items())
    who = " and ".join(report.printable(" ".join(keys.subject(key))) for key in watch.subjects)
    parts: list[RenderableType] = [Text(who, style="bold"), Text(seen or "is in none of the lines")]
    rows = [_row(peak) for peak in watch.peaks()]
    if rows:
        parts += [Text(), listing(COLUMNS, rows, width)]
    parts.append(Text())
    if alerts:
        parts.append(report.findings(alerts))
    else:
        parts.append(Text("Nothing is said about it.", style="green"))
        if rows:
            parts.append(Text("A finding needs all counts of one of its shapes, and no innocence."))
    return Group(*parts)


def _row(peak: Peak) -> tuple[Text, ...]:
    over = peak.count >= peak.threshold
    kind, value = keys.subject(peak.key)
    count = f"{'about ' * peak.estimated}{number(peak.count)}"
    return (
        Text(peak.detector),
        Text(report.printable(value if kind != "client" else kind), style="dim"),
        Text(report.printable(peak.sign)),
        Text(f"{count}{peak.unit and f' {peak.unit}'}", "bold" if over else ""),
        Text(number(peak.threshold) if peak.threshold else "", style="dim"),
        Text(report.moment(peak.at), style="dim"),
    )
