"""Lines of a file that may be compressed: .gz, .bz2, .xz, .zst, known by the name."""

import bz2
import errno
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard

LONGEST = 1 << 16  # bytes of a line that are passed on; the rest of it is skipped

DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


OPENERS: dict[str, Callable[[Path], io.BufferedIOBase]] = {
    ".gz": gzip.GzipFile,
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zst": lambda path: io.BufferedReader(zstandard.open(path, "rb")),
}


def open_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset in the decompressed file, line without its end) of each line.

    Raises OSError where the file cannot be read, or not be read on because it is damaged.
    """
    with OPENERS.get(path.suffix, _plain)(path) as file:
        try:
            yield from _lines(file)
        except DAMAGED as error:
            raise OSError(errno.EIO, f"damaged: {error}", str(path)) from error


def _plain(path: Path) -> io.BufferedIOBase:
    return path.open("rb")


def _lines(file: io.BufferedIOBase) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while line := file.readline(LONGEST):
        length = len(line)
        kept = line.removesuffix(b"\n")
        while not line.endswith(b"\n") and (line := file.readline(LONGEST)):
            length += len(line)
        yield offset, kept
        offset += length
