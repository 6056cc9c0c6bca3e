"""From topics to topics, each message once: what was read of Kafka, and what came of it.

A `Flow` is a member of a consumer group and a transactional producer (KIP-98, KIP-447). What is
made goes out together with how far was read, both or neither; a member that lost its partitions
meanwhile is fenced off by the broker, and whoever gets them begins where the last transaction
ended. Whoever reads it must read committed messages only.

What is told goes out before that, outside of the transaction, whose marks in a topic would cost
the workers dearly (they read a partition again at each gap of offsets). Whoever begins after a
process that was killed in between asks what was told since (`since`), and tells the rest.

Topics have their names on the broker.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.coordinator.assignors.abstract import (
    AbstractPartitionAssignor,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata
from msgspec import Struct

from schemas.settings import KafkaSettings
from streams.bus import Message
from streams.kafka_client import (
    BATCH,
    CLOSE,
    CONNECT,
    LARGEST,
    REQUEST,
    close_producer,
    connected,
    connection,
    explained,
)

TRANSACTION = 15.0  # seconds until the broker gives up one whose producer is dead
DELIVERY = 20.0  # seconds until a message that no broker takes fails its transaction
MOST = 5000  # messages of one poll

Place = tuple[str, int]
"""A topic and a partition."""


class Made(Struct, frozen=True, gc=False):
    """A message to be published. `value` None deletes, on a compacted topic."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = []


class Flow:
    """Raises BusError, after which it can only be closed: another one goes on where the last
    `commit` was."""

    def __init__(self, settings: KafkaSettings, group: str, identity: str, shared: str) -> None:
        """`identity` is this process's for as long as its state directory: a transaction that it
        left open ends at once when it begins again. The partitions of the topic `shared` are
        divided among the members; those of all others go to one, which can tell their order."""
        self._settings = settings
        self._changes = _Changes()
        self._ends: dict[Place, int] = {}
        self._consumer: Any = connected(
            settings,
            lambda: KafkaConsumer(
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                allow_auto_create_topics=False,
                session_timeout_ms=int(settings.session * 1000),
                heartbeat_interval_ms=int(settings.session * 250),
                fetch_max_wait_ms=100,
                max_poll_records=MOST,
                partition_assignment_strategy=[_Together(shared)],
                reconnect_backoff_max_ms=1000,
                **connection(settings),
            ),
        )
        self._producer: Any = None
        self._teller: Any = None
        try:
            self._teller = _producer(settings, enable_idempotence=True)
            self._producer = _producer(
                settings,
                transactional_id=identity,
                transaction_timeout_ms=int(TRANSACTION * 1000),
            )
            with explained("cannot begin transactions"):
                self._producer.init_transactions()
        except BaseException:
            self.close()
            raise

    def subscribe(self, topics: Iterable[str]) -> None:
        self._consumer.subscribe(sorted(topics), listener=self._changes)

    def poll(self, timeout: float) -> dict[Place, list[Message]]:
        with explained("cannot poll"):
            found = self._consumer.poll(timeout_ms=int(timeout * 1000))
        return {
            (place.topic, place.partition): [
                Message(
                    record.topic,
                    record.partition,
                    record.offset,
                    record.key or b"",
                    record.value,
                    published=record.timestamp / 1000,
                )
                for record in records
            ]
            for place, records in found.items()
        }

    def changed(self) -> bool:
        """Whether partitions came or went since the last call."""
        changed, self._changes.changed = self._changes.changed, False
        if changed:
            places = list(self._consumer.assignment())
            with explained("cannot tell the ends of the topics"):
                ends = self._consumer.end_offsets(places, timeout_ms=int(REQUEST * 1000))
            self._ends = {(place.topic, place.partition): end for place, end in ends.items()}
        return changed

    def assigned(self) -> set[Place]:
        return {(place.topic, place.partition) for place in self._consumer.assignment()}

    def committed(self, place: Place) -> tuple[int, float]:
        """The first message that is not done with, and when that was said, as Unix seconds; zeros
        where nothing was committed."""
        with explained("cannot tell what is committed"):
            found = self._consumer.committed(
                TopicPartition(*place),
                metadata=True,
                timeout_ms=int((TRANSACTION + REQUEST) * 1000),
            )
        return (found.offset, float(found.metadata)) if found else (0, 0.0)

    def seek(self, place: Place, offset: int) -> None:
        self._consumer.seek(TopicPartition(*place), offset)

    def caught_up(self, place: Place) -> bool:
        """Whether all that lies there was polled, as far as is known."""
        found = TopicPartition(*place)
        with explained("cannot tell the position"):
            position = self._consumer.position(found, timeout_ms=0)
        heard = self._consumer.highwater(found) or 0
        return position is not None and position >= max(self._ends.get(place, 0), heard)

    def hold(self, places: Iterable[Place]) -> None:
        """Poll no messages of these for now, but of all others."""
        held = {TopicPartition(*place) for place in places}
        before = self._consumer.paused()
        self._consumer.pause(*(held - before))
        self._consumer.resume(*(before - held))

    def commit(
        self, told: Sequence[Made], made: Sequence[Made], done: Mapping[Place, int], now: float
    ) -> None:
        """Publish what is told; then what is made, and be done with all messages before these
        offsets: both or neither."""
        if told:
            with explained("cannot publish"):
                _send(self._teller, told)
        with explained("the transaction failed"):
            producer = self._producer
            # kafka-python's own calls wait for ever where a coordinator went meanwhile.
            manager, wake = producer._transaction_manager, producer._sender.wakeup
            producer.begin_transaction()
            offsets = {
                TopicPartition(*place): OffsetAndMetadata(offset, f"{now:.3f}", -1)
                for place, offset in done.items()
            }
            _wait(
                manager.send_offsets_to_transaction(offsets, self._consumer.group_metadata()), wake
            )
            _send(producer, made)
            _wait(manager.begin_commit(), wake)

    def since(self, topic: str, at: float, partitions: Iterable[int] = ()) -> list[Message]:
        """All that lies in these partitions (none: in all) and was published at `at` or later."""
        reader: Any = connected(
            self._settings,
            lambda: KafkaConsumer(
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                allow_auto_create_topics=False,
                **connection(self._settings),
            ),
        )
        try:
            found: list[Message] = []
            with explained(f"cannot read {topic}"):
                known = partitions or reader.partitions_for_topic(topic) or ()
                places = [TopicPartition(topic, partition) for partition in sorted(known)]
                reader.assign(places)
                ends = reader.end_offsets(places, timeout_ms=int(REQUEST * 1000))
                begins = reader.offsets_for_times(dict.fromkeys(places, int(at * 1000)))
                for place in places:
                    begin = begins.get(place)
                    reader.seek(place, begin.offset if begin else ends[place])
                deadline = time.monotonic() + DELIVERY
                while any(reader.position(place) < ends[place] for place in places):
                    if time.monotonic() > deadline:
                        raise KafkaError(f"{topic} does not come to its end")
                    for records in reader.poll(timeout_ms=200).values():
                        found += [
                            Message(
                                topic, r.partition, r.offset, r.key or b"", r.value, dict(r.headers)
                            )
                            for r in records
                        ]
            return found
        finally:
            reader.close(autocommit=False, timeout_ms=int(CLOSE * 1000))

    def close(self) -> None:
        for producer in (self._producer, self._teller):
            if producer is not None:
                close_producer(producer)
        with suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=int(CLOSE * 1000))


