"""The records of one partition as a changelog of *slots*, made safe all at once or not at all.

One entry of the changelog for each subject would be restored at some thousand a second. So
what is dirty at one flush is written as one message, a slot, and a slot is deleted when all
that it held has a newer copy elsewhere, as in a log-structured store: before the oldest slot
is freed, the records whose newest copy lies in it are carried into the slot that is being
written. The ring of slots grows with what lives in it (`Ring.crowded`), so that a flush carries
little and a restore reads at most about twice what lives.

A flush that is too large for one message is several *parts*. Each part has a number of its own,
and numbers only rise: nothing that a restore needs is ever overwritten, neither by a crash
between two parts nor by a worker that lost its partition without knowing it. Later numbers win.
Only the newest flush can lack a part, for the next one begins when it is safe; then it counts
for nothing, and its parts are deleted before anything else is written.
"""

import logging
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Raw, Struct, field

from schemas.keys import Key
from streams.said import said

log = logging.getLogger(__name__)

VERSION = 1
LARGEST = 900_000  # bytes of a slot before compression; brokers take 1,048,588
FEW = 64  # slots that are no crowd
ROOM = 65_536  # bytes alive for which there may be one slot more
SLACK = 4_000_000  # bytes that may be superseded before it is worth to clean up
AT_ONCE = 8  # slots that a small flush empties at most
GAP = 65_536  # numbers left out after a restore, for whoever still writes without knowing

_SIZE_BITS = 24


class Meta(Struct, array_like=True):
    """What is known of the partition beside its records. Written with each flush."""

    topic: str = ""  # the id that the broker gave to mail.facts
    partitions: int = 0
    offset: int = -1  # of the newest message of mail.facts that was folded
    begun: float = 0.0
    clock: float = 0.0
    origins: dict[str, int] = field(default_factory=dict)  # newest position that was folded
    presence: bytes = b""  # what was said of expected gateways that are silent
    reporters: bytes = b""  # whose word counts
    enforcing: bytes = b""  # and of gateways that do not enforce what is decided
    listed: bytes = b""  # and of gateways that are on block lists
    hosts: bytes = b""  # and of servers of ours that say more than they should


class Slot(Struct, array_like=True):
    """A message of the changelog."""

    version: int
    part: int  # from 0
    parts: int
    meta: Meta | None  # in part 0
    records: list[tuple[Key, Raw]]


class Write(Struct):
    """A flush, in the order in which its steps must be safe."""

    spoilt: list[int]  # delete these slots,
    put: list[tuple[int, bytes]]  # write these (number, slot),
    free: list[int]  # delete these


class _Held(Struct):
    """What the ring knows of a slot."""

    keys: list[Key]
    size: int = 0  # bytes of records
    live: int = 0  # of those with no newer copy


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Slot).decode


