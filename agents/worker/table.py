"""The one Faust table: slots of all partitions, restored by Faust, written by us.

Faust restores it from the changelog when partitions are assigned. A write goes to the changelog
first, and into Faust's memory store so that a rebalance which leaves us a partition finds it
complete. Writing past `Table.__setitem__` lets us await each send and choose the partition
(faust-streaming 0.15.3, faust/stores/memory.py).
"""

from collections.abc import Awaitable, Callable
from typing import Any

from agents.worker.app import TABLE, App


class Slots:
    """Slots by partition and number. Key: ``partition/number``."""

    def __init__(self, app: App, partitions: int) -> None:
        self._table: Any = app.Table(TABLE, key_type=bytes, value_type=bytes, partitions=partitions)
        self.topic: str = self._table.changelog_topic.get_topic_name()

    def on_restored(self, call: Callable[[], Awaitable[None]]) -> None:
        """`call` after each recovery, when all slots of the assigned partitions are here."""
        self._table.on_recover(call)

    def of(self, partition: int) -> list[tuple[int, bytes]]:
        """(number, slot) of all slots of a partition."""
        prefix = b"%d/" % partition
        return [
            (int(key[len(prefix) :]), slot)
            for key, slot in self._table.data.data.items()
            if key.startswith(prefix) and slot
        ]

    def keep(self, partition: int, number: int, slot: bytes) -> None:
        """Note a slot that is being written."""
        store, key = self._table.data, name(partition, number)
        store.data[key] = slot
        store._key_partition[key] = partition

    def drop(self, partition: int, number: int) -> None:
        store, key = self._table.data, name(partition, number)
        store.data.pop(key, None)
        store._key_partition.pop(key, None)


def name(partition: int, number: int) -> bytes:
    return b"%d/%d" % (partition, number)
