"""What a source of log lines is."""

from collections.abc import Iterator
from typing import Protocol

LIMIT = 1 << 24  # bytes that one turn reads of a source, so that no source holds up the rest


class Source(Protocol):
    """Lines that come in, and the place to go on from after a restart."""

    @property
    def name(self) -> str:
        """Names it in alerts, metrics and the store: a path, or ``journal``."""

    @property
    def trouble(self) -> str:
        """Why it cannot be read just now, in words; empty where it can."""

    @property
    def behind(self) -> int:
        """Bytes that are known to wait."""

    def lines(self, limit: int = LIMIT) -> Iterator[tuple[int, bytes]]:
        """(offset, line) of what has come since the last call; never waits, never raises.

        `position` is of use when all of it was taken.
        """

    def position(self) -> bytes:
        """Where to go on: given to its constructor, it yields what was not taken."""

    def close(self) -> None: ...
