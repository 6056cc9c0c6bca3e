"""Lines of a file that may be compressed: .gz, .bz2, .xz, .zst, known by the name."""

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import zstandard

LONGEST = 1 << 16  # bytes of a line that are passed on; the rest of it is skipped

OPENERS: dict[str, Callable[[Path], IO[bytes]]] = {
    ".gz": gzip.open,  # type: ignore[dict-item]
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": zstandard.open,
}


def open_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset in the decompressed file, line without its end) of each line.

    Raises OSError, EOFError or ValueError (zlib.error, lzma.LZMAError and
    zstandard.ZstdError among them) where the file cannot be read on.
    """
    with OPENERS.get(path.suffix, Path.open)(path, "rb") as file:  # type: ignore[call-arg]
        offset = 0
        while line := file.readline(LONGEST):
            length = len(line)
            kept = line.rstrip(b"\n")
            while not line.endswith(b"\n") and (line := file.readline(LONGEST)):
                length += len(line)
            yield offset, kept
            offset += length
