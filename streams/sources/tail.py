"""One log file, followed by its name through rotation, truncation and our own restarts.

Rotation by renaming: the old file is read to its end, and for some seconds more, because the
writer keeps it open until it is told (logrotate's ``postrotate``). Rotation by copying
(``copytruncate``): what we had not read yet lies in the copy. After a restart the file that was
read last is looked for among the rotated parts, compressed ones included; the parts that came
after it are read in full.

Rotation may be at work while we look. What was found is taken only as a whole, when every file
still is the one that was found; else all is left as it was, and the next turn looks again.
"""

import errno
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from streams.said import said
from streams.sources.logfile import LogFile, Place
from streams.sources.parts import File, open_part, same, search
from streams.sources.rotation import MovingError, Part, lying
from streams.sources.source import LIMIT

log = logging.getLogger(__name__)

LINGER = 10.0  # seconds without a new line until a renamed file is given up
MISSING = "not there yet"
GONE = 3600.0  # seconds without a file of that name
OLDER = 64  # rotated parts that are read one after the other


class Position(Struct, frozen=True, array_like=True):
    """The file of the name, and those renamed away that may still be written to, oldest first."""

    current: Place | None = None
    older: list[Place] = []


_positions = msgspec.msgpack.Decoder(Position)


class Tail:
    """`begin`: where nothing is known of the file, start at its beginning, not at its end. A
    file that appears later is always read from its beginning."""

    def __init__(self, path: Path, position: bytes = b"", *, begin: bool = False) -> None:
        self.path = path
        self.trouble = ""
        self._current: LogFile | None = None
        self._older: list[File] = []
        self._quiet_since: dict[int, float] = {}  # of the older ones, by their identity
        self._from = _positions.decode(position) if position else None  # where to go on
        self._missing = 0.0  # monotonic time since when the name is nobody's
        self._skip = not position and not begin  # what lies there already,
        self._there: tuple[int, int, int] | None = None  # device, inode, bytes of it
        self._moving = False  # rotation was at work in the last turn: it is to be looked at again
        if self._from is None and begin:
            self._current = self._opened()
        with suppress(MovingError):
            self._settle()

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def behind(self) -> int:
        return sum(file.behind for file in self._files()) + self._moving

    @property
    def gone(self) -> bool:
        """Whether its name has been nobody's for so long that no new file is to be expected."""
        return bool(self._missing) and time.monotonic() - self._missing > GONE

    def files(self) -> list[tuple[int, int]]:
        """(device, inode) of all that it reads."""
        return [(file.device, file.inode) for file in self._files()]

    def position(self) -> bytes:
        if self._from is not None:
            return msgspec.msgpack.encode(self._from)
        current = self._current.place if self._current else None
        return msgspec.msgpack.encode(Position(current, [file.place for file in self._older]))

    def close(self) -> None:
        for file in self._older:
            file.close()
        self._older.clear()
        if self._current is not None:
            self._current.close()
            self._current = None

    def lines(self, limit: int = LIMIT) -> Iterator[tuple[int, bytes]]:
        """As in `Source`."""
        self._moving = False
        try:
            yield from self._lines(limit)
        except MovingError:
            self._moving = True
        except OSError as error:
            self._troubled(error)

    # -- reading ------------------------------------------------------------------------------

    def _lines(self, limit: int) -> Iterator[tuple[int, bytes]]:
        if not self._settle():
            return
        if self._current is not None and self._current.rewritten():
            self._begin_anew(self._current)
        moved = self._current is None or self._moved(self._current)
        yield from self._drain(limit)
        if self._older and any(file.behind for file in self._older):
            return  # what is older comes first
        if self._current is not None:
            yield from self._current.lines(limit)
        if moved and not (self._current and self._current.behind):
            yield from self._advance(limit)

    def _drain(self, limit: int) -> Iterator[tuple[int, bytes]]:
        """Read on in older files; give up those that have been quiet for long enough."""
        for file in list(self._older):
            before = file.offset
            yield from file.lines(limit)
            if file.behind:
                return
            now = time.monotonic()
            since = self._quiet_since.setdefault(id(file), now)
            if file.offset != before:
                self._quiet_since[id(file)] = now
            elif now - since >= LINGER or file.complete:
                yield from file.last_line()
                self._older.remove(file)
                del self._quiet_since[id(file)]
                file.close()

    def _moved(self, current: LogFile) -> bool:
        """Whether the name belongs to another file now."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._missing = self._missing or time.monotonic()
            return False  # renamed, and the new one is still to come
        self._missing = 0.0
        return (found.st_dev, found.st_ino) != (current.device, current.inode)

    def _advance(self, limit: int) -> Iterator[tuple[int, bytes]]:
        """Turn to the file that has the name now, if there is one."""
        current = self._opened()
        if current is None:
            return
        held = self._files()
        known = next((file for file in held if same(file, current)), None)
        if isinstance(known, LogFile):  # put back under its name
            current.close()
            held.remove(known)
            self._older, self._current = held, known
        else:
            with _closed_if_moving(current):
                newer = self._newer(self._lying(current), held[-1]) if held else []
            self._older, self._current = held + newer, current
        yield from self._drain(limit)
        if not any(file.behind for file in self._older):
            yield from self._current.lines(limit)

    def _newer(self, parts: list[Part], than: File) -> list[File]:
        """The parts between one that was read and the present file, opened: rotated while nobody
        looked."""
        at = next((at for at, part in enumerate(parts) if same(than, part)), None)
        if at is None:  # compressed meanwhile
            found = search(parts, than.place)
            if found is None:
                return []
            found.close()
            at = [part.path for part in parts].index(found.path)
        newer: list[File] = []
        with _closed_if_moving(newer):
            for part in parts[at + 1 :][-OLDER:]:
                try:
                    newer.append(open_part(part))
                except MovingError:
                    raise
                except OSError as error:
                    reason = error.strerror
                    log.warning(said("source unreadable", source=part.path, reason=reason))
        return newer

    def _lying(self, current: LogFile | None) -> list[Part]:
        """The older parts, the oldest first. Raises MovingError where `current` is no longer the
        present file."""
        parts = lying(self.path)
        present = parts.pop() if parts and parts[-1].path == self.path else None
        if not (current and present and same(current, present)) and (current or present):
            raise MovingError(f"{self.path}: being rotated")
        return parts

    def _files(self) -> list[File]:
        return [*self._older, *([self._current] if self._current else [])]

    def _opened(self) -> LogFile | None:
        """The file that has the name now; None where there is none, or we may not read it."""
        try:
            current = LogFile(self.path)
        except OSError as error:
            self._troubled(error)
            return None
        if self.trouble and self.trouble != MISSING:
            log.info(said("source readable again", source=self.path))
        self.trouble = ""
        return current

    def _troubled(self, error: OSError) -> None:
        if error.errno == errno.ENOENT:
            trouble = MISSING
        elif error.errno in (errno.EACCES, errno.EPERM):
            trouble = "permission denied: the user that mailwarden runs as must be able to read it"
        else:
            trouble = error.strerror or str(error)
        if trouble != self.trouble:
            self.trouble = trouble
            log.warning(said("source unreadable", source=self.path, reason=trouble))

    # -- finding the way back -----------------------------------------------------------------

    def _settle(self) -> bool:
        """Find where to begin, once; whether that is done. A file that we may not read yet
        keeps us waiting, for it would be taken for a new one; a missing one does not."""
        if self._from is None and not self._skip:
            return True
        current = self._opened()
        if current is None and self.trouble != MISSING:
            self._note_what_is_there()
            return False
        if self._from is not None:
            self._resume(self._from, current)
        elif current is not None:
            self._skip_what_was_there(current)
        self._current = current
        self._from, self._skip = None, False
        return True

    def _note_what_is_there(self) -> None:
        """Of a file that we may not read we still know how long it is: what comes from now on is
        read when we may."""
        if self._skip and self._there is None:
            with suppress(OSError):
                found = self.path.stat()
                self._there = (found.st_dev, found.st_ino, found.st_size)

    def _skip_what_was_there(self, current: LogFile) -> None:
        if self._there is None:
            current.seek_end()
        elif self._there[:2] == (current.device, current.inode):
            current.seek_end(self._there[2])

    def _begin_anew(self, current: LogFile) -> None:
        """The file was cut or rewritten in place. What was not read yet lies in the copy that
        copytruncate made, if one was made."""
        place = current.place
        if place.offset and place.head_length:
            parts = [part for part in lying(self.path) if not same(current, part)]
            copy = search(parts, place, copied=True)
            if copy is not None:
                copy.seek(place.offset)
                self._older.append(copy)
        log.info(said("source truncated", source=self.path, at=place.offset))
        current.begin_anew()

    def _resume(self, position: Position, current: LogFile | None) -> None:
        """Go on where an earlier process stopped. Raises MovingError, and is then to be asked
        again."""
        older: list[File] = []
        lost: list[tuple[int, str]] = []
        with _closed_if_moving(current, older):
            parts = self._lying(current)
            for place in position.older:
                found = search(parts, place)
                if found is None:
                    lost.append((place.offset, "gone"))
                    continue
                found.seek(place.offset)
                older.append(found)
            last = position.current
            if last is not None and current is not None and self._is(current, last):
                current.seek(last.offset)
            elif last is not None:
                found = search(parts, last)
                if found is not None:
                    found.seek(last.offset)
                    older.append(found)
                    older += self._newer(parts, found)
                elif last.offset:
                    reason = "the file that was read last is gone; begins anew"
                    lost.append((last.offset, reason))
        self._older = older
        for at, reason in lost:
            log.warning(said("source lost", source=self.path, at=at, reason=reason))

    def _is(self, current: LogFile, place: Place) -> bool:
        """Whether the file of the name is that of `place`: the same, or put back in its place."""
        if current.is_at(place):
            return True
        return bool(place.head_length) and current.begins_like(place)


@contextmanager
def _closed_if_moving(*files: File | list[File] | None) -> Iterator[None]:
    """Lets go of what was opened where it turns out to be of no use."""
    try:
        yield
    except MovingError:
        for opened in files:
            for file in opened if isinstance(opened, list) else [opened]:
                if file is not None:
                    file.close()
        raise
