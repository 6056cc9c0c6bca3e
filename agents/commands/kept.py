"""Where alerts and decisions are kept, for the commands that show and change them."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from agents.commands import options
from agents.configuration import Config
from agents.operator.ledger import BusLedger, Ledger
from agents.running import state
from agents.single.store import Store, StoreError
from streams.bus import BusError


@contextmanager
def opened(config: Config, *, kafka: bool) -> Iterator[Ledger]:
    """The ledger of Kafka, or of this server. What goes wrong ends the command with exit 1."""
    try:
        if kafka:
            from streams.kafka_bus import KafkaBus

            options.require_kafka(config)
            bus = KafkaBus(config.settings.kafka)
            try:
                yield BusLedger(bus)
            finally:
                bus.close()
        else:
            path = state.store(config.settings)
            if not path.exists():
                raise StoreError(
                    f"{path}: nothing is kept here yet; has `mailwarden run` run on this server?"
                    " (--kafka asks Kafka)"
                )
            with Store(path) as store:
                yield store
    except (StoreError, BusError) as error:
        raise click.ClickException(str(error)) from error
