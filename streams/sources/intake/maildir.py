"""Mails that a delivery agent leaves in a maildir: read from ``new``, and put into ``cur``.

https://cr.yp.to/proto/maildir.html. No locks: a file that is in ``new`` is complete. What was
read carries the flag of a mail that was seen, and is not ours to delete.
"""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from schemas.events import Fact
from streams import reports
from streams.sources.mails import LARGEST

LOOK = 1.0  # seconds between two looks
MOST = 100  # mails that are taken at once
LISTED = 10_000  # names of files that are kept in memory
SEEN = ":2,S"


class Maildir:
    """The maildir at `path`. `position` is that of an earlier process."""

    def __init__(
        self,
        path: Path,
        position: bytes = b"",
        *,
        gateway: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = str(path)
        self.trouble = ""
        self.behind = False
        self._path = path
        self._gateway = gateway
        self._clock = clock
        self._names: list[str] = []  # in new, not read yet; the last is the next
        self._taken: dict[str, None] = {}  # read, and not safe yet
        self._stuck: dict[str, None] = dict.fromkeys(_names(position))  # safe, and still in new
        self._more = False  # there are more names than were kept
        self._next_look = 0.0
        self.safe()

    def take(self) -> tuple[int, list[Fact]]:
        if not self._names and (self._more or time.monotonic() >= self._next_look):
            self._look()
        mails = 0
        events: list[Fact] = []
        if len(self._stuck) >= LISTED:
            return mails, events
        while self._names and mails < MOST:
            name = self._names.pop()
            try:
                found = self._read(name)
            except OSError as error:
                self.trouble = f"{name}: {error.strerror}"
                continue
            self._taken[name] = None
            mails += 1
            events += found
        self.behind = bool(self._names) or self._more
        return mails, events

    def position(self) -> bytes:
        return msgspec.msgpack.encode([*self._stuck, *self._taken])

    def safe(self) -> None:
        names = [*self._stuck, *self._taken]
        self._taken.clear()
        self._stuck = {name: None for name in names if not self._put_away(name)}

    def close(self) -> None:
        """Nothing is open between two looks."""

    def _look(self) -> None:
        self._next_look = time.monotonic() + LOOK
        self._more = False
        try:
            with os.scandir(self._path / "new") as found:
                names = [e.name for _, e in zip(range(LISTED), found, strict=False)]
        except OSError as error:
            self.trouble = f"{error.strerror}"
            return
        self.trouble = ""
        if self._stuck:
            self._stuck = {name: None for name in self._stuck if not self._put_away(name)}
        known = self._taken.keys() | self._stuck.keys()
        fresh = [name for name in names if name not in known and name[:1] != "."]
        self._more = bool(fresh) and len(names) == LISTED
        self._names = sorted(fresh, reverse=True)

    def _put_away(self, name: str) -> bool:
        seen = name if ":2," in name else f"{name}{SEEN}"
        try:
            (self._path / "new" / name).rename(self._path / "cur" / seen)
        except FileNotFoundError:
            # It was put away before, or somebody else has; or there is no cur.
            return not (self._path / "new" / name).exists()
        except OSError as error:
            self.trouble = f"{name} cannot be put into cur: {error.strerror}"
            return False
        return True

    def _read(self, name: str) -> list[Fact]:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(self._path / "new" / name, flags)
        try:
            about = os.fstat(fd)
            if not stat.S_ISREG(about.st_mode):
                raise OSError(0, "is no file")
            mail = os.read(fd, LARGEST)
        finally:
            os.close(fd)
        now = self._clock()
        at = min(about.st_mtime, now)
        return reports.read(mail, now=now, gateway=self._gateway, at=at)


def _names(position: bytes) -> list[str]:
    try:
        return msgspec.msgpack.decode(position, type=list[str]) if position else []
    except msgspec.DecodeError:
        return []
