"""Events of mail.lines, packed for the partitions of mail.facts that watch their subjects."""

from collections.abc import Iterable
from functools import lru_cache

import msgspec

from schemas import keys, wire
from schemas.events import Fact
from schemas.keys import Key, Site
from streams.bus import Message
from streams.kafka_flow import Made
from streams.reader import DeadLine

LARGEST = 400_000  # bytes of a message
FACTS = "mail.facts"
DEAD = "mail.dead"


class Publisher:
    """`origin` names mail.lines among all topics that ever were, so that its positions are never
    taken for another's. `prefix` is that of our topics."""

    def __init__(self, site: Site, partitions: int, prefix: str, origin: str) -> None:
        self._site = site
        self._facts = prefix + FACTS
        self._dead = prefix + DEAD
        self._origin = origin
        # by partition of mail.lines and of mail.facts: positions, events
        self._waiting: dict[tuple[int, int], tuple[list[int], list[bytes]]] = {}
        self._sizes: dict[tuple[int, int], int] = {}
        self._full: list[Made] = []
        # by the same: the position up to which all was told before
        self._told: dict[tuple[int, int], int] = {}

        @lru_cache(maxsize=65536)
        def place(key: Key) -> int:
            return keys.partition(key, partitions)

        self._place = place

    def told(self, messages: Iterable[Message]) -> None:
        """These lie on mail.facts: what they say is not told again."""
        for message in messages:
            origin = message.headers.get("origin", b"").decode("utf-8", "replace")
            name, _, partition = origin.rpartition("/")
            packed = message.headers.get("positions")
            if name != self._origin or packed is None or not partition.isdecimal():
                continue
            lane = int(partition), message.partition
            last = wire.decode_positions(packed)[-1]
            self._told[lane] = max(last, self._told.get(lane, -1))

    def add(self, partition: int, position: int, event: Fact) -> None:
        places = set(map(self._place, keys.keys(event, self._site)))
        if not places:
            return
        encoded = wire.encode(event)
        for place in places:
            lane = partition, place
            if position <= self._told.get(lane, -1):
                continue
            waiting = self._waiting.get(lane)
            if waiting is None:
                waiting = self._waiting[lane] = [], []
                self._sizes[lane] = 0
            elif self._sizes[lane] + len(encoded) >= LARGEST:
                self._full.append(self._packed(lane))
                waiting = self._waiting[lane] = [], []
                self._sizes[lane] = 0
            waiting[0].append(position)
            waiting[1].append(encoded)
            self._sizes[lane] += len(encoded) + 1

    def dead(self, letters: Iterable[DeadLine]) -> None:
        for letter in letters:
            origin = f"{self._origin}:{letter.source}".encode()
            headers = [("origin", origin)]
            value = msgspec.json.encode(letter)
            self._full.append(Made(self._dead, None, origin, value, headers))

    def beat(self, beats: Iterable[tuple[int, bytes]]) -> None:
        """Heartbeats; to hear one twice does no harm."""
        origin = f"{self._origin}:heartbeat".encode()
        for place, value in beats:
            self._full.append(Made(self._facts, place, origin, value, [("origin", origin)]))

    def take(self) -> list[Made]:
        """All that was added since the last call, of a lane in order."""
        made, self._full = self._full, []
        made += [self._packed(lane) for lane in self._waiting]
        self._waiting.clear()
        self._sizes.clear()
        return made

    def _packed(self, lane: tuple[int, int]) -> Made:
        partition, place = lane
        positions, events = self._waiting[lane]
        origin = f"{self._origin}/{partition}".encode()
        value = b"[" + b",".join(events) + b"]"
        headers = [("origin", origin), ("positions", wire.encode_positions(positions))]
        return Made(self._facts, place, origin, value, headers)
