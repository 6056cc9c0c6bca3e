"""Lines of a file that may be compressed: .gz, .bz2, .xz, .zst, known by the name, or where it
has no such name, as standard input, by how it begins."""

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

import zstandard

LONGEST = 1 << 18  # bytes of a line that are passed on; the rest of it is skipped


def _unpack_gz(file: IO[bytes]) -> IO[bytes]:
    return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]


def _unpack_zst(file: IO[bytes]) -> IO[bytes]:
    frames = zstandard.ZstdDecompressor().stream_reader(
        file, read_across_frames=True, closefd=False
    )
    return io.BufferedReader(frames)


UNPACKERS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    ".gz": _unpack_gz,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _unpack_zst,
}
MAGIC = {  # how each begins
    ".gz": b"\x1f\x8b\x08",
    ".bz2": b"BZh",
    ".xz": b"\xfd7zXZ\x00",
    ".zst": b"\x28\xb5\x2f\xfd",
}
BROKEN = (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


class UnpackError(OSError):
    """The file is cut, or is not compressed as its name says."""

    def __init__(self, path: Path, why: Exception) -> None:
        super().__init__(None, f"cannot be unpacked further: {why}", str(path))


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """What lies in a file, unpacked. `-` is standard input. Raises OSError, also while it is
    read."""
    stdin = nullcontext(sys.stdin.buffer) if str(path) == "-" else None
    with stdin or path.open("rb") as file:
        kind = path.suffix if path.suffix in UNPACKERS else _begins_as(file)
        if not kind:
            yield file
            return
        try:
            yield UNPACKERS[kind](file)
        except (*BROKEN, OSError) as error:
            raise UnpackError(path, error) from error


def open_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset in the decompressed file, line without its end) of each line.

    Raises OSError where the file cannot be opened or read on; what came before is good.
    """
    with opened(path) as file:
        yield from _lines(file)


def _begins_as(file: IO[bytes]) -> str:
    """The suffix that its first bytes stand for; "" where it is no archive. Nothing is read."""
    peek = getattr(file, "peek", None)
    begin: bytes = peek(6) if peek is not None else b""
    return next((kind for kind, magic in MAGIC.items() if begin.startswith(magic)), "")


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while line := file.readline(LONGEST):
        length = len(line)
        kept = line.rstrip(b"\n")
        while not line.endswith(b"\n") and (line := file.readline(LONGEST)):
            length += len(line)
        yield offset, kept
        offset += length
