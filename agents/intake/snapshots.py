"""Snapshots of partitions, on a compacted topic: in as many messages as they need."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from streams.bus import Message
from streams.kafka_flow import Made

LARGEST = 900_000  # bytes of one message


class _Piece(Struct, array_like=True):
    next: int  # offset at which reading goes on
    pieces: int
    data: bytes


_decoder = msgspec.msgpack.Decoder(_Piece)


class Snapshot(Struct, frozen=True):
    next: int
    packed: bytes
    pieces: int = 0


def made(name: str, partition: int, snapshot: Snapshot, before: int) -> list[Made]:
    """The messages of a snapshot; `before` is how many pieces the one before had."""
    data = snapshot.packed
    pieces = [data[at : at + LARGEST] for at in range(0, len(data), LARGEST)]
    values: list[bytes | None] = [
        msgspec.msgpack.encode(_Piece(snapshot.next, len(pieces), piece)) for piece in pieces
    ]
    values += [None] * (before - len(pieces))
    return [
        Made(name, partition, f"{partition}/{number}".encode(), value)
        for number, value in enumerate(values)
    ]


def newest(messages: Iterable[Message]) -> dict[int, Snapshot]:
    """The snapshot of each partition; those that cannot be read are passed over."""
    pieces: dict[int, dict[bytes, _Piece]] = defaultdict(dict)
    for message in messages:
        if message.value is None:
            pieces[message.partition].pop(message.key, None)
            continue
        try:
            pieces[message.partition][message.key] = _decoder.decode(message.value)
        except ValueError:
            continue
    found = {}
    for partition, by_key in pieces.items():
        last = max((piece.next for piece in by_key.values()), default=-1)
        data = [by_key.get(f"{partition}/{number}".encode()) for number in range(len(by_key))]
        parts = [piece.data for piece in data if piece is not None and piece.next == last]
        if parts and len(parts) == next(p.pieces for p in by_key.values() if p.next == last):
            found[partition] = Snapshot(last, b"".join(parts), len(parts))
    return found
