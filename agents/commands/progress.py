"""A progress bar over files, by bytes, on a terminal's standard error."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from agents.replay import Progress as Report
from streams.sources.archive import UNPACKERS


@contextmanager
def following(files: Sequence[Path]) -> Iterator[Report | None]:
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
        TextColumn("reading"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("reading", total=total)

        def report(name: str, offset: int) -> None:
            offsets[name] = offset
            bar.update(task, completed=sum(offsets.values()))

        yield report
