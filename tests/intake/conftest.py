"""A site on the real broker with an intake process, and what comes out of it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from agents.commands.topics import make
from schemas import wire
from schemas.events import Fact, Signal
from schemas.settings import KafkaSettings
from schemas.topics import Topic
from streams.kafka_bus import KafkaBus
from tests.waiting import wait_for
from tools.kafka import Broker

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 60.0
PARTITIONS = 4
numbers = count(1)


class Site:
    """Topics with a prefix of their own."""

    def __init__(self, broker: Broker, home: Path) -> None:
        self.home = home
        self.prefix = f"intake{os.getpid()}x{next(numbers)}."
        self.bootstrap = broker.bootstrap
        self.settings = KafkaSettings(
            bootstrap=(broker.bootstrap,), prefix=self.prefix, partitions=PARTITIONS
        )
        self._bus = KafkaBus(self.settings)
        make(self._bus, self.settings)
        self.file = home / "mailwarden.toml"
        self.configure("")
        self.producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
        self._processes: list[subprocess.Popen[bytes]] = []

    def configure(self, more: str) -> None:
        self.file.write_text(
            f"[kafka]\nbootstrap = ['{self.bootstrap}']\nprefix = '{self.prefix}'\n"
            f"partitions = {PARTITIONS}\nsession = 6\n[http]\nlisten = ''\n"
            f"[site]\nzone = 'UTC'\ndomains = ['example.org']\n{more}",
            encoding="utf-8",
        )

    def topic(self, name: str, partitions: int) -> str:
        """A topic of others, with a name that is not ours."""
        self._bus.create(Topic(name, "", ""), partitions, 1)
        return self.prefix + name

    def put(self, name: str, *values: object, partition: int | None = None, key: str = "") -> None:
        for value in values:
            raw = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.producer.send(name, raw, partition=partition, key=key.encode() or None)
        self.producer.flush(30)

    def start(self, command: str = "intake") -> "subprocess.Popen[bytes]":
        with (self.home / f"{command}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "mailwarden", command, "-c", str(self.file)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "STATE_DIRECTORY": str(self.home)},
            )
        self._processes.append(process)
        return process

    def log(self) -> str:
        return (self.home / "intake.log").read_text()

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
        self.producer.close()
        self._bus.close()

    def read(self, topic: str, *, committed: bool = True) -> list[object]:
        """All that lies there."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            enable_auto_commit=False,
            isolation_level="read_committed" if committed else "read_uncommitted",
        )
        name = self.prefix + topic
        places = [TopicPartition(name, n) for n in consumer.partitions_for_topic(name) or ()]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found: list[object] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=200).values():
                found += records
        consumer.close()
        return found

    def facts(self, *, committed: bool = True) -> dict[tuple[bytes, int], Fact]:
        """What the workers would fold, by origin and position. A fact that is there twice in
        committed messages of one partition, or under two positions, fails."""
        found: dict[tuple[bytes, int], Fact] = {}
        seen: set[tuple[bytes, int, int]] = set()
        for record in self.read("mail.facts", committed=committed):
            headers = dict(record.headers)  # type: ignore[attr-defined]
            events = wire.decode_events(record.value)  # type: ignore[attr-defined]
            if isinstance(events[0], Signal):
                continue
            positions = wire.decode_positions(headers["positions"])
            for position, event in zip(positions, events, strict=True):
                place = headers["origin"], position
                assert found.setdefault(place, event) == event
                lane = (*place, record.partition)  # type: ignore[attr-defined]
                assert lane not in seen or not committed
                seen.add(lane)
        return found

    def events(self) -> list[Fact]:
        return sorted(self.facts().values(), key=lambda event: event.at)

    def wait(self, done: Callable[[], object]) -> None:
        try:
            wait_for(done, seconds=SECONDS)
        except AssertionError as error:
            raise AssertionError(self.log()[-2000:]) from error


@pytest.fixture
def site(broker: Broker, tmp_path: Path) -> Iterator[Site]:
    running = Site(broker, tmp_path)
    yield running
    running.close()
