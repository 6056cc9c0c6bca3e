"""`mailwarden intake`: what other shippers publish on Kafka, to events."""

from pathlib import Path

import click

from agents import configuration
from agents.commands import options
from agents.running import logs
from agents.running.control import Control
from agents.running.http import Pulse, serve
from schemas.settings import SettingsError


@click.command("intake")
@options.config
def command(config: Path | None) -> None:
    """Read the topics on which others publish their logs, and publish events to the workers.

    Which topics these are is set by intake.topics (mail.raw); what shipper wrote them, and how,
    is found for each message. Lines are brought together by gateway on mail.lines. Start as many
    as are wanted: they share the work. SIGHUP reads the settings again, SIGTERM ends it.

    \b
    mailwarden topics create
    mailwarden intake -c /etc/mailwarden/mailwarden.toml
    """
    from agents.intake.main import run

    logs.configure()
    found = options.load_for_kafka(config)
    pulse = Pulse()
    server = serve(found.settings.http.listen, pulse, "intake")
    try:
        run(found, Control(lambda: configuration.load(config)), pulse)
    except SettingsError as error:
        raise options.Unusable(f"{found.where}: {error}") from error
    finally:
        if server is not None:
            server.close()
