"""Dead letters as JSON lines: what was ours and could not be read, with the reason."""

import logging
import os
from pathlib import Path

import msgspec

from streams.metrics import DEAD, DEAD_DROPPED
from streams.reader import DeadLine
from streams.said import said

log = logging.getLogger(__name__)

LARGEST = 16 << 20  # bytes of a file; one older file is kept beside it


class DeadLetters:
    """A file of bounded size, mode 0600. A full disk loses letters, and stops nothing."""

    def __init__(self, path: Path, largest: int = LARGEST) -> None:
        self.path = path
        self._largest = largest
        self._fd = -1
        self._size = 0
        self._failed = False

    def __call__(self, dead: DeadLine) -> None:
        DEAD.inc()
        line = msgspec.json.encode(dead) + b"\n"
        try:
            if self._fd < 0:
                self._open()
            if self._size + len(line) > self._largest:
                self._turn()
            os.write(self._fd, line)
        except OSError as error:
            DEAD_DROPPED.inc()
            if not self._failed:
                log.error(said("dead letters failed", path=self.path, reason=error.strerror))
            self._failed = True
            return
        self._failed = False
        self._size += len(line)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _turn(self) -> None:
        """Begin a new file; the full one takes the place of the one before it."""
        self.close()
        self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        self._open()
