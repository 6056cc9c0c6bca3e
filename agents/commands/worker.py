"""`mailwarden worker`: detection and response on Kafka."""

from pathlib import Path

import click

from agents import configuration
from agents.commands import options
from agents.running import introduction, logs
from schemas.settings import SettingsError


@click.command()
@options.config
def command(config: Path | None) -> None:
    """Detect and respond, on Kafka. Start as many as are wanted: they share the work.

    Reads mail.facts, and mail.events that other programs publish; writes mail.alerts and
    mail.decisions. The topics must exist: `mailwarden topics create`. SIGHUP reads the settings
    again, but for [kafka] and [http]; tell every worker. SIGTERM ends it with everything safe.

    \b
    mailwarden worker
    mailwarden worker -c /etc/mailwarden/mailwarden.toml
    """
    from agents.worker.main import run

    found = options.load_for_kafka(config)
    logs.configure()
    kafka, listen = found.settings.kafka, found.settings.http.listen
    introduction.tell(
        f"mailwarden works on {introduction.topics(kafka, 'mail.facts', 'mail.events')}"
        f" at {introduction.broker(kafka)}, in group {kafka.prefix}{kafka.group}",
        f"and writes {introduction.topics(kafka, 'mail.alerts', 'mail.decisions')};"
        f" {introduction.blocks(found, gateways=False)}",
        f"{introduction.settings(found)}; what it remembers is kept on Kafka",
        f"metrics at http://{listen}/metrics" if listen else "no metrics are served",
    )
    try:
        run(found, lambda: configuration.load(config))
    except SettingsError as error:
        raise options.Unusable(f"{found.where}: {error}") from error
