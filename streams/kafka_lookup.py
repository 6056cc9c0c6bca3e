"""What lies at a place of a topic, asked of the broker itself, beside whoever consumes it."""

import threading
import time
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from schemas.settings import KafkaSettings
from streams.bus import BusError
from streams.kafka_client import CLOSE, connected, connection, explained

WAIT = 2.0  # seconds for a message that is there to be read


class Lookup:
    """Connects on first use, and again after a failure. For several threads, one at a time."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._consumer: Any = None
        self._lock = threading.Lock()

    def first(self, topic: str, partition: int, offset: int) -> int | None:
        """The offset of the first message at `offset` or later: not always `offset` itself, for
        marks of transactions have offsets too, and retention deletes messages. None where there
        is none yet. Raises BusError where no broker answers. `topic` is the whole name."""
        place = TopicPartition(topic, partition)
        with self._lock:
            try:
                return self._read(place, offset)
            except BaseException:
                self._close()
                raise

    def close(self) -> None:
        with self._lock:
            self._close()

    def _read(self, place: TopicPartition, offset: int) -> int | None:
        if self._consumer is None:
            self._consumer = connected(
                self._settings,
                lambda: KafkaConsumer(
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",  # where retention has been
                    allow_auto_create_topics=False,
                    fetch_max_wait_ms=100,
                    max_poll_records=1,
                    **connection(self._settings),
                ),
            )
        consumer = self._consumer
        with explained(f"cannot read {place.topic}"):
            end = consumer.end_offsets([place], timeout_ms=int(WAIT * 1000))[place]
            consumer.assign([place])
            consumer.seek(place, offset)
            deadline = time.monotonic() + WAIT
            while consumer.position(place) < end:
                found = consumer.poll(timeout_ms=200).get(place)
                if found:
                    return int(found[0].offset)
                if time.monotonic() > deadline:
                    raise BusError(f"no broker gives what lies at {place.topic}:{offset}")
        return None

    def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=int(CLOSE * 1000))
