"""The bus across many machines: Apache Kafka, through kafka-python.

The producer is idempotent and waits for all replicas; a message that was handed over is never
given up, whatever the broker does, until `close`. Names of topics carry the prefix of the
settings on the broker only.
"""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.structs import OffsetAndMetadata

from schemas.settings import KafkaSettings
from schemas.topics import Topic
from streams.bus import BusError, Message
from streams.kafka_client import (
    BATCH,
    CONNECT,
    LARGEST,
    REQUEST,
    answers,
    close_consumer,
    close_producer,
    connected,
    connection,
    explained,
    reason,
)

LOOK = 2.5  # seconds without a word from a broker until one is looked for
NEVER = 2**31 - 1  # ms: a batch that is given up would let later ones overtake it
PENDING = 10_000  # messages that may wait for a flush
SESSION = 10.0  # seconds until a member that fell silent loses its partitions
SETTLED = 2.0  # seconds without news, for a partition whose last messages were compacted away


class KafkaBus:
    """Connects on first use. Raises BusError where no broker answers within about 5 s.

    A bus belongs to one thread.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: Any = None
        self._admin: Any = None
        self._pending: deque[Any] = deque()
        self._subscriptions: list[KafkaSubscription] = []

    def publish(
        self,
        topic: str,
        key: bytes,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        producer = self._connected_producer()
        name = self._settings.prefix + topic
        if len(self._pending) >= PENDING:
            self.flush(REQUEST)
        with explained(f"cannot publish to {name}"):
            known = producer.partitions_for(name)
            if not known or (partition is not None and partition not in known):
                raise BusError(f"there is no topic {name} with a partition {partition or 0}")
            self._pending.append(
                producer.send(
                    name,
                    key=key,
                    value=value,
                    partition=partition,
                    headers=list((headers or {}).items()),
                )
            )

    def flush(self, timeout: float) -> None:
        if not self._pending:
            return
        deadline = time.monotonic() + timeout
        with explained(f"{len(self._pending)} messages are not safe yet"):
            while True:
                left = deadline - time.monotonic()
                try:
                    self._connected_producer().flush(min(left, LOOK))
                    break
                except KafkaTimeoutError:
                    if left <= LOOK:
                        raise
                answers(self._settings)
        refused = [future.exception for future in self._pending if future.failed()]
        self._pending.clear()
        if refused:
            raise BusError(f"{len(refused)} messages were refused: {reason(refused[0])}")

    def subscribe(
        self, topics: Sequence[str], group: str | None, since: float = 0.0
    ) -> "KafkaSubscription":
        names = [self._settings.prefix + topic for topic in topics]
        consumer = connected(
            self._settings,
            lambda: KafkaConsumer(
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                session_timeout_ms=int(SESSION * 1000),
                heartbeat_interval_ms=int(SESSION * 250),
                fetch_max_wait_ms=100,
                reconnect_backoff_max_ms=1000,
                **connection(self._settings),
            ),
        )
        try:
            subscription = KafkaSubscription(self._settings, consumer, names, group, since)
        except BusError:
            close_consumer(consumer)
            raise
        self._subscriptions.append(subscription)
        return subscription

    def topics(self) -> dict[str, int]:
        prefix = self._settings.prefix
        with explained("cannot list the topics"):
            found = self._connected_admin().describe_topics()
        return {
            topic["name"].removeprefix(prefix): len(topic["partitions"])
            for topic in found
            if topic["name"].startswith(prefix) and not topic["is_internal"]
        }

    def identity(self, topic: str) -> str:
        """The id that the broker gave to a topic: another one once it is made anew."""
        name = self._settings.prefix + topic
        with explained(f"cannot describe {name}"):
            (found,) = self._connected_admin().describe_topics([name])
        return str(found["topic_id"])

    def create(self, topic: Topic, partitions: int, replication: int) -> None:
        name = self._settings.prefix + topic.name
        with explained(f"cannot create topic {name}"):
            self._connected_admin().create_topics(
                {
                    name: {
                        "num_partitions": partitions,
                        "replication_factor": replication,
                        "configs": topic.config,
                    }
                },
                timeout_ms=int(REQUEST * 1000),
                wait_for_metadata=True,
            )

    def close(self) -> None:
        for subscription in self._subscriptions:
            subscription.close()
        if self._producer is not None:
            close_producer(self._producer)
        if self._admin is not None:
            self._admin.close()
        self._producer = self._admin = None
        self._pending.clear()
        self._subscriptions.clear()

    def _connected_producer(self) -> Any:
        if self._producer is None:
            self._producer = connected(
                self._settings,
                lambda: KafkaProducer(
                    acks="all",
                    enable_idempotence=True,
                    compression_type="lz4",
                    linger_ms=5,
                    batch_size=BATCH,
                    max_request_size=LARGEST,
                    max_block_ms=int(CONNECT * 1000),
                    delivery_timeout_ms=NEVER,
                    allow_auto_create_topics=False,
                    reconnect_backoff_max_ms=1000,
                    **connection(self._settings),
                ),
            )
        return self._producer

    def _connected_admin(self) -> Any:
        if self._admin is None:
            self._admin = connected(
                self._settings, lambda: KafkaAdminClient(**connection(self._settings))
            )
        return self._admin


class KafkaSubscription:
    """One consumer. Without a group it holds all partitions itself."""

    def __init__(
        self,
        settings: KafkaSettings,
        consumer: Any,
        names: list[str],
        group: str | None,
        since: float = 0.0,
    ) -> None:
        prefix = len(settings.prefix)
        self._settings = settings
        self._looked = time.monotonic()
        self._consumer = consumer
        self._group = group
        self._prefix = prefix
        self._polled = time.monotonic()
        with explained(f"cannot read {', '.join(names)}"):
            places = []
            for name in names:
                known = consumer.partitions_for_topic(name)
                if not known:
                    raise BusError(f"there is no topic {name}")
                places += [TopicPartition(name, index) for index in sorted(known)]
            self._ends: dict[Any, int] = consumer.end_offsets(
                places, timeout_ms=int(REQUEST * 1000)
            )
            if group is None:
                consumer.assign(places)
            else:
                if since:
                    self._begin(places, since)
                consumer.subscribe(names)

    def poll(self, timeout: float) -> list[Message]:
        with explained("cannot poll"):
            batches = self._consumer.poll(timeout_ms=int(timeout * 1000))
        if batches:
            self._polled = self._looked = time.monotonic()
        elif time.monotonic() - self._looked > LOOK:
            # The library polls on for ever where no broker is left.
            answers(self._settings)
            self._looked = time.monotonic()
        return [
            Message(
                record.topic[self._prefix :],
                record.partition,
                record.offset,
                record.key or b"",
                record.value,
                dict(record.headers),
                record.timestamp / 1000,
            )
            for records in batches.values()
            for record in records
        ]

    def caught_up(self) -> bool:
        consumer = self._consumer
        assigned = consumer.assignment()
        return bool(assigned) and all(self._reached(place) for place in assigned)

    def ends(self) -> dict[tuple[str, int], int]:
        return {
            (place.topic[self._prefix :], place.partition): end for place, end in self._ends.items()
        }

    def commit(self, done: Mapping[tuple[str, int], int] | None = None) -> None:
        if self._group is None:
            return
        offsets = None
        if done is not None:
            assigned = self._consumer.assignment()
            places = {self._place(*place): offset for place, offset in done.items()}
            offsets = {p: _offset(at) for p, at in places.items() if p in assigned}
            if not offsets:
                return
        with explained("cannot commit"):
            self._consumer.commit(offsets, timeout_ms=int(REQUEST * 1000))

    def hold(self, held: bool) -> None:
        assigned, paused = self._consumer.assignment(), self._consumer.paused()
        if held:
            self._consumer.pause(*(assigned - paused))
        else:
            self._consumer.resume(*(paused & assigned))

    def close(self) -> None:
        close_consumer(self._consumer)

    def _place(self, topic: str, partition: int) -> Any:
        return TopicPartition(f"{self._settings.prefix}{topic}", partition)

    def _begin(self, places: list[Any], since: float) -> None:
        """Where the group knows no position, it begins with what was published since then. A
        group with other members has one: the broker refuses ours."""
        wait = int(REQUEST * 1000)
        consumer = self._consumer
        fresh = [place for place in places if consumer.committed(place, timeout_ms=wait) is None]
        if not fresh:
            return
        found = consumer.offsets_for_times(dict.fromkeys(fresh, int(since * 1000)))
        begins = {
            place: _offset(found[place].offset if found.get(place) else self._ends[place])
            for place in fresh
        }
        consumer.assign(places)
        with suppress(KafkaError):
            consumer.commit(begins, timeout_ms=wait)
        consumer.unsubscribe()

    def _reached(self, place: Any) -> bool:
        with explained("cannot tell the position"):
            position = self._consumer.position(place, timeout_ms=0)
        end = self._ends.get(place, 0)
        if position is not None and position >= end:
            return True
        # Compaction can leave a gap at the end, which no message will ever bridge.
        heard = (self._consumer.highwater(place) or 0) >= end
        return heard and time.monotonic() - self._polled > SETTLED


def _offset(offset: int) -> Any:
    return OffsetAndMetadata(offset, "", -1)
