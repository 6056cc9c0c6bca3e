"""`mailwarden panic`: the kill switch. Everything that is enforced here is lifted."""

from pathlib import Path

import click

from agents.commands import options
from agents.commands.decisions import signed
from agents.running import state


@click.command("panic")
@options.config
@click.option("--reason", default="panic", help="Why: colleagues will ask.")
def command(config: Path | None, reason: str) -> None:
    """Lift everything that is enforced on this host, within about a second, and keep it lifted
    until `mailwarden resume`. Detection and alerts go on.

    It makes a file (response.panic, else `panic` beside the store); `touch` does as well. On
    Kafka, do it on each host that runs a gateway.

    \b
    mailwarden panic --reason 'the partner is locked out'
    """
    settings = options.load(config)
    switch = state.panic(settings.settings)
    try:
        switch.parent.mkdir(parents=True, exist_ok=True)
        switch.write_text(f"{signed(reason)}\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{switch}: {error.strerror}") from error
    names = ", ".join(gateway.name for gateway in settings.gateways) or "no gateway here"
    click.echo(f"{switch} is there: everything is lifted ({names}). `mailwarden resume` ends it.")
