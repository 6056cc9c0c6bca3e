"""`mailwarden gateway`: enforce the decisions on Kafka at this relay."""

import logging
from pathlib import Path

import click

from agents import configuration
from agents.commands import options
from agents.edge.gateway import Edge
from agents.running import introduction, logs, state
from agents.running.control import Control
from agents.running.http import serve
from schemas.settings import KafkaSettings, SettingsError
from streams.bus import Bus

log = logging.getLogger(__name__)


@click.command("gateway")
@options.config
def command(config: Path | None) -> None:
    """Follow the decisions of the site, and keep the gateways of this machine like them.

    Runs on an edge relay or beside it. Without the broker it goes on with what it knew, from
    disk if need be, and leases end in time. SIGHUP reads the settings again, SIGTERM ends it;
    what is enforced then stays.

    \b
    mailwarden gateway -c /etc/mailwarden/mailwarden.toml
    """
    logs.configure()
    loaded = options.load_for_kafka(config)
    settings = loaded.settings
    if not loaded.gateways:
        log.warning("no gateway is configured: decisions are followed and enforced nowhere")
    try:
        signing_keys = configuration.signing(loaded)
    except SettingsError as error:
        raise options.Unusable(str(error)) from error
    snapshot = state.store(settings).with_name("decisions.snapshot")
    edge = Edge(
        loaded,
        lambda: _connect(settings.kafka),
        snapshot,
        keys=signing_keys,
    )
    server = serve(settings.http.listen, edge.pulse, "gateway")
    topic = introduction.topics(settings.kafka, "mail.decisions")
    introduction.tell(
        f"mailwarden follows {topic} at {introduction.broker(settings.kafka)}",
        f"and keeps like it: {introduction.named(loaded) or 'nothing'}",
        f"{introduction.settings(loaded)}; what it knows lies in {snapshot}",
        introduction.metrics(settings.http.listen, server),
    )
    try:
        edge.run(Control(lambda: configuration.load(config)))
    finally:
        edge.close()
        if server is not None:
            server.close()


def _connect(settings: KafkaSettings) -> Bus:
    """In the thread of the follower, which alone waits until all of it is loaded."""
    from streams.kafka_bus import KafkaBus

    return KafkaBus(settings)
