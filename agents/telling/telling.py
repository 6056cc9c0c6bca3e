"""The loop of `mailwarden sinks`: a reader for each sink, health, reload."""

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from agents.configuration import Config
from agents.running.http import Health, Pulse
from agents.running.loop import Control
from agents.telling.memory import Memory
from agents.telling.reader import Reader
from streams.bus import Bus
from streams.sink import Sink

TURN = 0.2  # seconds


class Telling:
    """`connect` makes a bus for each reader's thread; in `folder` each keeps what it told."""

    def __init__(
        self,
        config: Config,
        connect: Callable[[], Bus],
        folder: Path,
        clock: Callable[[], float] = time.time,
        patience: tuple[float, float] | None = None,
    ) -> None:
        self.config = config
        self.pulse = Pulse()
        self._connect = connect
        self._folder = folder
        self._clock = clock
        self._patience = patience
        self._readers = self._begun()

    def run(self, control: Control) -> None:
        """Until told to stop."""
        while not control.stopped():
            config = control.reloaded()
            if config is not None:
                self.reload(config)
            self.pulse.beat(self.health())
            time.sleep(TURN)

    def health(self) -> Health:
        """A receiver that is away is no reason to restart us."""
        troubles = (trouble for reader in self._readers for trouble in reader.troubles())
        return Health((), tuple(dict.fromkeys(troubles)))

    def reload(self, config: Config) -> None:
        """Go on with other sinks. The settings of Kafka stay until the next start."""
        self.close()
        self.config = config
        self._readers = self._begun()

    def close(self) -> None:
        for reader in self._readers:
            reader.stop()
        for reader in self._readers:
            reader.close()
        self._readers = []

    def _begun(self) -> list[Reader]:
        return [self._reader(sink) for sink in self.config.sinks]

    def _reader(self, sink: Sink) -> Reader:
        name = group(self.config, sink.name)
        memory = Memory(self._folder / f"{quote(name, safe='')}.json")
        return Reader(sink, self._connect, name, memory, self._clock, self._patience)


def group(config: Config, sink: str) -> str:
    """The consumer group of a sink: a sink of another name begins anew."""
    return f"{config.settings.kafka.group}-sink-{sink}"
