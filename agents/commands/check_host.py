"""`mailwarden check host`: what a stranger finds wrong with a server of ours."""

import asyncio
import socket
import ssl
import time
from pathlib import Path

import click
import msgspec

from agents import resolver
from agents.commands import options
from agents.commands.asking import Host, asking
from agents.configuration import Config
from agents.operator import report
from agents.probing import host as hosts
from agents.probing.grades import EXITS, Grade, Graded, worst
from agents.probing.session import Target

MARKS: dict[Grade, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "unknown": ("?", "yellow"),
    "warning": ("!", "yellow"),
    "critical": ("✗", "red"),
}


@click.command("host")
@click.argument("host", type=Host())
@asking
@click.option(
    "--dns",
    "servers",
    multiple=True,
    help="A resolver to ask, address or address:port; else the system's.",
)
@click.option(
    "--list",
    "block_lists",
    multiple=True,
    help="A block list that the server relies on; else those of [listed], where it is in use.",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file of authorities to trust beside the system's.",
)
@click.option(
    "--pause",
    type=click.FloatRange(0),
    default=0.5,
    show_default=True,
    help="Seconds between tries.",
)
@options.json_lines
@click.pass_context
def command(
    ctx: click.Context,
    host: tuple[str, int],
    port: int | None,
    helo: str | None,
    source: str,
    domain: str | None,
    timeout: float,
    servers: tuple[str, ...],
    block_lists: tuple[str, ...],
    ca: Path | None,
    pause: float,
    as_json: bool,
) -> None:
    """Ask HOST[:PORT], a server of yours, what a stranger may ask: logins without TLS, VRFY and
    EXPN, names that nobody has, how fast they can be guessed, postmaster and abuse, its
    certificate, relaying, its names in the DNS and SPF, and block lists: whether they work, have
    stale data, or name it. Each fault comes with its cure.

    No mail is sent. The exit status is that of monitoring plugins, by the worst that was found:
    0 ok, 1 warning, 2 critical, 3 unknown.

    \b
    mailwarden check host mx1.example.org
    mailwarden check host mx1.example.org --domain example.org --json | jq 'select(.cure != "")'
    """
    settings: Config = ctx.obj
    name, own_port = host
    target = Target(name, port or own_port, helo or socket.getfqdn(), source, timeout)
    listed = settings.settings.listed
    trusted = ssl.create_default_context()
    try:
        if ca is not None:
            trusted.load_verify_locations(ca)
        asked = hosts.Asked(
            target,
            domain or settings.site.default_domain or name,
            resolver.new(servers or listed.resolvers),
            trusted,
            time.time(),
            pause,
            block_lists or (listed.lists if listed.gateways else ()),
        )
    except (ValueError, OSError) as error:
        raise options.Unusable(str(error)) from error
    found = asyncio.run(hosts.check(asked))
    for graded in found:
        if options.for_eyes(as_json):
            show(graded)
        else:
            click.echo(msgspec.json.encode(graded))
    ctx.exit(EXITS[worst(found)])


def show(graded: Graded) -> None:
    """One finding, and its cure below."""
    mark, colour = MARKS[graded.grade]
    name = click.style(f"{graded.check:<20}", bold=True)
    click.echo(f"{click.style(mark, fg=colour)} {name} {report.printable(graded.text)}")
    if graded.cure:
        click.echo(f"{'':<23}→ {graded.cure}")
