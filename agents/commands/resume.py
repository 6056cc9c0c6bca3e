"""`mailwarden resume`: the kill switch goes back."""

from pathlib import Path

import click

from agents.commands import options
from agents.running import state


@click.command("resume")
@options.config
def command(config: Path | None) -> None:
    """Enforce again what is in force, after `mailwarden panic`.

    \b
    mailwarden resume
    """
    switch = state.panic(options.load(config).settings)
    try:
        switch.unlink()
    except FileNotFoundError:
        click.echo(f"{switch} is not there: nothing was lifted.")
    except OSError as error:
        raise click.ClickException(f"{switch}: {error.strerror}") from error
    else:
        click.echo(f"{switch} is gone: what is in force is enforced again.")
