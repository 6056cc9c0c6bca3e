"""`mailwarden gateways`: who enforces what is decided, and who is behind."""

import time
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.commands import options
from agents.commands.kept import opened
from agents.operator import report
from agents.operator.ledger import BusLedger
from agents.operator.relays import Row, programs, rows, wrong
from agents.words import many, span

STYLES = {
    "ok": "green",
    "lifted": "bold yellow",
    "reads": "yellow",
    "behind": "bold red",
    "failing": "bold red",
    "gone": "bold white on red",
}


@click.command("gateways")
@options.config
@options.kafka
@click.option("--forget", metavar="NAME", help="Expect no further word of it: it is no more.")
@options.json_lines
def command(config: Path | None, kafka: bool, forget: str | None, as_json: bool) -> None:
    """Show for each gateway what it has applied, whether it is behind others, gone or failing, and
    what it refused of the decisions that came. Without --kafka: the gateways of `mailwarden run`
    on this server.

    Exit status: 0 all is well, 1 something is not.

    \b
    mailwarden gateways --kafka
    mailwarden gateways --kafka --json | jq -r 'select(.standing != "ok") | .gateway'
    mailwarden gateways --kafka --forget mx7
    """
    settings = options.load(config)
    with opened(settings, kafka=kafka) as kept:
        states = kept.gateways()
        if forget is not None:
            if not isinstance(kept, BusLedger):
                raise options.Unusable("--forget is for gateways on Kafka: add --kafka")
            if forget not in {state.gateway for state in states}:
                raise click.ClickException(f"no gateway {report.printable(forget)} is known")
            kept.forget_gateway(forget)
            click.echo(f"{report.printable(forget)} is forgotten.")
            return
    found = rows(states, settings.settings.response.overdue, time.time())
    if not options.for_eyes(as_json):
        for row in found:
            click.echo(msgspec.json.encode(row))
    elif found:
        Console(highlight=False).print(_table(found))
    else:
        click.echo("No gateway has said anything yet.")
    if any(row.standing not in ("ok", "lifted") for row in found):
        click.get_current_context().exit(1)


def _table(found: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("GATEWAY", no_wrap=True, overflow="ellipsis", max_width=40)
    for name in ("STATE", "DECISIONS", "ENFORCED", "BEHIND", "LAG", "SEEN"):
        table.add_column(name, no_wrap=True, min_width=len(name))
    table.add_column("BY", overflow="fold")
    table.add_column("WHAT IS WRONG", overflow="fold")
    for row in found:
        state = row.state
        table.add_row(
            Text(report.printable(row.gateway), style="cyan"),
            Text(row.standing, style=STYLES[row.standing]),
            f"{state.decisions:,}",
            f"{state.enforced:,}",
            many(row.behind, "message") if row.behind else "",
            span(state.lag) if state.lag else "",
            f"{span(row.seen)} ago",
            Text(report.printable(", ".join(programs(state)))),
            Text(report.printable("; ".join(wrong(state))), style="red"),
        )
    return table
