"""Events on their way to the partitions that watch their subjects, many in one message.

Each event goes once to each partition that watches one of its subjects (schemas/keys.py). The
events of one source and partition are a lane; their positions there rise by one.
"""

from functools import lru_cache

from msgspec import Struct, field

from schemas import keys, wire
from schemas.events import Fact
from schemas.keys import Key, Site
from streams.shipping.outbox import Batch, Lane

LARGEST = 400_000  # bytes of a message
TOPIC = "mail.facts"


class _Load(Struct):
    """What has gathered for one lane."""

    origin: str
    partition: int
    next: int  # position of the next event
    size: int = 0
    events: list[bytes] = field(default_factory=list)


class Packer:
    """`shipper` and the name of a source make its origin; `next_positions` go on from there.

    `site` may change between two events.
    """

    def __init__(
        self, site: Site, partitions: int, shipper: str, next_positions: dict[Lane, int]
    ) -> None:
        self.site = site
        self._shipper = shipper
        self._next = next_positions
        self._loads: dict[tuple[str, int], _Load] = {}  # by source and partition
        self._full: list[Batch] = []

        @lru_cache(maxsize=65536)
        def place(key: Key) -> int:
            return keys.partition(key, partitions)

        self._place = place

    def add(self, source: str, event: Fact) -> int:
        """Take an event; returns how many partitions hear of it."""
        places = set(map(self._place, keys.keys(event, self.site)))
        if places:
            encoded = wire.encode(event)
            for place in places:
                load = self._loads.get((source, place)) or self._begin(source, place)
                if load.size + len(encoded) >= LARGEST and load.events:
                    self._full.append(_close(load))
                load.events.append(encoded)
                load.size += len(encoded) + 1
        return len(places)

    def take(self) -> list[Batch]:
        """All that was added since the last call, packed; of a lane in order."""
        batches, self._full = self._full, []
        batches += [_close(load) for load in self._loads.values() if load.events]
        return batches

    def next_positions(self) -> dict[Lane, int]:
        """The position of each lane's next event, of the lanes that were used."""
        return {(load.origin, load.partition): load.next for load in self._loads.values()}

    def _begin(self, source: str, place: int) -> _Load:
        origin = f"{self._shipper}:{source}"
        load = _Load(origin, place, self._next.get((origin, place), 1))
        self._loads[source, place] = load
        return load


def _close(load: _Load) -> Batch:
    """What has gathered, as a message; the lane begins anew behind it."""
    after = load.next + len(load.events)
    batch = Batch(
        TOPIC,
        load.partition,
        load.origin,
        b"[" + b",".join(load.events) + b"]",
        wire.encode_positions(list(range(load.next, after))),
    )
    load.next, load.size, load.events = after, 0, []
    return batch
