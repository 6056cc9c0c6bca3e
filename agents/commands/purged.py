"""`mailwarden purged`: mail that was taken out of the queue, and back."""

import time
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.commands import options
from agents.configuration import Config
from agents.operator import report
from agents.words import span
from streams.gateway import GatewayError
from streams.gateways.account_actions import AccountActions, Kept, Queue


@click.group("purged")
def command() -> None:
    """Mail of accounts in other hands that was taken out of Postfix's queue on this host.

    \b
    mailwarden purged list
    mailwarden purged restore 4cXyz1abc-1796006453
    mailwarden purged drop --account alice@example.org
    """


@command.command("list", short_help="show what was taken out")
@options.config
@options.json_lines
def show(config: Path | None, as_json: bool) -> None:
    """Show what was taken out, the oldest first.

    \b
    mailwarden purged list --json | jq -r .recipients[]
    """
    found = _queue(options.load(config)).kept()
    if not options.for_eyes(as_json):
        for one in found:
            click.echo(msgspec.json.encode(one))
    elif found:
        Console(highlight=False).print(_table(found, time.time()))
    else:
        click.echo("Nothing was purged.")


@command.command("restore", short_help="hand mail to Postfix again")
@options.config
@click.option("--account", default="", help="All that this account had sent.")
@click.argument("ids", nargs=-1, metavar="[ID]...")
def restore(config: Path | None, account: str, ids: tuple[str, ...]) -> None:
    """Hand mail to Postfix again, for the recipients that it had not reached.

    \b
    mailwarden purged restore 4cXyz1abc-1796006453
    mailwarden purged restore --account alice@example.org
    """
    queue = _queue(options.load(config))
    for one in _chosen(queue, account, ids):
        try:
            queue.restore(one)
        except GatewayError as error:
            raise click.ClickException(f"{one.id}: {error}") from error
        click.echo(f"{one.id} is in the queue again")


@command.command("drop", short_help="forget mail for good")
@options.config
@click.option("--account", default="", help="All that this account had sent.")
@click.argument("ids", nargs=-1, metavar="[ID]...")
def drop(config: Path | None, account: str, ids: tuple[str, ...]) -> None:
    """Forget mail for good.

    \b
    mailwarden purged drop --account alice@example.org
    """
    queue = _queue(options.load(config))
    for one in _chosen(queue, account, ids):
        queue.drop(one)
        click.echo(f"{one.id} is gone")


def _queue(config: Config) -> Queue:
    for gateway in config.gateways:
        if isinstance(gateway, AccountActions):
            return Queue(gateway.settings)
    raise options.Unusable(f"{config.where}: there is no gateway account_actions")


def _chosen(queue: Queue, account: str, ids: tuple[str, ...]) -> list[Kept]:
    """Those that are named. Raises where one is not there."""
    if not account and not ids:
        raise click.UsageError("name mails, or their --account")
    found = queue.kept()
    missing = set(ids) - {one.id for one in found}
    if missing:
        raise click.ClickException(f"no such mail: {', '.join(sorted(missing))}")
    return [one for one in found if one.id in ids or one.account == account]


def _table(found: list[Kept], now: float) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("ID", no_wrap=True)
    table.add_column("ACCOUNT", no_wrap=True, overflow="ellipsis", max_width=40)
    for name in ("AGE", "BYTES"):
        table.add_column(name, no_wrap=True)
    table.add_column("FROM", no_wrap=True, overflow="ellipsis", max_width=40)
    table.add_column("TO", overflow="fold")
    for one in found:
        table.add_row(
            one.id,
            Text(report.printable(one.account), style="cyan"),
            span(max(0.0, now - one.at)),
            f"{one.size:,}",
            Text(report.printable(one.sender)),
            Text(report.printable(", ".join(one.recipients))),
        )
    return table
