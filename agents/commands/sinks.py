"""`mailwarden sinks`: tell the SOC of the alerts on Kafka."""

from pathlib import Path

import click

from agents import configuration
from agents.commands import options
from agents.running import introduction, logs, state
from agents.running.control import Control
from agents.running.http import serve
from agents.telling.telling import Telling
from schemas.settings import KafkaSettings, SettingsError
from streams import tracing
from streams.bus import Bus


@click.command("sinks")
@options.config
def command(config: Path | None) -> None:
    """Read the alerts of the site, and tell them to the sinks of the settings.

    Each sink has a consumer group of its own: one that is slow or gone holds up neither the
    others nor the workers, and goes on where it stopped. Start it once, or several times for one
    to take over; they share the work. SIGHUP reads the settings again, SIGTERM ends it.

    \b
    mailwarden sinks -c /etc/mailwarden/mailwarden.toml
    """
    logs.configure()
    loaded = options.load_for_kafka(config)
    if not loaded.sinks:
        raise options.Unusable(f"{loaded.where}: no sink is configured: add [sinks.NAME]")
    settings = loaded.settings
    try:
        tracing.begin(settings.traces, "mailwarden-sinks", loaded.host)
    except SettingsError as error:
        raise options.Unusable(f"{loaded.where}: {error}") from error
    telling = Telling(loaded, lambda: _connect(settings.kafka), state.sinks(settings))
    server = serve(settings.http.listen, telling.pulse, "sinks")
    topic = introduction.topics(settings.kafka, "mail.alerts")
    introduction.tell(
        f"mailwarden tells of {topic} at {introduction.broker(settings.kafka)}",
        *(f"{sink.name}: {sink.about()}; {sink.of()}" for sink in loaded.sinks),
        introduction.settings(loaded),
        introduction.metrics(settings.http.listen, server),
    )
    try:
        telling.run(Control(lambda: configuration.load(config)))
    finally:
        telling.close()
        tracing.end()
        if server is not None:
            server.close()


def _connect(settings: KafkaSettings) -> Bus:
    """In the thread of a reader, which alone waits until all of it is loaded."""
    from streams.kafka_bus import KafkaBus

    return KafkaBus(settings)
