"""Where alerts and decisions are kept, for the commands that show and change them."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from agents.commands import options
from agents.commands.options import Unusable
from agents.configuration import Config, signing
from agents.operator.ledger import BusLedger, Ledger
from agents.running import state
from agents.single.store import Store, StoreError
from schemas.settings import SettingsError
from streams.bus import BusError


@contextmanager
def opened(config: Config, *, kafka: bool) -> Iterator[Ledger]:
    """The ledger of Kafka, or of this server. What goes wrong ends the command with exit 1."""
    if kafka:
        with on_kafka(config) as ledger:
            yield ledger
        return
    path = state.store(config.settings)
    with _explained():
        if not path.exists():
            raise StoreError(
                f"{path}: nothing is kept here yet; has `mailwarden run` run on this server?"
                " (--kafka asks Kafka)"
            )
        with Store(path) as store:
            yield store


@contextmanager
def on_kafka(config: Config) -> Iterator[BusLedger]:
    """The ledger of Kafka."""
    from streams.kafka_bus import KafkaBus

    options.require_kafka(config)
    with _explained():
        keys = signing(config)
        bus = KafkaBus(config.settings.kafka)
        try:
            yield BusLedger(bus, keys=keys)
        finally:
            bus.close()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (StoreError, BusError) as error:
        raise click.ClickException(str(error)) from error
    except SettingsError as error:
        raise Unusable(str(error)) from error