def _producer(settings: KafkaSettings, **more: Any) -> Any:
    return connected(
        settings,
        lambda: KafkaProducer(
            acks="all",
            compression_type="lz4",
            batch_size=BATCH,
            max_request_size=LARGEST,
            max_block_ms=int(CONNECT * 1000),
            delivery_timeout_ms=int(DELIVERY * 1000),
            allow_auto_create_topics=False,
            reconnect_backoff_max_ms=1000,
            **more,
            **connection(settings),
        ),
    )


def _wait(result: Any, wake: Callable[[], None]) -> None:
    """Until the broker has done it. A transaction that fails is left open: whoever begins again
    under its identity, or its time, ends it."""
    wake()
    if not result.wait(int(TRANSACTION * 1000)):
        raise KafkaTimeoutError("no broker answers")


def _send(producer: Any, messages: Iterable[Made]) -> None:
    """Publish, and wait until all is safe."""
    futures = [
        producer.send(
            one.topic, key=one.key, value=one.value, partition=one.partition, headers=one.headers
        )
        for one in messages
    ]
    producer.flush(DELIVERY)
    for future in futures:
        if future.failed():
            raise future.exception


class _Together(AbstractPartitionAssignor):  # type: ignore[misc]
    """One topic's partitions are divided, all others' stay together."""

    name = "together"
    version = 0

    def __init__(self, shared: str) -> None:
        self._shared = shared

    def assign(self, cluster: Any, members: Any) -> dict[str, Any]:
        names = sorted(member.member_id for member in members)
        found: dict[str, dict[str, list[int]]] = {name: {} for name in names}
        for topic in {topic for member in members for topic in member.metadata.topics}:
            partitions = sorted(cluster.partitions_for_topic(topic) or ())
            if topic != self._shared:
                found[names[-1]][topic] = partitions
                continue
            for number, partition in enumerate(partitions):
                found[names[number % len(names)]].setdefault(topic, []).append(partition)
        return {
            name: ConsumerProtocolAssignment(self.version, sorted(topics.items()), b"")
            for name, topics in found.items()
        }

    def metadata(self, topics: Any) -> Any:
        return ConsumerProtocolSubscription(self.version, list(topics), b"")

    def on_assignment(self, assignment: Any, generation: Any) -> None:
        """Nothing is remembered of it."""


class _Changes(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes that partitions came or went. Nothing is done then and there: all that was polled
    was committed before the next poll."""

    changed = False

    def on_partitions_revoked(self, revoked: object) -> None:
        self.changed = True

    def on_partitions_assigned(self, assigned: object) -> None:
        self.changed = True
