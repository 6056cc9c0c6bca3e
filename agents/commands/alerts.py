"""`mailwarden alerts`: list and show what was found."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from agents.commands import options
from agents.commands.kept import opened
from agents.configuration import Config
from agents.operator import report
from agents.operator.listing import NARROW, Column, listing
from agents.words import said, span
from schemas import wire
from schemas.findings import SEVERITIES, Alert
from streams.rendering import words

SHORT_ID = 8  # characters; `show` takes the beginning of an id


@click.group("alerts")
def command() -> None:
    """What was found.

    \b
    mailwarden alerts list
    mailwarden alerts show 5f0c1e9a7b3d2c48
    """


@command.command("list", short_help="list alerts, the newest first")
@options.config
@options.kafka
@options.listing
@click.option("--incident", default="", metavar="ID", help="Only what is part of this one.")
@options.json_lines
def show_list(
    config: Path | None,
    kafka: bool,
    limit: int,
    since: float,
    least: str,
    incident: str,
    as_json: bool,
) -> None:
    """List alerts, the newest first. Of those that took part in one incident, as the thousands
    of clients of a campaign, a table shows one row; `--incident` shows each.

    \b
    mailwarden alerts list --since 24h --least high
    mailwarden alerts list --incident 5f0c1e9a
    mailwarden alerts list --json | jq -r .summary
    """
    settings = options.load(config)
    with opened(settings, kafka=kafka) as kept:
        severe = SEVERITIES[SEVERITIES.index(least) :]
        alerts = [
            alert
            for alert in kept.alerts(limit=2**31, since=since)
            if alert.severity in severe and alert.incident.startswith(incident)
        ]
    if not options.for_eyes(as_json):
        for alert in alerts[:limit]:
            click.echo(wire.encode(alert))
    elif alerts:
        console = Console(highlight=False)
        rows = [[alert] for alert in alerts] if incident else together(alerts)
        console.print(_table(rows[:limit], console.width))
    else:
        click.echo("Nothing was found.")


@command.command("show", short_help="show one alert whole")
@options.config
@options.kafka
@click.argument("alert_id", metavar="ID")
@options.json_lines
def show(config: Path | None, kafka: bool, alert_id: str, as_json: bool) -> None:
    """Show one alert whole: each count beside its threshold, who took part, the events that it
    rests on and where their lines lay, what was decided, and the command that undoes it.

    ID may be its beginning.

    \b
    mailwarden alerts show 5f0c1e9a7b3d2c48
    mailwarden alerts show 5f0c
    """
    alert = find(options.load(config), alert_id, kafka=kafka)
    if not options.for_eyes(as_json):
        click.echo(wire.encode(alert))
    else:
        Console(highlight=False).print(whole(alert))


def find(settings: Config, alert_id: str, *, kafka: bool) -> Alert:
    """The alert whose id is, or alone begins with, `alert_id`. Raises ClickException."""
    with opened(settings, kafka=kafka) as kept:
        alert = kept.alert(alert_id)
        if alert is not None:
            return alert
        alike = [a for a in kept.alerts(limit=2**31) if a.id.startswith(alert_id)]
        if len(alike) == 1:
            return alike[0]
    many = f"{len(alike)} alerts begin so" if alike else "there is no such alert"
    raise click.ClickException(f"{alert_id}: {many}")


COLUMNS = (
    Column("ID"),
    Column("SEVERITY"),
    Column("LAST (UTC)"),
    Column("WHAT"),
    Column("WHO", "folded"),
    Column("DECIDED", "cut"),
)


def together(alerts: Iterable[Alert]) -> list[list[Alert]]:
    """Alerts in their order, with those of one shape that took part in one incident in the place
    of the first of them."""
    found: dict[tuple[str, ...], list[Alert]] = {}
    for alert in alerts:
        part = alert.incident not in ("", alert.id)
        kind = (alert.incident, alert.detector, alert.shape, alert.state) if part else (alert.id,)
        found.setdefault(kind, []).append(alert)
    return list(found.values())


def _table(alike: list[list[Alert]], width: int) -> Table:
    narrow = width < NARROW
    rows = [
        (
            Text(alert.id[: SHORT_ID if narrow else None]),
            Text(alert.severity, style=report.STYLES[alert.severity]),
            Text(report.moment(alert.last) if narrow else _moment(alert.last)),
            Text(report.printable(alert.detector)),
            Text(report.printable(_who(alert, more)), style="cyan"),
            Text(report.printable(_decided(alert))),
        )
        for alert, *more in alike
    ]
    return listing(COLUMNS, rows, width)


def _who(alert: Alert, more: list[Alert]) -> str:
    return f"{alert.subject.value} and {len(more):,} more" if more else alert.subject.value


def _decided(alert: Alert) -> str:
    """What was decided, without the name that stands beside it already."""
    if alert.state == "withdrawn":
        return "withdrawn"
    return alert.decision.replace(f" {alert.subject.value} ", " ", 1)


def whole(alert: Alert) -> RenderableType:
    """All that there is to say about an alert, for a terminal."""
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column()

    def row(name: str, value: str) -> None:
        if value:
            rows.add_row(name, Text(report.printable(value)))

    row("alert", f"{alert.id}, revision {alert.revision}, {alert.state}")
    row("incident", alert.incident if alert.incident != alert.id else "")
    row("stage", "observe: its detector is on trial" if alert.stage == "observe" else "")
    row("rule", f"{alert.rule} version {alert.version}, window {span(alert.window)}")
    row("technique", alert.technique)
    about = any(seen.estimated for seen in alert.evidence)
    row("clients", _listed(alert.clients, alert.clients_count, about=about))
    row("accounts", _listed(alert.accounts, alert.accounts_count, about=about))
    row("targets", _listed(alert.targets, alert.targets_count, about=about))
    row("domains", ", ".join(alert.domains))
    row("checked", "; ".join(alert.checks))
    row("blind to", alert.blind_to)
    row("undo", alert.undo)
    row("runbook", words.runbook(alert.detector))
    parts: list[RenderableType] = [report.finding(alert, [], []), Text(), report.indented(rows)]
    if alert.samples:
        parts += [Text(), Text(f"  {_which(alert)}", style="dim"), report.samples(alert.samples)]
    return Group(*parts)


def _which(alert: Alert) -> str:
    """What the samples of an alert are."""
    count = len(alert.samples)
    if alert.events <= count:
        return "events that it rests on"
    of = f"of the {alert.events} events that it rests on"
    if alert.samples[0].at > alert.first:
        return f"{count} {of}; the first of them were not kept"
    return f"the first {count} {of}"


def _listed(values: list[str], count: int, *, about: bool) -> str:
    left = count - len(values)
    more = f" and {said(left, about=about)} more" if left > 0 else ""
    return ", ".join(values) + more


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
