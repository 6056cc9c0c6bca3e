"""What every bus promises, inside one process (memory_bus) or across many (kafka_bus)."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from schemas.topics import Topic


class Message(Struct, frozen=True):
    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None  # None deletes, on a compacted topic
    headers: dict[str, bytes] = {}
    published: float = 0.0  # Unix seconds, when it was published


class Bus(Protocol):
    """Topics of keyed messages in partitions, each an ordered log.

    Delivery is at least once: after a crash a subscriber sees again what it had not committed.
    Messages of one key lie in one partition, in the order of their publication. Every call
    returns within a bounded time; BusError says what could not be done.
    """

    def publish(
        self,
        topic: str,
        key: bytes,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        """Hand over a message. It is safe only after `flush`. Raises BusError when the bus
        refuses it for good."""

    def flush(self, timeout: float) -> None:
        """Wait until all that was published is safe. Raises BusError where it is not: either
        the time was too short and it is still on its way, or some of it was refused."""

    def subscribe(
        self, topics: Sequence[str], group: str | None, since: float = 0.0
    ) -> "Subscription":
        """Read `topics`: as a member of `group`, from where it stopped, or with None alone,
        all partitions from their beginning. A group that never committed anything begins with
        what was published at `since` (Unix seconds) or later."""

    def topics(self) -> dict[str, int]:
        """The topics that there are, with the number of their partitions."""

    def create(self, topic: Topic, partitions: int, replication: int) -> None:
        """Make a topic. Raises BusError where there is one of this name."""

    def close(self) -> None:
        """Let go of everything, also of what is not yet safe."""


class Subscription(Protocol):
    def poll(self, timeout: float) -> list[Message]:
        """What has arrived, within `timeout` seconds; empty where nothing has, or where the
        bus is away for a while."""

    def caught_up(self) -> bool:
        """Whether all that lay there at the time of `subscribe` was polled."""

    def ends(self) -> dict[tuple[str, int], int]:
        """Where each partition, by topic and number, ended at the time of `subscribe`: the
        offset of the message that was to come next."""

    def commit(self, done: Mapping[tuple[str, int], int] | None = None) -> None:
        """All that was polled is done with, or what lies before these offsets, by topic and
        partition; a later member of the group begins after it. What another member reads by now
        is left to it."""

    def hold(self, held: bool) -> None:
        """Whether nothing is polled for now. The member keeps its partitions by polling."""

    def close(self) -> None: ...


class BusError(Exception):
    """The bus could not do it: not reachable, or refused."""
