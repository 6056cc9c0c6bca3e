"""Alerts as JSON lines: appended to a file, or written to standard output."""

import os
import sys
from collections.abc import Sequence

from schemas import wire
from schemas.findings import Alert
from streams.sink import Sink, SinkError, SinkSettings


class JsonLinesSettings(SinkSettings, frozen=True):
    """``[sinks.jsonl]``"""

    path: str = "-"  # "-" is standard output


class JsonLines(Sink):
    """The file is opened for each batch, so that it may be rotated at any time without a word
    to us. A batch is written whole or not at all: lines of a full disk are taken back."""

    Settings = JsonLinesSettings
    settings: JsonLinesSettings

    def deliver(self, alerts: Sequence[Alert]) -> None:
        lines = b"".join(wire.encode(alert) + b"\n" for alert in alerts)
        try:
            if self.settings.path == "-":
                sys.stdout.buffer.write(lines)
                sys.stdout.buffer.flush()
            else:
                _append(self.settings.path, lines)
        except OSError as error:
            raise SinkError(f"{self.settings.path}: {error.strerror}") from error


def _append(path: str, lines: bytes) -> None:
    """Raises OSError, and then nothing was added."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        before = os.fstat(descriptor).st_size
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
