"""Log files as they are read: a progress bar by bytes on a terminal's standard error, and what
ends one early."""

import lzma
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import zstandard
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from agents.replay import Progress as Report
from streams.sources.archive import UNPACKERS, open_lines

UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


@contextmanager
def following(files: Sequence[Path], what: str = "reading") -> Iterator[Report | None]:
    """What to tell of progress while `files` are read; None where nobody looks.

    The size of what a compressed file holds is not known before it is read: then the bar only
    shows that something moves.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    plain = all(path.suffix not in UNPACKERS for path in files)
    total = sum(path.stat().st_size for path in files) if plain else None
    offsets: dict[str, int] = {}
    with Progress(
        TextColumn(what),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=total)

        def report(name: str, offset: int) -> None:
            offsets[name] = offset
            bar.update(task, completed=sum(offsets.values()))

        yield report


def readable(path: Path, broken: list[str]) -> Iterator[tuple[int, bytes]]:
    """The lines of a file as far as it can be read; what ends it early goes to `broken`."""
    try:
        yield from open_lines(path)
    except UNREADABLE as error:
        broken.append(f"{path}: cannot be read on: {error}")
