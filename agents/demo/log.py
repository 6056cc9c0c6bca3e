"""The log that the day is written to: lines of several hosts, given out by time."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

Stamp = Literal["iso", "rfc3164"]


class Log:
    """Lines of all hosts as a central syslog server keeps them. They are written in any order;
    `take` gives them by time."""

    def __init__(self, stamp: Stamp = "iso") -> None:
        self._stamp: Callable[[float], str] = _iso if stamp == "iso" else _rfc3164
        self._lines: list[tuple[float, int, str]] = []
        self._written = 0

    def write(self, at: float, host: str, text: str) -> None:
        """A line of `host` at `at` (Unix seconds); `text` begins with the syslog tag."""
        self._written += 1
        self._lines.append((at, self._written, f"{host} {text}"))

    def take(self, before: float) -> Iterator[bytes]:
        """The lines before a time, in order, each with its line end; they are gone then."""
        self._lines.sort()
        stop = bisect_left(self._lines, (before, 0, ""))
        taken, self._lines = self._lines[:stop], self._lines[stop:]
        stamp = self._stamp
        for at, _, text in taken:
            yield f"{stamp(at)} {text}\n".encode()


def _iso(at: float) -> str:
    """As rsyslog's RSYSLOG_FileFormat template writes it (RFC 3339)."""
    second = int(at)
    return f"{_iso_second(second)}.{int((at - second) * 1e6):06d}+00:00"


@lru_cache(maxsize=4)
def _iso_second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=4)
def _rfc3164_second(at: int) -> str:
    when = datetime.fromtimestamp(at, UTC)
    return f"{when:%b} {when.day:2d} {when:%H:%M:%S}"


def _rfc3164(at: float) -> str:
    return _rfc3164_second(int(at))
