"""`mailwarden abuse`: a report to the network that an attack came from, as a draft."""

import os
from pathlib import Path
from urllib.parse import quote

import click

from agents.abuse import drafts
from agents.abuse.attack import Attack, NothingToReportError, attacks
from agents.abuse.contacts import ADDRESS, Contacts
from agents.commands import options
from agents.commands.alerts import find
from agents.configuration import Config
from schemas import net
from schemas.settings import SettingsError


@click.group("abuse")
def command() -> None:
    """Reports of abuse to the networks that attacks come from. They are drafts: a person reads
    each, and sends it or does not.

    \b
    mailwarden abuse draft 5f0c --to drafts/
    """


@command.command("draft")
@options.config
@options.kafka
@click.argument("alert_id", metavar="ALERT_ID")
@click.option(
    "--format",
    "form",
    type=click.Choice(["arf", "xarf"]),
    help="ARF is about a mail (the default where there is one), X-ARF about any attack.",
)
@click.option("--client", default="", help="Only this client of the alert.")
@click.option("--port", type=click.IntRange(1, 65535), help="The client's port, where you know it.")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder for them, one .eml for each client; else the only one goes to stdout.",
)
def draft(
    config: Path | None,
    kafka: bool,
    alert_id: str,
    form: str | None,
    client: str,
    port: int | None,
    folder: Path | None,
) -> None:
    """Write a report to the abuse contact of each client of an alert. Nothing is sent.

    A report names no mailbox of ours. Whom to write to is looked up as `[abuse]` in the settings
    says; where nobody is known, To is missing.

    \b
    mailwarden abuse draft 5f0c --to drafts/
    mailwarden abuse draft 5f0c --client 192.0.2.1 --format xarf > report.eml
    """
    settings = options.load(config)
    ours = settings.settings.abuse
    if not ADDRESS.fullmatch(ours.sender):
        where = f"{settings.where}: abuse.sender"
        raise options.Unusable(f"{where}: expected an address such as abuse@example.org")
    try:
        contacts = Contacts(ours, settings.site.place)
    except SettingsError as error:
        raise options.Unusable(f"{settings.where}: {error}") from error
    chosen = _chosen(settings, alert_id, client, kafka=kafka)
    if folder is None and len(chosen) > 1:
        many = f"{len(chosen)} clients take part: --to FOLDER, or --client with one of them"
        raise options.Unusable(f"{many}, as {chosen[0].client}")
    for attack in chosen:
        contact = contacts.of(attack.client)
        kind = form or ("arf" if attack.mails else "xarf")
        if kind == "arf" and not attack.mails:
            raise options.Unusable(f"{attack.client} sent no mail that could be shown: use xarf")
        mail = (
            drafts.arf(attack, ours, contact)
            if kind == "arf"
            else drafts.xarf(attack, ours, contact, port=port or 0)
        )
        to = contact or f"nobody is known for {attack.client}: fill in To"
        if folder is None:
            click.get_binary_stream("stdout").write(mail)
            click.echo(f"to {to}", err=True)
        else:
            path = _write(folder, f"{attack.alert}-{quote(attack.client, safe='')}.eml", mail)
            click.echo(f"{path}: to {to}")


def _chosen(settings: Config, alert_id: str, client: str, *, kafka: bool) -> list[Attack]:
    alert = find(settings, alert_id, kafka=kafka)
    site = settings.site
    spared = net.Networks([*settings.allowed, *site.own, *site.trusted])
    try:
        found = list(attacks(alert, spared))
    except NothingToReportError as error:
        raise click.ClickException(f"{alert.id}: {error}") from error
    if client:
        found = [one for one in found if one.client == (net.address(client) or client)]
        if not found:
            raise click.ClickException(f"{alert.id}: {client} is none of its clients")
    return found


def _write(folder: Path, name: str, mail: bytes) -> Path:
    """Only for who wrote it: a report tells of our servers."""
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(mail)
    except OSError as error:
        raise options.Unusable(f"{path}: {error.strerror}") from error
    return path
