"""`mailwarden gateway`: enforce the decisions on Kafka at this relay."""

import logging
from pathlib import Path

import click

from agents import configuration
from agents.commands import options
from agents.commands.run import serve
from agents.edge.gateway import Edge
from agents.running import introduction, logs, state
from agents.running.control import Control
from streams.kafka_bus import KafkaBus

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
    snapshot = state.store(settings).with_name("decisions.json")
    edge = Edge(
        loaded,
        lambda: KafkaBus(settings.kafka),
        snapshot,
    )
    server = serve(settings, edge.pulse)
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
