"""`mailwarden export`: what is blocked, for those who share indicators."""

import time
from collections.abc import Callable
from pathlib import Path

import click

from agents.commands import options
from agents.commands.kept import opened
from agents.configuration import Config, build_blocklist
from agents.operator import misp
from agents.words import many
from schemas.findings import SEVERITIES, Severity
from streams.gateways.feeds.formats.stix import stix
from streams.gateways.feeds.item import Item, Kind, items
from streams.gateways.feeds.settings import ListSettings

KINDS: tuple[Kind, ...] = ("network", "address", "domain")
"""Strangers. Accounts are ours, and nobody else's business."""


def _choosing(command: Callable[..., None]) -> Callable[..., None]:
    least = click.option(
        "--least",
        type=click.Choice(SEVERITIES),
        default="info",
        help="No milder findings. What a person decided always passes.",
    )
    return options.config(options.kafka(least(command)))


@click.group("export")
def command() -> None:
    """What is blocked and enforced, for those who share indicators: networks, addresses of mail and
    domains, of which nothing is pardoned. Accounts are not exported. Sinks and gateways serve the
    same over HTTP and TAXII.

    \b
    mailwarden export stix > bundle.json
    mailwarden export misp --to /srv/misp-feed
    """


@command.command("stix", short_help="a bundle of STIX 2.1")
@_choosing
def to_stix(config: Path | None, kafka: bool, least: Severity) -> None:
    """Print a bundle of indicators: pattern, valid_from, valid_until, confidence.

    \b
    mailwarden export stix --least high > bundle.json
    """
    found = _found(options.load(config), least, kafka=kafka)
    for part in stix(found):
        click.echo(part, nl=False)


@command.command("misp", short_help="a feed of MISP")
@_choosing
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that it is written into.",
)
def to_misp(config: Path | None, kafka: bool, least: Severity, folder: Path) -> None:
    """Write a feed: manifest.json, hashes.csv and the event. MISP reads it from a folder, or from a
    web server that serves it. Run it by a timer; written anew, it updates what MISP has.

    \b
    mailwarden export misp --to /srv/misp-feed
    """
    settings = options.load(config)
    found = _found(settings, least, kafka=kafka)
    organisation = settings.settings.abuse.organisation or "mailwarden"
    try:
        misp.write(folder, misp.files(found, organisation))
    except OSError as error:
        raise options.Unusable(f"{folder}: {error.strerror}") from error
    click.echo(f"{folder}: {many(len(found), 'attribute')}")


def _found(settings: Config, least: Severity, *, kafka: bool) -> list[Item]:
    now = time.time()
    with opened(settings, kafka=kafka) as kept:
        decisions = kept.decisions(now)
    blocklist = build_blocklist(settings)
    for decision in decisions:
        blocklist.put(decision)
    enforced = [one for one in blocklist.in_force(now) if one.enforced]
    if settings.lifted():
        enforced = []
        click.echo("the kill switch is pulled: nothing is blocked", err=True)
    found: list[Item] = []
    for kind in KINDS:
        found += items(enforced, ListSettings(format="stix", kind=kind, severity=least))
    return found
