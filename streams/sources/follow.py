"""All that one process follows: files by name and pattern, and the journal."""

import glob
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from streams.said import said
from streams.sources.history import history
from streams.sources.journal import Journal
from streams.sources.rotation import is_rotated
from streams.sources.source import LIMIT, Source
from streams.sources.tail import Tail

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds between two looks for files that a pattern has gained
MOST = 256  # files that are followed

Lines = Iterator[tuple[int, bytes]]


class Follow:
    """`positions` are those of an earlier process, by source. `begin`: what is not among them
    is read from its beginning; else from its end, but for what appears later."""

    def __init__(
        self,
        patterns: Sequence[str] = (),
        *,
        journal: Journal | None = None,
        positions: Mapping[str, bytes] | None = None,
        begin: bool = False,
    ) -> None:
        self._patterns = tuple(patterns)
        self._positions = dict(positions or {})
        self._sources: dict[str, Source] = {}
        self._tails: dict[str, Tail] = {}
        self._full = False
        if journal is not None:
            self._sources[journal.name] = journal
        self._look(begin=begin)
        self._looked = time.monotonic()

    @property
    def sources(self) -> list[Source]:
        return list(self._sources.values())

    def turn(self, limit: int = LIMIT) -> list[tuple[str, Lines]]:
        """(name, lines) of each source: what has come. To be taken as a whole."""
        now = time.monotonic()
        if now - self._looked >= LOOK:
            self._looked = now
            self._look(begin=True)
        return [(name, source.lines(limit)) for name, source in self._sources.items()]

    def history(self) -> list[tuple[str, Lines]]:
        """(name, lines) of the files' older parts, the oldest first, and then of the files."""
        return [
            (name, chain(history(tail.path, tail.files()), tail.lines(sys.maxsize)))
            for name, tail in self._tails.items()
        ]

    def positions(self) -> dict[str, bytes]:
        """Where to go on, as of the last turn that was taken."""
        return {name: source.position() for name, source in self._sources.items()}

    def troubles(self) -> dict[str, str]:
        """Why sources cannot be read just now, by name."""
        return {name: source.trouble for name, source in self._sources.items() if source.trouble}

    def close(self) -> None:
        for source in self._sources.values():
            source.close()

    def _look(self, *, begin: bool) -> None:
        self._let_go()
        for pattern in self._patterns:
            for path in _paths(pattern):
                if str(path) in self._sources or self._is_read(path):
                    continue
                if len(self._sources) >= MOST:
                    self._refuse(path)
                    return
                position = self._positions.get(str(path), b"")
                tail = Tail(path, position, begin=begin)
                self._tails[tail.name] = self._sources[tail.name] = tail

    def _let_go(self) -> None:
        """Give up files that a pattern had found and that are gone: dated ones, say."""
        for name, tail in list(self._tails.items()):
            if name not in self._patterns and tail.gone and not tail.behind:
                tail.close()
                del self._tails[name], self._sources[name]

    def _is_read(self, path: Path) -> bool:
        """Whether a pattern has only found what a tail reads under its old name."""
        try:
            found = path.stat()
        except OSError:
            return False
        files = (file for tail in self._tails.values() for file in tail.files())
        return (found.st_dev, found.st_ino) in files

    def _refuse(self, path: Path) -> None:
        if not self._full:
            self._full = True
            log.warning(said("source passed over", source=path, reason=f"more than {MOST} files"))


def _paths(pattern: str) -> list[Path]:
    """The file of a plain name, there or not; the files that a pattern finds, without those
    that rotation has put aside."""
    if not glob.has_magic(pattern):
        return [Path(pattern)]
    return [path for path in map(Path, sorted(glob.glob(pattern))) if not is_rotated(path)]
