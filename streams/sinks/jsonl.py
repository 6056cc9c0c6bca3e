"""Alerts as JSON lines: appended to a file, or written to standard output."""

import os
import sys
from collections.abc import Sequence

from schemas.findings import Alert
from streams.rendering import formats
from streams.rendering.formats import Format
from streams.sink import Sink, SinkError, SinkSettings

LOOK_BACK = 4 << 20  # bytes of the file that are searched for what an earlier process wrote


class JsonLinesSettings(SinkSettings, frozen=True):
    """``[sinks.jsonl]``"""

    gather: float = 0.0  # seconds; 0: each alert is a line
    path: str = "-"  # "-" is standard output
    format: Format = "native"  # our own, OCSF 1.8, ECS


class JsonLines(Sink):
    """The file is opened for each batch, so that it may be rotated at any time without a word
    to us. A batch is written whole or not at all: lines of a full disk are taken back."""

    Settings = JsonLinesSettings
    settings: JsonLinesSettings

    def about(self) -> str:
        where = "standard output" if self.settings.path == "-" else self.settings.path
        form = "" if self.settings.format == "native" else f" ({self.settings.format})"
        return f"JSON lines{form} to {where}"

    def deliver(self, alerts: Sequence[Alert]) -> None:
        form = self.settings.format
        lines = b"".join(formats.rendered(alert, form) + b"\n" for alert in alerts)
        try:
            if self.settings.path == "-":
                sys.stdout.buffer.write(lines)
                sys.stdout.buffer.flush()
            else:
                _append(self.settings.path, lines)
        except OSError as error:
            raise SinkError(f"{self.settings.path}: {error.strerror}") from error

    def received(self, alerts: Sequence[Alert]) -> set[tuple[str, int]]:
        """What stands in the last lines of the file."""
        wanted = {(alert.id, alert.revision) for alert in alerts}
        if not wanted or self.settings.path == "-":
            return set()
        try:
            lines = _last_lines(self.settings.path)
        except OSError:
            return set()
        found = {formats.which(line, self.settings.format) for line in lines}
        return wanted & found


def _last_lines(path: str) -> list[bytes]:
    """The last `LOOK_BACK` bytes, by line; the first may be the end of one."""
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LOOK_BACK))
        return file.read(LOOK_BACK).split(b"\n")


def _append(path: str, lines: bytes) -> None:
    """Raises OSError, and then nothing was added."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        before = os.fstat(descriptor).st_size
        if before and os.pread(descriptor, 1, before - 1) != b"\n":
            before = _without_torn_line(descriptor, before)
        try:
            left = memoryview(lines)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        except OSError:
            if before or os.fstat(descriptor).st_size:
                os.ftruncate(descriptor, before)
            raise
    finally:
        os.close(descriptor)


def _without_torn_line(descriptor: int, size: int) -> int:
    """Take back the line in whose middle an earlier process was killed: its alert is still owed
    and will be told again. Returns the new size."""
    start = max(0, size - LOOK_BACK)
    whole = start + os.pread(descriptor, size - start, start).rfind(b"\n") + 1
    os.ftruncate(descriptor, whole)
    return whole
