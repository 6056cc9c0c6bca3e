"""The bus inside one process: lists under one lock. It keeps everything, and nothing outlives it.

For tests, and to try parts without a broker; it reads as Kafka does, and compacts nothing.
"""

import threading
import zlib
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, field

from schemas.topics import Topic
from streams.bus import BusError, Message

Place = tuple[str, int]  # topic and partition


class _Group(Struct):
    """What the members of a group share."""

    committed: dict[Place, int] = field(default_factory=dict)
    members: "list[MemorySubscription]" = field(default_factory=list)


class MemoryBus:
    """`clock` stamps what is published."""

    def __init__(self, clock: Callable[[], float] = float) -> None:
        self._clock = clock
        self._logs: dict[str, list[list[Message]]] = {}
        self._groups: dict[str, _Group] = {}
        self.arrival = threading.Condition()

    def publish(
        self,
        topic: str,
        key: bytes,
        value: bytes | None,
        *,
        partition: int | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        with self.arrival:
            logs = self.log(topic)
            index = zlib.crc32(key) % len(logs) if partition is None else partition
            if not 0 <= index < len(logs):
                raise BusError(f"topic {topic} has no partition {index}")
            log = logs[index]
            log.append(
                Message(topic, index, len(log), key, value, dict(headers or {}), self._clock())
            )
            self.arrival.notify_all()

    def flush(self, timeout: float) -> None:
        pass  # what is in the list is as safe as it gets

    def subscribe(
        self, topics: Sequence[str], group: str | None, since: float = 0.0
    ) -> "MemorySubscription":
        with self.arrival:
            places = [(name, i) for name in topics for i in range(len(self.log(name)))]
            shared = _Group() if group is None else self._groups.setdefault(group, _Group())
            for name, i in places if since else ():
                old = (message.published < since for message in self.log(name)[i])
                shared.committed.setdefault((name, i), sum(old))
            return MemorySubscription(self, places, shared)

    def topics(self) -> dict[str, int]:
        with self.arrival:
            return {name: len(logs) for name, logs in self._logs.items()}

    def create(self, topic: Topic, partitions: int, replication: int) -> None:
        with self.arrival:
            if topic.name in self._logs:
                raise BusError(f"topic {topic.name} exists")
            self._logs[topic.name] = [[] for _ in range(partitions)]

    def close(self) -> None:
        pass

    def log(self, topic: str) -> list[list[Message]]:
        """The messages of a topic, by partition. Raises BusError where there is no such topic."""
        try:
            return self._logs[topic]
        except KeyError:
            raise BusError(f"there is no topic {topic}") from None


class MemorySubscription:
    """Member i of n reads every n-th partition of its group's."""

    def __init__(self, bus: MemoryBus, places: list[Place], group: _Group) -> None:
        self._bus = bus
        self._places = places
        self._group = group
        self._positions: dict[Place, int] = {}
        self._held = False
        self._ends = {place: len(self._log(place)) for place in places}
        group.members.append(self)

    def poll(self, timeout: float) -> list[Message]:
        with self._bus.arrival:
            self._bus.arrival.wait_for(self._waiting, timeout)
            found: list[Message] = []
            for place, position in self._assigned().items() if not self._held else ():
                found += self._log(place)[position:]
                self._positions[place] = len(self._log(place))
            return found

    def caught_up(self) -> bool:
        with self._bus.arrival:
            return all(at >= self._ends[place] for place, at in self._assigned().items())

    def ends(self) -> dict[tuple[str, int], int]:
        return dict(self._ends)

    def commit(self, done: Mapping[Place, int] | None = None) -> None:
        with self._bus.arrival:
            mine = self._assigned()
            known = mine if done is None else {p: at for p, at in done.items() if p in mine}
            self._group.committed.update(known)

    def hold(self, held: bool) -> None:
        self._held = held

    def close(self) -> None:
        with self._bus.arrival:
            self._group.members.remove(self)
            self._bus.arrival.notify_all()

    def _assigned(self) -> dict[Place, int]:
        """What this member reads now, and where it is there. What it no longer reads, another
        one goes on with from the last commit."""
        members = self._group.members
        mine = self._places[members.index(self) :: len(members)]
        self._positions = {
            place: self._positions.get(place, self._group.committed.get(place, 0)) for place in mine
        }
        return self._positions

    def _waiting(self) -> bool:
        assigned = self._assigned().items()
        return not self._held and any(at < len(self._log(place)) for place, at in assigned)

    def _log(self, place: Place) -> list[Message]:
        return self._bus.log(place[0])[place[1]]
