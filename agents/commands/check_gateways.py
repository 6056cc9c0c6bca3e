"""`mailwarden check gateways`: can each gateway do what it is for, and does anybody go by it?"""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from agents.commands import options
from agents.configuration import Config
from agents.operator import report
from agents.running import state
from streams import needs
from streams.gateway import Gateway, Grade, Note

MARKS: dict[Grade, tuple[str, str]] = {
    "ok": ("✓ ok", "green"),
    "warning": ("! warning", "yellow"),
    "failed": ("✗ failed", "bold red"),
    "unknown": ("? cannot be told", "yellow"),
}
WIDTH = max(len(mark) for mark, _ in MARKS.values())


class Checked(Struct, frozen=True):
    """One check, as it is told."""

    gateway: str
    grade: Grade
    text: str
    cure: tuple[str, ...]  # settings to make, or commands to run


@click.command("gateways")
@options.config
@options.json_lines
@click.pass_context
def command(ctx: click.Context, config: Path | None, as_json: bool) -> None:
    """Check each gateway that is switched on, from the inside: whether it can write its files, run
    its commands and reach the server, and whether that server is configured to go by it. Nothing
    is changed, reloaded or blocked. Run it as the user that runs mailwarden: what that one may do
    is what is checked.

    Exit status: 0 nothing failed, 1 something did, 2 the settings are wrong.

    \b
    mailwarden check gateways -c /etc/mailwarden/mailwarden.toml
    mailwarden check gateways --json | jq -r 'select(.grade == "failed") | .cure[]'
    """
    settings: Config = ctx.obj if config is None else options.load(config)
    failed = False
    total = 0
    other = _other_owner(settings)
    if other:
        click.echo(other, err=True)
    switched_on = [gateway for gateway in settings.gateways if gateway.settings.enabled]
    width = max((len(gateway.name) for gateway in switched_on), default=0)
    for found in checked(switched_on):
        total += 1
        failed |= found.grade == "failed"
        if options.for_eyes(as_json):
            show(found, width)
        else:
            click.echo(msgspec.json.encode(found))
    if not total and options.for_eyes(as_json):
        click.echo("No gateway is switched on.")
    ctx.exit(int(failed))


def checked(gateways: list[Gateway]) -> Iterator[Checked]:
    """All that was found, as soon as it is: some programs take seconds to answer."""
    for gateway in gateways:
        for note in notes(gateway):
            yield Checked(gateway.name, note.grade, note.text, note.remedy)


def notes(gateway: Gateway) -> Iterator[Note]:
    """What a gateway needs here, then whether anybody goes by it. A check that breaks hides no
    other."""
    for look in (gateway.needs, gateway.review):
        try:
            yield from look()
        except Exception as error:
            yield Note("unknown", f"the check has failed: {error!r}")


def show(found: Checked, width: int) -> None:
    """A row, and the cure below it, whole lines to be copied."""
    mark, colour = MARKS[found.grade]
    name = click.style(f"{report.printable(found.gateway):<{width}}", bold=True)
    graded = click.style(f"{mark:<{WIDTH}}", fg=colour.split()[-1], bold="bold" in colour)
    click.echo(f"{name}  {graded}  {report.printable(found.text)}")
    for line in found.cure:
        click.echo(f"{'':<{width}}  {'':<{WIDTH}}  → {report.printable(line)}")


def _other_owner(config: Config) -> str:
    """Who runs mailwarden, by what it keeps, where that is not who looks."""
    try:
        owner = state.store(config.settings).owner()
    except (OSError, KeyError):
        return ""
    if owner == needs.user():
        return ""
    return (
        f"Checked as {needs.user()}; what mailwarden keeps belongs to {owner}: run it as {owner}."
    )
