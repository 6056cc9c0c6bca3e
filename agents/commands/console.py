"""`mailwarden console`: what is going on, in a browser."""

import logging
import os
import sys
from pathlib import Path

import click
import uvloop

from agents import configuration
from agents.commands import options
from agents.console import main
from agents.console.access.people import LONGEST, hashed
from agents.running import logs
from schemas.settings import SettingsError
from streams.said import said

log = logging.getLogger(__name__)

SHORTEST = 12  # characters of a password
NICE = 5  # beside `run`: where processors are scarce, detection has its share first


@click.group("console", invoke_without_command=True)
@options.config
@options.kafka
@click.option("--child", is_flag=True, hidden=True, help="End with standard input.")
@click.pass_context
def command(ctx: click.Context, config: Path | None, kafka: bool, child: bool) -> None:
    """Serve the operator's console: what is going on, is it bad, what was done, what can be done.

    It shows what `mailwarden run` keeps on this server; with --kafka, what the whole site has on
    Kafka. `run` begins it by itself where the settings have a section [console]. Off loopback it
    needs users: docs/console.md. SIGHUP reads the settings again, SIGTERM ends it.

    \b
    mailwarden console
    mailwarden console --kafka -c /etc/mailwarden/mailwarden.toml
    mailwarden console password
    """
    if ctx.invoked_subcommand is not None:
        return
    logs.configure()
    if child:
        os.nice(NICE)
    loaded = options.load_for_kafka(config) if kafka else options.load(config)
    while True:
        try:
            why = uvloop.run(main.serve(loaded, kafka=kafka, child=child))
        except SettingsError as error:
            raise options.Unusable(str(error)) from error
        except (OSError, ValueError) as error:
            listen = main.settings(loaded).listen
            raise click.ClickException(
                f"{listen}: {getattr(error, 'strerror', '') or error}"
            ) from error
        if why == "end":
            return
        try:
            fresh = configuration.load(config)
            main.guarded(fresh)
        except SettingsError as error:
            log.error(said("reload failed", reason=error, meanwhile="the old settings stay"))
        else:
            loaded = fresh


@command.command("password", short_help="make the hash of a password")
def password() -> None:
    """Ask for a password and print its hash, for [console.users.NAME] or console.users_file.

    \b
    mailwarden console password
    pass show mailwarden | mailwarden console password
    """
    if sys.stdin.isatty():
        word = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        word = sys.stdin.readline().rstrip("\n")
    if not SHORTEST <= len(word) <= LONGEST:
        raise options.Unusable(f"expected a password of {SHORTEST} to {LONGEST} characters")
    click.echo(hashed(word))
