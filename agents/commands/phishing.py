"""`mailwarden phishing`: the site's own list of addresses that phishers collect answers at."""

from datetime import UTC, datetime
from pathlib import Path

import click

from agents import phishing
from agents.commands import options
from schemas.keys import mailbox


@click.group("phishing")
def command() -> None:
    """Addresses that phishers collect answers at: who writes there has perhaps told a password.

    A person puts here what was reported to abuse@ and looked at. Programs that run see it within
    `phishing.interval`.

    \b
    mailwarden phishing add collector@example.net --remark "mail of 3 May, bank"
    mailwarden phishing list
    mailwarden phishing remove collector@example.net
    """


@command.command("add")
@options.config
@click.option("--remark", default="", help="Where it was seen.")
@click.argument("address")
def add(config: Path | None, remark: str, address: str) -> None:
    """Put an address on the list."""
    path, name = _file(config), _address(address)
    today = datetime.now(UTC).date()
    note = " ".join(remark.split()).replace("#", "").replace(",", ";")
    line = ",".join(filter(None, (name, f"{today:%Y%m%d}", note)))
    _write(path, lambda lines: [*_without(lines, name), line])
    click.echo(f"{name} is on the list {path}.")


@command.command("remove")
@options.config
@click.argument("address")
def remove(config: Path | None, address: str) -> None:
    """Take an address off the list."""
    path, name = _file(config), _address(address)
    if name not in _known(path):
        raise options.Unusable(f"{name} is not on the list {path}")
    _write(path, lambda lines: _without(lines, name))
    click.echo(f"{name} is off the list {path}.")


@command.command("list")
@options.config
def show(config: Path | None) -> None:
    """The addresses of the site's own list, one a line."""
    for name in sorted(_known(_file(config))):
        click.echo(name)


def _file(config: Path | None) -> Path:
    named = options.load(config).settings.phishing.file
    if not named:
        raise options.Unusable("phishing.file: name the file of the list in the settings first")
    return Path(named)


def _address(text: str) -> str:
    found = phishing.addresses(text)
    if len(found) != 1 or any(mark in text for mark in ",#\n"):
        raise options.Unusable(f"{text!r} is no address of mail")
    return mailbox(text)


def _known(path: Path) -> frozenset[str]:
    try:
        return phishing.read(path)
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise options.Unusable(f"{path}: {error.strerror}") from error


def _without(lines: list[str], name: str) -> list[str]:
    return [line for line in lines if name not in phishing.addresses(line)]


def _write(path: Path, change: phishing.Change) -> None:
    try:
        phishing.changed(path, change)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
