"""One open log file, read line by line from an offset. Rotation is `tail`'s affair.

A *place* names the file by what survives renaming (device, inode) and by what survives copying
(a hash of its first bytes): together they tell a rotated file from a new one that was given the
same inode.
"""

import errno
import os
import stat
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from msgspec import Struct

HEAD = 256  # bytes at the beginning that a file is known by
CHUNK = 1 << 18
LONGEST = 1 << 16  # bytes of a line that are passed on; the rest of it is skipped


class Place(Struct, frozen=True, array_like=True):
    """Where the reading of a file stopped."""

    device: int
    inode: int
    head: str  # hash of its first `head_length` bytes
    head_length: int
    offset: int  # of the first byte that was not passed on


class LogFile:
    """Raises OSError where the file cannot be opened."""

    complete = False  # its writer may still have it open

    def __init__(self, path: Path) -> None:
        self.path = path
        # Without O_NONBLOCK a pipe that nobody writes to would hold us up for ever.
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(self._fd)
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        self.device, self.inode = found.st_dev, found.st_ino
        self._head_length = 0
        self._head = self._hash(0)
        self._seen = (-1, -1)  # size and time of change when its head was looked at last
        self.offset = 0  # of the first byte that was not passed on
        self._read = 0  # of the first byte that was not read
        self._rest = b""  # between the two, without what an overlong line has too much
        self.rewritten()

    def close(self) -> None:
        os.close(self._fd)

    @property
    def size(self) -> int:
        return os.fstat(self._fd).st_size

    @property
    def behind(self) -> int:
        """Bytes that lie there and were not read."""
        return max(0, self.size - self._read)

    @property
    def place(self) -> Place:
        return Place(self.device, self.inode, self._head, self._head_length, self.offset)

    def is_at(self, place: Place) -> bool:
        """Whether it is the very file of `place`, and not a later one with its inode."""
        return (self.device, self.inode) == (place.device, place.inode) and self.begins_like(place)

    def begins_like(self, place: Place) -> bool:
        """Whether it is the file of `place`, or a copy of it."""
        return self.size >= place.offset and place.head == self._hash(place.head_length)

    def seek(self, offset: int) -> None:
        self.offset = self._read = offset
        self._rest = b""

    def seek_end(self, end: int | None = None) -> None:
        """To the end, or to what it was at `end` bytes; a line that is not complete there is
        still to come as a whole."""
        end = self.size if end is None else min(end, self.size)
        start = max(0, end - LONGEST)
        tail = os.pread(self._fd, end - start, start)
        self.seek(start + tail.rfind(b"\n") + 1 if b"\n" in tail else start)

    def rewritten(self) -> bool:
        """Whether it was cut, or begun anew, behind our back: our place in it means nothing. So
        it stays until `begin_anew`."""
        found = os.fstat(self._fd)
        size = found.st_size
        if (size, found.st_mtime_ns) == self._seen:
            return False
        if size < self._read or self._hash(self._head_length) != self._head:
            return True
        self._seen = (size, found.st_mtime_ns)
        if self._head_length < HEAD:
            self._head_length = min(size, HEAD)
            self._head = self._hash(self._head_length)
        return False

    def begin_anew(self) -> None:
        """From its beginning, as the file that it has become."""
        self.seek(0)
        self._head_length, self._head = 0, self._hash(0)
        self._seen = (-1, -1)
        self.rewritten()

    def lines(self, limit: int) -> Iterator[tuple[int, bytes]]:
        """(offset, line without its end) of complete lines, until the file's end or until about
        `limit` bytes were read."""
        until = self._read + limit
        while self._read < until:
            chunk = os.pread(self._fd, CHUNK, self._read)
            if not chunk:
                return
            lines = (self._rest + chunk).split(b"\n")
            end = self._read  # of what was read before this chunk
            self._read += len(chunk)
            if len(lines) > 1:
                # The first line may be longer than what was kept of it: its end tells how long.
                yield self.offset, lines[0][:LONGEST]
                self.offset = end + chunk.index(b"\n") + 1
                for line in lines[1:-1]:
                    yield self.offset, line[:LONGEST]
                    self.offset += len(line) + 1
            self._rest = lines[-1][:LONGEST]

    def last_line(self) -> Iterator[tuple[int, bytes]]:
        """What lies behind the last end of line, for a file that gets no more."""
        if self._rest:
            yield self.offset, self._rest
        self.seek(self._read)

    def _hash(self, length: int) -> str:
        return blake2b(os.pread(self._fd, length, 0), digest_size=8).hexdigest()
