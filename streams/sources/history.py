"""The older parts of a log: those that rotation left beside it."""

import logging
import sys
import time
from collections.abc import Container, Iterator
from itertools import chain
from pathlib import Path

from streams.said import said
from streams.sources.logfile import Place
from streams.sources.parts import open_part, search
from streams.sources.rotation import MovingError, lying

log = logging.getLogger(__name__)

LOOKS = 20  # while rotation is at work
PAUSE = 0.1  # seconds between two of them


def history(path: Path, but: Container[tuple[int, int]] = ()) -> Iterator[tuple[int, bytes]]:
    """All lines of the older parts of the log file `path`, the oldest first, without those files
    (device, inode) that are read already. The offsets are those in their own (decompressed)
    file. A part that cannot be read is passed over.

    To read them takes a while, in which they may be renamed and compressed: what they are is
    looked for at once, and where each lies only when its turn has come.
    """
    return chain.from_iterable(_lines(path, place) for place in _places(path, but))


def _places(path: Path, but: Container[tuple[int, int]]) -> list[Place]:
    for _ in range(LOOKS):
        places = []
        try:
            for part in lying(path):
                if part.path == path or (part.device, part.inode) in but:
                    continue
                try:
                    file = open_part(part)
                except MovingError:
                    raise
                except OSError as error:
                    _unreadable(part.path, error.strerror)
                    continue
                places.append(file.place)
                file.close()
        except MovingError:
            time.sleep(PAUSE)
        else:
            return places
    _unreadable(path, "its older parts are being renamed all the time")
    return []


def _lines(path: Path, place: Place) -> Iterator[tuple[int, bytes]]:
    for _ in range(LOOKS):
        try:
            file = search([part for part in lying(path) if part.path != path], place)
            break
        except MovingError:
            time.sleep(PAUSE)
    else:
        file = None
    if file is None:
        _unreadable(path, "an older part is gone")
        return
    try:
        yield from file.lines(sys.maxsize)
        yield from file.last_line()
    except OSError as error:
        _unreadable(file.path, error.strerror)
    finally:
        file.close()


def _unreadable(path: Path, reason: str | None) -> None:
    log.warning(said("source unreadable", source=path, reason=reason))
