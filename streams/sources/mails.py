"""Mails of a file or a directory: one mail, a mailbox of many (RFC 4155), a maildir, or files.

Of each mail at most `LARGEST` bytes are kept; the rest is passed over.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from streams.sources.archive import opened

LARGEST = 1 << 20  # bytes of a mail
LINE = 1 << 16  # bytes that are read at once, where no line ends before

_SEPARATOR = re.compile(
    rb"From \S{1,320} {1,8}(?:\w{3},? ){1,2} {0,2}\d{1,2} \d\d:\d\d(?::\d\d)?\b.{0,30}\d{4}"
)


def mails(path: Path) -> Iterator[tuple[str, bytes]]:
    """(where it lies, the mail) of each; `-` is standard input. Raises OSError; what came before
    is good."""
    if path.is_dir():
        for file in _files(path):
            yield from _of_file(file)
    else:
        yield from _of_file(path)


def split(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The mails of a mailbox, or the one mail that the lines are."""
    kept: list[bytes] = []
    size = 0
    mailbox = False
    blank = True
    for number, line in enumerate(lines):
        separator = blank and line.startswith(b"From ") and _SEPARATOR.match(line)
        if separator and (mailbox or not number):
            mailbox = True
            if kept:
                yield b"".join(kept)
            kept, size = [], 0
        elif size < LARGEST:
            kept.append(line[: LARGEST - size])
            size += len(line)
        blank = line in (b"\n", b"\r\n")
    if kept:
        yield b"".join(kept)


def _files(top: Path) -> Iterator[Path]:
    """The files of a directory and of those below it, by name; of a maildir those of mails."""
    for folder, names, files in os.walk(top):
        names.sort()
        if "cur" in names and "new" in names:
            names[:] = ["cur", "new"]
            continue
        for name in sorted(files):
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _of_file(path: Path) -> Iterator[tuple[str, bytes]]:
    with opened(path) as file:
        for mail in split(iter(lambda: file.readline(LINE), b"")):
            yield str(path), mail
