"""`mailwarden panic`: the kill switch. Everything that is enforced is lifted."""

import time
from collections.abc import Callable
from pathlib import Path

import click

from agents.commands import options
from agents.commands.decisions import signed
from agents.commands.kept import on_kafka
from agents.configuration import Config
from agents.operator import killswitch, report
from agents.running import state
from agents.single.store import Store, StoreError
from schemas.gateways import GatewayState

PATIENCE = 5.0  # seconds to wait for the gateways' word


@click.command("panic")
@options.config
@options.kafka
@click.option("--reason", default="panic", help="Why: colleagues will ask.")
def command(config: Path | None, kafka: bool, reason: str) -> None:
    """Lift everything that is enforced, within two seconds, and keep it lifted until
    `mailwarden resume`. Detection and alerts go on.

    With --kafka: at every gateway of the site, also at one that starts later. Says which gateways
    have done it; exit status 1 where one has not. Else on this host, by a file (response.panic, or
    `panic` beside the store); `touch` does as well.

    \b
    mailwarden panic --reason 'the partner is locked out'
    mailwarden panic --kafka --reason 'all of example.net is locked out'
    """
    settings = options.load(config)
    if kafka:
        everywhere(settings, pulled=True, reason=reason)
    else:
        _here(settings, reason)


def everywhere(settings: Config, *, pulled: bool, reason: str) -> None:
    """Tell all gateways, and tell which of them have done it."""
    with on_kafka(settings) as kept:
        gateways = kept.listen()
        now = time.time()
        awaited = killswitch.alive(gateways.states(), now)
        switch = killswitch.order(kept, gateways.switch, pulled=pulled, reason=reason, now=now)
        wanted = "has lifted everything" if pulled else "enforces again"
        confirm(
            gateways.states,
            lambda one: one.switch == switch.id and one.lifted == pulled,
            awaited,
            wanted,
        )


def confirm(
    states: Callable[[], list[GatewayState]],
    done: Callable[[GatewayState], bool],
    awaited: set[str],
    words: str,
) -> None:
    """Show who has done it, and end with exit status 1 where somebody has not."""
    missing = set(awaited)
    for one in killswitch.confirmations(states, done, awaited, PATIENCE):
        missing.discard(one.gateway)
        mark = click.style("✓", fg="green")
        click.echo(f"{mark} {report.printable(one.gateway)} {words}, after {one.after:.1f} s")
    for name in sorted(missing):
        mark = click.style("✗", fg="red")
        click.echo(f"{mark} {report.printable(name)} has not confirmed within {PATIENCE:.0f} s")
    if missing:
        click.get_current_context().exit(1)
    if not awaited:
        click.echo("No gateway has said anything within a minute; each will hear it at its start.")


def _here(settings: Config, reason: str) -> None:
    switch = state.panic(settings.settings)
    try:
        killswitch.pull(switch, signed(reason))
    except OSError as error:
        raise click.ClickException(f"{switch}: {error.strerror}") from error
    names = ", ".join(gateway.name for gateway in settings.gateways) or "no gateway here"
    click.echo(f"{switch} is there: everything is lifted ({names}). `mailwarden resume` ends it.")
    told_here(settings, pulled=True, reason=reason)


def told_here(settings: Config, *, pulled: bool, reason: str) -> None:
    """Note it in the trail of this server, and wait for the word of a process that runs here."""
    path = state.store(settings.settings)
    if not path.exists():
        return
    now = time.time()
    try:
        with Store(path) as store:
            store.note(killswitch.said(pulled=pulled, reason=reason, now=now))
            awaited = killswitch.alive(store.gateways(), now)
            if awaited:
                words = "has lifted everything" if pulled else "enforces again"
                confirm(
                    store.gateways,
                    lambda one: one.lifted == pulled and one.at >= now,
                    awaited,
                    words,
                )
    except StoreError as error:
        raise click.ClickException(str(error)) from error
