"""What all views look at: the picture, the read model, the settings; and the ledger for orders."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from agents.configuration import Config, signing
from agents.console.follower import Around, Follower
from agents.console.picture import Picture
from agents.console.running import Running, ask
from agents.console.shelf import Shelf
from agents.operator import topic_list
from agents.operator.ledger import BusLedger, Ledger
from agents.operator.topic_list import Row
from agents.running import state
from agents.single.changed import Changed
from agents.single.store import Store, StoreError
from schemas.keys import Key
from streams.bus import BusError

AGAIN = 30.0  # seconds between two looks at the topics

Opener = Callable[[], AbstractContextManager[Ledger]]
"""Opens the ledger that orders are written to. Errors: StoreError, BusError."""


class Desk:
    """For one thread, but for what the follower knows."""

    def __init__(
        self,
        config: Config,
        follower: Follower,
        shelf: Path,
        ledger: Opener,
        *,
        kafka: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.follower = follower
        self.ledger = ledger
        self.kafka = kafka
        self.clock = clock
        self._path = shelf
        self._asked = -AGAIN
        self._topics: tuple[list[Row], str] = [], ""
        self._shelf: Shelf | None = None
        self._changed: Changed | None = None

    @property
    def picture(self) -> Picture:
        return self.follower.picture

    @property
    def around(self) -> Around:
        return self.follower.around

    @property
    def shelf(self) -> Shelf:
        """The connection that reads."""
        if self._shelf is None:
            self._shelf = Shelf(self._path)
        return self._shelf

    def lifted(self) -> bool:
        """Whether the kill switch is pulled, here or for all gateways."""
        return self.config.lifted() or self.around.lifted

    def records(self, watched: Iterable[Key]) -> dict[Key, bytes]:
        """What the running process last made safe of these subjects. On Kafka the worker knows
        that owns them: none. Raises StoreError."""
        if self.kafka:
            return {}
        if self._changed is None or self._changed.moved():
            self._changed = Changed(state.store(self.config.settings))
        return {key: packed for key in watched if (packed := self._changed.record(key))}

    def running(self) -> tuple[Running | None, str]:
        """What `mailwarden run` says of itself, or why it does not."""
        listen = self.config.settings.http.listen
        if self.kafka:
            return None, "each worker, shipper and gateway serves its own metrics"
        if not listen:
            return None, "http.listen is empty: no metrics are served"
        try:
            return ask(listen), ""
        except (OSError, ValueError) as error:
            return None, f"{listen} does not answer: {error}"

    def topics(self) -> tuple[list[Row], str]:
        """The topics of Kafka that there should be, or why that is not known."""
        if not self.kafka:
            return [], ""
        now = time.monotonic()
        if now - self._asked > AGAIN:
            self._asked = now
            try:
                self._topics = topic_rows(self.config), ""
            except BusError as error:
                self._topics = [], str(error)
        return self._topics

    def close(self) -> None:
        for connection in (self._shelf, self._changed):
            if connection is not None:
                connection.close()


def topic_rows(config: Config) -> list[Row]:
    """The topics as the broker has them. Raises BusError."""
    from streams.kafka_bus import KafkaBus  # noqa: PLC0415 - slow to load

    bus = KafkaBus(config.settings.kafka)
    try:
        return topic_list.rows(bus, config.settings.kafka)
    finally:
        bus.close()


def opener(config: Config, *, kafka: bool) -> Opener:
    """How the ledger of Kafka, or of this server, is opened."""

    @contextmanager
    def on_kafka() -> Iterator[Ledger]:
        from streams.kafka_bus import KafkaBus  # noqa: PLC0415 - slow to load

        bus = KafkaBus(config.settings.kafka)
        try:
            yield BusLedger(bus, keys=signing(config))
        finally:
            bus.close()

    @contextmanager
    def on_store() -> Iterator[Ledger]:
        path = state.store(config.settings)
        if not path.exists():
            raise StoreError(f"{path}: nothing is kept here yet")
        with Store(path) as store:
            yield store

    return on_kafka if kafka else on_store


def path(config: Config) -> Path:
    """Where the read model lies."""
    console = config.settings.console
    named = console.path if console else ""
    return Path(named) if named else state.store(config.settings).with_name("console.db")
