"""Lines of a file that may be compressed: .gz, .bz2, .xz, .zst, known by the name."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import zstandard

LONGEST = 1 << 18  # bytes of a line that are passed on; the rest of it is skipped


def _open_zst(path: Path, mode: str) -> IO[bytes]:
    frames = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True)
    return io.BufferedReader(frames)


OPENERS: dict[str, Callable[..., IO[bytes]]] = {
    ".gz": gzip.open,  # type: ignore[dict-item]
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _open_zst,
}


class UnpackError(OSError):
    """The file is cut, or is not compressed as its name says."""

    def __init__(self, path: Path, why: Exception) -> None:
        super().__init__(None, f"cannot be unpacked further: {why}", str(path))


def open_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset in the decompressed file, line without its end) of each line.

    Raises OSError where the file cannot be opened or read on; what came before is good.
    """
    with OPENERS.get(path.suffix, Path.open)(path, "rb") as file:
        lines = _lines(file)
        if path.suffix not in OPENERS:
            yield from lines
            return
        try:
            yield from lines
        except (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError) as error:
            raise UnpackError(path, error) from error


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while line := file.readline(LONGEST):
        length = len(line)
        kept = line.rstrip(b"\n")
        while not line.endswith(b"\n") and (line := file.readline(LONGEST)):
            length += len(line)
        yield offset, kept
        offset += length
