"""Records that have long been quiet, in a tenth of the room that a live one takes.

Each is kept packed; those that are not expected back soon are deflated too (RFC 1951). Records
resemble one another, in the names of detectors and in the events that they hold as samples: the
first ones that were deflated serve as the dictionary of all. Nothing of this leaves the process:
on disk and on the bus lies what `pack` gave.
"""

import zlib
from collections.abc import Iterator, Sequence

from msgspec import Struct

from agents.record import worth
from schemas.keys import Key

MODELS = 16  # records that make up the dictionary
LONGEST = 4 * 1024  # bytes of it: deflate takes them in anew for each record
LEVEL = 1  # the fastest, which costs five times what packing costs

Worth = tuple[bool, bool, float]


class _Deflated(Struct, frozen=True, gc=False):
    accused: bool
    known: bool
    last: float
    data: bytes

    @property
    def worth(self) -> Worth:
        return self.accused, self.known, self.last


class Frozen:
    """Packed records by their keys."""

    def __init__(self) -> None:
        self._kept: dict[Key, bytes | _Deflated] = {}
        self._model = b""

    def put(self, key: Key, packed: bytes) -> None:
        self._kept[key] = packed

    def deflate(self, records: Sequence[tuple[Key, bytes]]) -> None:
        """Put records that will hardly be asked for again soon."""
        if not self._model and records:
            step = max(1, len(records) // MODELS)
            self._model = b"".join(packed for _, packed in records[::step])[:LONGEST]
        for key, packed in records:
            small = zlib.compressobj(LEVEL, wbits=-zlib.MAX_WBITS, zdict=self._model)
            self._kept[key] = _Deflated(*worth(packed), small.compress(packed) + small.flush())

    def get(self, key: Key) -> bytes | None:
        return self._packed(self._kept.get(key))

    def pop(self, key: Key) -> bytes | None:
        return self._packed(self._kept.pop(key, None))

    def worths(self) -> Iterator[tuple[Key, Worth]]:
        """What of each record decides whether it is forgotten (`agents.record.worth`)."""
        for key, kept in self._kept.items():
            yield key, kept.worth if isinstance(kept, _Deflated) else worth(kept)

    def size(self) -> int:
        """Bytes of all of them."""
        return sum(len(x.data if isinstance(x, _Deflated) else x) for x in self._kept.values())

    def __contains__(self, key: Key) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def _packed(self, kept: bytes | _Deflated | None) -> bytes | None:
        if not isinstance(kept, _Deflated):
            return kept
        full = zlib.decompressobj(-zlib.MAX_WBITS, zdict=self._model)
        return full.decompress(kept.data) + full.flush()
