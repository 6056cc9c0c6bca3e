"""Events that other publishers send, on their way to the partitions that watch their subjects.

mail.events holds one event a message, under any key. The router sends each event once to every
partition of mail.facts that watches one of its subjects, packed with others, and says in the
headers where it lay: a batch that is sent again after a crash is absorbed once.
"""

from msgspec import Struct, structs

from agents.worker import messages
from schemas import keys, net, wire
from schemas.events import Fact, Signal
from schemas.keys import Site
from streams.shipping.heartbeat import Heartbeats

BITS = 20  # of a position, for the events of one message
LARGEST = 400_000  # bytes of a batch


class Batch(Struct):
    """A packed message for one partition of mail.facts."""

    partition: int
    value: bytes
    headers: dict[str, bytes]


class Router:
    """`silent_after`: seconds until a gateway's silence is an alert."""

    def __init__(self, site: Site, partitions: int, silent_after: float) -> None:
        self.site = site
        self.heartbeats = Heartbeats(partitions, silent_after)
        self._partitions = partitions
        # by (partition of mail.events, partition of mail.facts): position, event
        self._waiting: dict[tuple[int, int], list[tuple[int, bytes]]] = {}
        self._newest: dict[int, int] = {}  # offset taken, by partition of mail.events
        self.waiting = 0  # events

    def add(
        self, partition: int, offset: int, value: bytes | None, received: float, now: float
    ) -> list[messages.Dead]:
        """Take a message of mail.events, once. Returns what could not be read."""
        if offset <= self._newest.get(partition, -1):
            return []  # Faust delivers some messages twice after a rebalance
        self._newest[partition] = offset
        place = f"mail.events/{partition}:{offset}"
        events, bad = messages.read(value)
        letters = [messages.dead(reason, place, data, now) for reason, data in bad]
        for index, event in enumerate(events):
            if event is None:
                continue
            try:
                event, targets = self._targets(event, received)  # noqa: PLW2901
            except ValueError as error:
                letters.append(messages.dead(str(error), place, wire.encode(event), now))
                continue
            position = offset << BITS | index
            encoded = wire.encode(event)
            for target in targets:
                self._waiting.setdefault((partition, target), []).append((position, encoded))
            self.waiting += 1
            self.heartbeats.hear((event.gateway,))
        return letters

    def forget(self) -> None:
        """The partitions of mail.events go: whoever gets them begins at what is committed."""
        self._waiting.clear()
        self._newest.clear()
        self.waiting = 0

    def take(self) -> list[Batch]:
        """All that waits, packed."""
        waiting, self._waiting, self.waiting = self._waiting, {}, 0
        batches = []
        for (partition, target), events in waiting.items():
            origin = f"events/{partition}".encode()
            for part in _split(events):
                value = b"[" + b",".join(encoded for _, encoded in part) + b"]"
                packed = wire.encode_positions([position for position, _ in part])
                batches.append(Batch(target, value, {"origin": origin, "positions": packed}))
        return batches

    def _targets(self, event: Fact, received: float) -> tuple[Fact, set[int]]:
        """The event as we would have written it, and who must hear of it."""
        if isinstance(event, Signal):
            raise ValueError("signal: only our own watchers send these")
        wrong = messages.wrong_time(event, received)
        if wrong:
            raise ValueError(wrong)
        client = getattr(event, "client", "")
        if client:
            canonical = net.address(client)
            if not canonical:
                raise ValueError("client: expected an IP address")
            if canonical != client:
                event = structs.replace(event, client=canonical)
        about = keys.keys(event, self.site)
        return event, {keys.partition(key, self._partitions) for key in about}


def _split(events: list[tuple[int, bytes]]) -> list[list[tuple[int, bytes]]]:
    parts: list[list[tuple[int, bytes]]] = [[]]
    size = 0
    for item in events:
        if size + len(item[1]) > LARGEST and parts[-1]:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += len(item[1]) + 1
    return parts
