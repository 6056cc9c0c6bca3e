"""How far each bouncer has been told. Bounded: who has not asked for longest is forgotten, and is
told the whole list when it asks again."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping

MOST = 1000


class Readers:
    """Asked and told on the servers' loop, kept by another thread."""

    def __init__(self, known: Mapping[str, int] | None = None, most: int = MOST) -> None:
        self._most = most
        self._positions = OrderedDict(known or {})
        self._lock = threading.Lock()

    def position(self, reader: str) -> int | None:
        return self._positions.get(reader)

    def told(self, reader: str, position: int) -> None:
        with self._lock:
            self._positions[reader] = position
            self._positions.move_to_end(reader)
            while len(self._positions) > self._most:
                self._positions.popitem(last=False)

    def kept(self) -> dict[str, int]:
        with self._lock:
            return dict(self._positions)


def name_of(*signs: str) -> str:
    """One bouncer's, by all that tells it from others. It chooses some of these signs, and so
    their length."""
    return hashlib.blake2b("\0".join(signs).encode("utf-8", "replace"), digest_size=8).hexdigest()
