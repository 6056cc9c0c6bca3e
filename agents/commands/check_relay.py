"""`mailwarden check relay`: does a server of ours pass on mail of strangers to strangers?"""

import asyncio
import socket
import time
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.commands import options
from agents.commands.asking import Address, Host, asking
from agents.configuration import Config
from agents.operator import report
from agents.probing import arrivals, relay
from agents.probing.forms import forms
from agents.probing.session import Target
from schemas import net

EXITS: dict[relay.Outcome, int] = {"closed": 0, "open": 1, "unknown": 2}
COLOURS = {
    "refused": "green",
    "accepted": "bold red",
    "relayed": "bold red",
    "bounced": "yellow",
    "unknown": "yellow",
}
SAID: dict[relay.Outcome, str] = {
    "closed": "Closed: every form was refused.",
    "open": "Open: it takes mail of strangers to strangers.",
    "unknown": "Unknown: nothing was accepted, but not everything was refused.",
}


@click.command("relay")
@click.argument("host", type=Host())
@asking
@click.option(
    "--from",
    "sender",
    type=Address(),
    help="A sender who is no customer of HOST; else that of --deliver, else relay-test@HELO.",
)
@click.option(
    "--to",
    "recipient",
    type=Address(),
    default="relay-test@example.com",
    show_default=True,
    help="A recipient elsewhere. Nothing is sent there.",
)
@click.option(
    "--deliver",
    type=Address(),
    help="Send a letter of each accepted form to this mailbox of yours, which lies elsewhere.",
)
@click.option(
    "--maildir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the mail of --deliver arrives: what comes is the proof.",
)
@click.option(
    "--wait",
    type=options.Span(),
    default="60s",
    show_default=True,
    help="For what arrives in --maildir.",
)
@click.option("--pause", type=click.FloatRange(0), default=0.5, help="Seconds between two tries.")
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
    sender: str | None,
    recipient: str,
    deliver: str | None,
    maildir: Path | None,
    wait: float,
    pause: float,
    as_json: bool,
) -> None:
    """Ask HOST[:PORT], a server of yours, whether it relays: with each of the forms of address
    by which servers have been talked into it. It stops before DATA unless --deliver is given.

    What is asked from inside your own networks is often allowed to relay, and rightly so: ask
    from outside, or say with --source from which address.

    Exit status: 0 closed, 1 open, 2 unknown (deferred, no answer, or who asks is refused).

    \b
    mailwarden check relay mx1.example.org
    mailwarden check relay 192.0.2.25:2525 --domain example.org --source 198.51.100.7
    mailwarden check relay mx1.example.org --deliver proof@example.net --maildir ~/Maildir
    """
    if maildir is not None and deliver is None:
        raise click.UsageError("--maildir says where the mail of --deliver arrives: give both")
    settings: Config = ctx.obj
    name, own_port = host
    named = helo or socket.getfqdn()
    target = Target(name, port or own_port, named, source, timeout)
    begun = time.time()
    try:
        address = resolved(target)
        plan = relay.Plan(
            tuple(
                forms(
                    sender=sender or deliver or f"relay-test@{named}",
                    recipient=deliver or recipient,
                    domain=domain or settings.site.default_domain or name,
                    address=address,
                )
            ),
            domain or settings.site.default_domain or name,
            deliver is not None,
            pause,
        )
    except (ValueError, OSError) as error:
        raise options.Unusable(str(error)) from error
    tries = asyncio.run(_probe(target, plan, maildir, begun, wait))
    outcome = relay.outcome(tries)
    if not options.for_eyes(as_json):
        for tried in tries:
            click.echo(msgspec.json.encode(tried))
    else:
        console = Console(highlight=False)
        console.print(table(tries))
        console.print(Text(SAID[outcome], style="bold" if outcome == "open" else ""))
    ctx.exit(EXITS[outcome])


async def _probe(
    target: Target, plan: relay.Plan, maildir: Path | None, begun: float, patience: float
) -> list[relay.Try]:
    tries = await relay.probe(target, plan)
    tokens = frozenset(tried.token for tried in tries if tried.token)
    if maildir is None or not tokens:
        return tries
    came = await arrivals.wait(maildir, tokens, begun - 1, patience)
    return relay.proved(tries, came.relayed, came.bounced)


def resolved(target: Target) -> str:
    """The server's address, for the forms that name it. Raises OSError."""
    kind = socket.AF_INET6 if ":" in target.source else socket.AF_UNSPEC
    try:
        found = socket.getaddrinfo(target.host, target.port, kind, socket.SOCK_STREAM)
    except OSError as error:
        raise OSError(f"{target.host}: {error.strerror}") from error
    return net.address(str(found[0][4][0]))


def table(tries: list[relay.Try]) -> Table:
    """The tries, for a terminal."""
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("VERDICT", "FORM"):
        rows.add_column(heading, no_wrap=True)
    rows.add_column("FROM → TO", overflow="fold")
    rows.add_column("ANSWER", overflow="fold")
    for tried in tries:
        took = f" ({tried.seconds:.1f} s)" if tried.seconds >= 1 else ""
        rows.add_row(
            Text(tried.verdict, style=COLOURS[tried.verdict]),
            tried.form,
            Text(f"<{tried.sender}> → <{tried.recipient}>"),
            Text(report.printable(f"{tried.step} {tried.reply}{took}".strip())),
        )
    return rows
