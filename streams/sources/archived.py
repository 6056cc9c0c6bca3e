"""A compressed part of a log, read like a `LogFile`."""

import logging
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from streams.said import said
from streams.sources.archive import open_lines
from streams.sources.logfile import HEAD, Place

log = logging.getLogger(__name__)


class Archived:
    """Its place counts decompressed bytes.

    Raises OSError where it cannot be read.
    """

    complete = True

    def __init__(self, path: Path) -> None:
        self.path = path
        found = path.stat()
        self.device, self.inode = found.st_dev, found.st_ino
        self.offset = 0
        self._head = b""
        for offset, line in open_lines(path):
            self._head = self._head.ljust(offset, b"\n") + line + b"\n"
            if len(self._head) >= HEAD:
                break
        self._lines = open_lines(path)
        self._ended = False

    @property
    def behind(self) -> int:
        """Its size is not known before its end."""
        return 0 if self._ended else 1

    @property
    def place(self) -> Place:
        return Place(self.device, self.inode, self._hash(HEAD), HEAD, self.offset)

    def is_at(self, place: Place) -> bool:
        return (self.device, self.inode) == (place.device, place.inode) and self.begins_like(place)

    def begins_like(self, place: Place) -> bool:
        return place.head == self._hash(place.head_length)

    def seek(self, offset: int) -> None:
        """Forward only."""
        self._lines = (line for line in self._lines if line[0] >= offset)
        self.offset = offset

    def lines(self, limit: int) -> Iterator[tuple[int, bytes]]:
        until = self.offset + limit
        try:
            for offset, line in self._lines:
                yield offset, line
                self.offset = offset + len(line) + 1
                if self.offset >= until:
                    return
        except OSError as error:
            log.warning(said("source unreadable", source=self.path, reason=error.strerror))
        self._ended = True

    def last_line(self) -> Iterator[tuple[int, bytes]]:
        """Its lines were complete."""
        return iter(())

    def close(self) -> None:
        self._lines = iter(())

    def _hash(self, length: int) -> str:
        return blake2b(self._head[:length], digest_size=8).hexdigest()