class Ring:
    """Where the newest copy of each record lies, and which slots can go."""

    def __init__(self) -> None:
        self.held: dict[int, _Held] = {}  # by number, rising
        self.live = 0
        self.size = 0
        self.unreadable = 0  # slots that were written by another version, or are damaged
        self._where: dict[Key, int] = {}  # number << _SIZE_BITS | size
        self._next = 0
        self._spoilt: list[int] = []

    def restore(self, stored: Iterable[tuple[int, bytes]]) -> tuple[Meta, dict[Key, bytes]]:
        """What the slots of a changelog amount to. Call it on a new ring, once."""
        slots: dict[int, Slot] = {}
        for number, data in sorted(stored):
            self._next = number + 1 + GAP
            try:
                slots[number] = _read(data)
            except ValueError as error:
                self.unreadable += 1
                log.error(said("slot unreadable", slot=number, reason=error))
        self._drop_incomplete(slots)
        meta = Meta()
        records: dict[Key, bytes] = {}
        for number, slot in slots.items():
            meta = slot.meta or meta
            packed = [(key, bytes(raw)) for key, raw in slot.records]
            records.update(packed)
            self._hold(number, packed)
        return meta, records

    def write(
        self,
        fresh: list[tuple[Key, bytes]],
        gone: Iterable[Key],
        meta: Meta,
        carry: Callable[[Key], bytes],
    ) -> Write:
        """Plan a flush of the records that are dirty (`fresh`) or no more (`gone`). `carry` gives
        the packed record of a key that is neither."""
        for key in gone:
            self._supersede(key)
        for key, _ in fresh:
            self._supersede(key)
        spoilt, self._spoilt = self._spoilt, []
        free: list[int] = []
        at_most = AT_ONCE + 2 * sum(len(packed) for _, packed in fresh) // LARGEST
        records = fresh + self._clean(free, at_most, carry)
        parts = _split(records)
        put = []
        for part, batch in enumerate(parts):
            number = self._next
            self._next += 1
            self._hold(number, batch)
            slot = Slot(
                VERSION,
                part,
                len(parts),
                None if part else meta,
                [(key, Raw(packed)) for key, packed in batch],
            )
            put.append((number, _encode(slot)))
        return Write(spoilt, put, free)

    def crowded(self) -> bool:
        """Whether the oldest slot should go."""
        return len(self.held) > FEW + self.live // ROOM or self.size > 2 * self.live + SLACK

    def _clean(
        self, free: list[int], at_most: int, carry: Callable[[Key], bytes]
    ) -> list[tuple[Key, bytes]]:
        """Take slots out of the ring, noting them in `free`: those with nothing alive, and while
        it is crowded the oldest. Returns what was still alive in them."""
        for number in [number for number, held in self.held.items() if not held.live]:
            self.size -= self.held.pop(number).size
            free.append(number)
        carried = []
        for _ in range(at_most):
            if not self.held or not self.crowded():
                break
            number, held = next(iter(self.held.items()))
            alive = [key for key in held.keys if self._where.get(key, -1) >> _SIZE_BITS == number]
            for key in dict.fromkeys(alive):
                carried.append((key, carry(key)))
                self._supersede(key)
            self.size -= self.held.pop(number).size
            free.append(number)
        return carried

    def _hold(self, number: int, records: list[tuple[Key, bytes]]) -> None:
        held = self.held[number] = _Held([key for key, _ in records])
        for key, packed in records:
            self._supersede(key)
            self._where[key] = number << _SIZE_BITS | len(packed)
            held.size += len(packed)
        held.live = held.size
        self.size += held.size
        self.live += held.size

    def _supersede(self, key: Key) -> None:
        where = self._where.pop(key, None)
        if where is not None:
            size = where & ((1 << _SIZE_BITS) - 1)
            self.held[where >> _SIZE_BITS].live -= size
            self.live -= size

    def _drop_incomplete(self, slots: dict[int, Slot]) -> None:
        if not slots:
            return
        newest = max(slots)
        first = newest - slots[newest].part
        there = [number for number in slots if number >= first]
        if len(there) < slots[newest].parts:
            log.warning("a flush was cut short: the events in it will be folded again")
            self._spoilt = there
            for number in there:
                del slots[number]


def _read(data: bytes) -> Slot:
    slot = _decode(data)
    if slot.version != VERSION:
        raise ValueError(f"it has version {slot.version}, not {VERSION}")
    return slot


def _split(records: list[tuple[Key, bytes]]) -> list[list[tuple[Key, bytes]]]:
    """Into parts that fit a message each; one at least, for the meta record."""
    parts: list[list[tuple[Key, bytes]]] = [[]]
    size = 0
    for key, packed in records:
        grown = 4 * len(key) + len(packed) + 16  # UTF-8 and msgpack's headers at their longest
        if size + grown > LARGEST and parts[-1]:
            parts.append([])
            size = 0
        parts[-1].append((key, packed))
        size += grown
    return parts
