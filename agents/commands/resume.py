"""`mailwarden resume`: the kill switch goes back."""

from pathlib import Path

import click

from agents.commands import options
from agents.commands.panic import everywhere, told_here
from agents.running import state


@click.command("resume")
@options.config
@options.kafka
@click.option("--reason", default="resume", help="Why: colleagues will ask.")
def command(config: Path | None, kafka: bool, reason: str) -> None:
    """Enforce again what is in force, after `mailwarden panic`; with --kafka at every gateway.

    A host on which the file was made besides stays lifted until it is resumed there as well.

    \b
    mailwarden resume
    mailwarden resume --kafka
    """
    settings = options.load(config)
    if kafka:
        everywhere(settings, pulled=False, reason=reason)
        return
    switch = state.panic(settings.settings)
    try:
        switch.unlink()
    except FileNotFoundError:
        click.echo(f"{switch} is not there: nothing was lifted.")
    except OSError as error:
        raise click.ClickException(f"{switch}: {error.strerror}") from error
    else:
        click.echo(f"{switch} is gone: what is in force is enforced again.")
        told_here(settings, pulled=False, reason=reason)
