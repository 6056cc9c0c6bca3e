"""Lines to typed events and nothing else: ``python -m load.read FILE...``. Prints how many."""

import gc
import sys
from pathlib import Path

from streams.reader import Reader, ReadOptions
from streams.sources.archive import open_lines


def main(paths: list[str]) -> None:
    gc.disable()  # events are freed by their reference count
    reader = Reader(ReadOptions())
    sources = [(path, open_lines(Path(path))) for path in paths]
    events = sum(1 for _ in reader.read(sources)) + len(reader.close())
    print(f"{reader.counts.lines} lines, {events} events")


if __name__ == "__main__":
    main(sys.argv[1:])
