"""Workers on a real broker, and the truth that they are held against. For tests and load."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from msgspec import Struct

from agents.configuration import Config, load
from agents.record import Record, unpack
from agents.shard import Shard
from agents.worker.slots import Ring
from schemas import keys, wire
from schemas.events import Auth, Fact
from schemas.findings import Alert
from schemas.settings import KafkaSettings
from schemas.topics import TOPICS, changelog
from streams.kafka_bus import KafkaBus

ROOT = Path(__file__).resolve().parent.parent
PACKED = 50  # events of one message
SHIPPER = "shipper:mail.log"


def guesses(
    count: int, clients: int, seed: int = 1, pace: float = 0.001, until: float | None = None
) -> list[Auth]:
    """Failed logins, a few clients with much of them, each with an offset of its own."""
    chance = random.Random(seed)
    began = (until or time.time()) - count * pace
    addresses = [
        f"{chance.randrange(1, 223)}.{chance.randrange(256)}.{chance.randrange(256)}.{index % 256}"
        for index in range(clients)
    ]
    return [
        Auth(
            at=round(began + index * pace, 3),
            gateway=f"mx{index % 4}.example.net",
            client=addresses[int(clients * chance.random() ** 3)],
            account=f"user{chance.randrange(clients)}@example.com",
            reason="bad_password",
            mechanism="PLAIN",
            service="submission",
            offset=index,
        )
        for index in range(count)
    ]


class Batch(Struct):
    partition: int
    value: bytes
    headers: list[tuple[str, bytes]]
    events: int


def packed(
    events: Iterable[Fact], config: Config, partitions: int, size: int = PACKED
) -> Iterator[Batch]:
    """Events as a shipper sends them: once to each partition of their subjects, packed."""
    waiting: list[list[tuple[int, Fact]]] = [[] for _ in range(partitions)]
    for position, event in enumerate(events):
        for target in {keys.partition(key, partitions) for key in keys.keys(event, config.site)}:
            waiting[target].append((position, event))
            if len(waiting[target]) == size:
                yield _batch(target, waiting[target])
                waiting[target] = []
    for target, some in enumerate(waiting):
        if some:
            yield _batch(target, some)


def _batch(partition: int, some: list[tuple[int, Fact]]) -> Batch:
    headers = [
        ("origin", SHIPPER.encode()),
        ("positions", wire.encode_positions([position for position, _ in some])),
    ]
    return Batch(partition, wire.encode_events([event for _, event in some]), headers, len(some))


class Process:
    """A worker process; what it says lies in `log`."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.log = log
        with log.open("ab") as file:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=ROOT,
                env={**os.environ, "STATE_DIRECTORY": str(log.parent)},
            )
        self.pid = self._child.pid

    def said(self, text: str) -> bool:
        return text in self.log.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()

    def end(self, seconds: float = 30.0) -> int:
        """SIGTERM; its return code."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        return self._child.wait(seconds)

    def ended(self) -> int | None:
        return self._child.poll()


class Cluster:
    """One site on a broker: topics of its own, workers, what is fed and what came of it."""

    def __init__(
        self,
        bootstrap: str,
        home: Path,
        partitions: int = 8,
        session: float = 6.0,
        worker: Sequence[str] = ("-m", "load.tally_worker"),
        more: str = "",  # further sections of the settings
    ) -> None:
        name = f"{home.name}-{os.getpid()}-{random.randrange(10**6)}."
        self.settings = KafkaSettings(
            bootstrap=(bootstrap,), prefix=name, partitions=partitions, session=session
        )
        self.partitions = partitions
        self._home = home
        self._worker = worker
        self._processes: list[Process] = []
        bus = KafkaBus(self.settings)
        for topic in (*TOPICS, changelog(self.settings.group)):
            bus.create(topic, partitions if topic.many else 1, 1)
        bus.close()
        self._file = home / "mailwarden.toml"
        self._file.write_text(
            f"[kafka]\nbootstrap = ['{bootstrap}']\nprefix = '{name}'\n"
            f"partitions = {partitions}\nsession = {session}\n[http]\nlisten = ''\n{more}",
            encoding="utf-8",
        )
        self.config = load(self._file)  # events are routed by what the workers know of the site
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=5,
            batch_size=400_000,
        )

    def close(self) -> None:
        for process in self._processes:
            if process.ended() is None:
                process.kill()
        self._producer.close()

    def start(self, *arguments: str, listen: str = "") -> Process:
        """One worker more. It serves its metrics at `listen` (host:port)."""
        name = f"worker{len(self._processes)}"
        file = self._home / f"{name}.toml"
        settings = self._file.read_text(encoding="utf-8")
        file.write_text(settings.replace("listen = ''", f"listen = '{listen}'"), encoding="utf-8")
        command = [sys.executable, *self._worker, *arguments, "-c", str(file)]
        process = Process(command, self._home / f"{name}.log")
        self._processes.append(process)
        return process

    def told(self, lines: int = 40) -> str:
        """What is left to fold, and the last that each process wrote: where a wait was in vain."""
        parts = [f"lag: {self.lag()}"]
        for process in self._processes:
            text = process.log.read_text(encoding="utf-8", errors="replace")
            parts += [
                f"-- {process.log.name}, ended: {process.ended()}",
                *text.splitlines()[-lines:],
            ]
        return "\n".join(parts)

    def name(self, topic: str) -> str:
        return self.settings.prefix + topic

    def feed(self, batches: Iterable[Batch], rate: float = 0.0) -> int:
        """Publish; at most `rate` deliveries a second. Returns how many there were."""
        began = time.monotonic()
        sent = 0
        for batch in batches:
            self._producer.send(
                self.name("mail.facts"),
                value=batch.value,
                partition=batch.partition,
                headers=batch.headers,
            )
            sent += batch.events
            ahead = rate and sent / rate - (time.monotonic() - began)
            if ahead > 0.02:
                time.sleep(ahead)
        self._producer.flush(60)
        return sent

    def publish(self, values: Iterable[bytes]) -> None:
        """Publish to mail.events, one event a message, in order."""
        for value in values:
            self._producer.send(self.name("mail.events"), key=b"one", value=value)
        self._producer.flush(60)

    def committed(self) -> dict[TopicPartition, int]:
        """How far the group has come; nothing while nobody can tell."""
        admin = KafkaAdminClient(bootstrap_servers=list(self.settings.bootstrap))
        group = self.settings.prefix + self.settings.group
        try:
            found = admin.list_group_offsets(group)[group]
        except KafkaError:  # nobody has been its coordinator yet
            return {}
        finally:
            admin.close()
        return {place: max(0, each.offset) for place, each in found.items()}

    def lag(self) -> int:
        """Messages of mail.facts and mail.events that are not committed yet."""
        consumer = self._consumer()
        places = self._places(consumer, "mail.facts") + self._places(consumer, "mail.events")
        ends = consumer.end_offsets(places)
        consumer.close()
        committed = self.committed()
        if not committed:
            return max(1, sum(map(int, ends.values())))
        return sum(int(end) - committed.get(place, 0) for place, end in ends.items())

    def drained(self, seconds: float) -> bool:
        """Whether all that was fed is committed within `seconds`, twice in a row: signals of
        one partition to another come after."""
        quiet = 0

        def done() -> bool:
            nonlocal quiet
            quiet = quiet + 1 if self.lag() == 0 else 0
            return quiet >= 3

        return wait(done, seconds, 0.5)

    # -- what came of it ----------------------------------------------------------------------

    def alerts(self) -> dict[str, Alert]:
        """The newest of each alert."""
        return {
            key.decode(): wire.decode_alert(value)
            for key, value in self._all("mail.alerts")
            if key and value
        }

    def dead(self) -> list[bytes]:
        return [value for _, value in self._all("mail.dead") if value]

    def records(self) -> dict[str, list[Any]]:
        """What is safe of each subject's tally: count, total, told, heard."""
        stored: dict[bytes, bytes | None] = {
            key: value for key, value in self._all(changelog(self.settings.group).name) if key
        }
        by_partition: dict[bytes, list[tuple[int, bytes]]] = {}
        for key, value in stored.items():
            if value is not None:
                partition, _, number = key.partition(b"/")
                by_partition.setdefault(partition, []).append((int(number), value))
        found: dict[str, Any] = {}
        for slots in by_partition.values():
            found |= Ring().restore(slots)[1]
        return {key: tally(unpack(data)) for key, data in found.items()}

    def _all(self, topic: str) -> list[tuple[bytes | None, bytes | None]]:
        consumer = self._consumer()
        places = self._places(consumer, topic)
        ends = consumer.end_offsets(places)
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        found = []
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=500).values():
                found += [(record.key, record.value) for record in records]
        consumer.close()
        return found

    def _consumer(self) -> KafkaConsumer:
        return KafkaConsumer(
            bootstrap_servers=list(self.settings.bootstrap), enable_auto_commit=False
        )

    def _places(self, consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
        name = self.name(topic)
        return [TopicPartition(name, n) for n in sorted(consumer.partitions_for_topic(name))]


def tally(record: Record) -> list[Any]:
    """The state of a record's tally as plain data, comparable whether it was packed or not."""
    state = record.states.get("tally")
    if state is None:
        return [0, 0, [], []]
    count, total, told, heard = msgspec.msgpack.decode(msgspec.msgpack.encode(state))
    return [count, total, sorted(told), sorted(heard)]


def expected(shard: Shard, events: Iterable[Fact]) -> tuple[dict[str, list[Any]], dict[str, Alert]]:
    """Records and alerts of an embedded shard that folds the same events."""
    for event in events:
        shard.fold(event)
    shard.drain()
    records = {key: tally(record) for key, record in shard.records.items()}
    return records, {alert.id: alert for alert in shard.take().alerts}


def essence(alerts: dict[str, Alert]) -> dict[str, tuple[Any, ...]]:
    """What must be alike in every run."""
    return {
        key: (
            alert.detector,
            alert.subject,
            alert.shape,
            alert.severity,
            [(seen.sign, seen.count) for seen in alert.evidence],
        )
        for key, alert in alerts.items()
    }


def wait(done: Callable[[], bool], seconds: float, pause: float = 0.1) -> bool:
    """Whether `done` came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
