"""`mailwarden listed`: our gateways on the block lists of others, and what people do about it."""

import time
from pathlib import Path

import click

from agents.commands import options
from agents.commands.kept import opened
from agents.listed import DELISTING
from agents.listed.standing import NAME
from agents.operator import person, report
from schemas import wire
from schemas.audit import Audit
from schemas.events import Signal
from schemas.findings import Alert

MANY = 100_000  # alerts that are looked through


@click.group("listed")
def command() -> None:
    """Gateways of ours on block lists (`[listed]` in the settings): listed, asked to be taken off,
    gone, listed again.

    \b
    mailwarden listed list
    mailwarden listed asked 192.0.2.25 zen.spamhaus.org --reason 'the account is locked'
    """


@command.command("list")
@options.config
@options.kafka
@options.json_lines
def show(config: Path | None, kafka: bool, as_json: bool) -> None:
    """What was found on the lists, the newest first: alert, state, and in words."""
    with opened(options.load(config), kafka=kafka) as ledger:
        found = [alert for alert in ledger.alerts(MANY) if alert.detector == NAME]
    for alert in found:
        if options.for_eyes(as_json):
            click.echo(f"{alert.id}  {alert.shape:<13}  {report.printable(alert.summary)}")
        else:
            click.echo(wire.encode(alert))


@command.command("asked")
@options.config
@options.kafka
@click.option("--reason", default="asked to be taken off", help="What was done, for colleagues.")
@click.argument("address")
@click.argument("block_list", metavar="LIST")
def asked(config: Path | None, kafka: bool, reason: str, address: str, block_list: str) -> None:
    """Say that LIST was asked to take ADDRESS, of a gateway or its name, off."""
    now = time.time()
    with opened(options.load(config), kafka=kafka) as ledger:
        alert = _standing(ledger.alerts(MANY), address, block_list)
        if alert is None:
            raise options.Unusable(f"{address} is not known to be listed by {block_list}")
        word = Signal(
            at=now,
            about=f"g:{alert.subject.value}",
            kind=DELISTING,
            account=person.login(),
            finding=alert.id,
            detail=block_list,
        )
        ledger.tell(
            word,
            Audit(
                at=now,
                what="asked",
                by=person.login(),
                reason=reason,
                target=f"network:{address}",
                alert=alert.id,
                host=person.host(),
                detail=block_list,
            ),
        )
    click.echo(f"Noted: {block_list} was asked to take {address} off (alert {alert.id}).")


def _standing(alerts: list[Alert], address: str, zone: str) -> Alert | None:
    """The alert that stands about an address on a list."""
    for alert in alerts:
        if alert.detector != NAME or alert.state != "open":
            continue
        who = alert.subject.value == address or f"({address})" in alert.summary
        if who and any(sample.place == zone for sample in alert.samples):
            return alert
    return None
