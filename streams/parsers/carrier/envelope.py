"""Log lines inside JSON objects: the journal's and Docker's. Other objects are what they say.

The journal (``journalctl -o json``, systemd's JOURNAL_EXPORT_FORMATS.md): all values are text;
one that is no valid UTF-8 is an array of bytes, one that is too long is null, one that a
program set twice is an array of values. Docker's json-file driver: ``log`` ends with a newline,
except where a line was longer than 16 KiB and goes on in the next object.
"""

from typing import Any

import orjson
from msgspec import Struct

LONGEST_LINE = 65_536  # characters of a line that Docker has split


class Letter(Struct, frozen=True, gc=False):
    """What an envelope says. `at` is None where only `stamp` tells the time.

    `data` is the object itself, where it is no envelope but an event of its own.
    """

    text: str
    at: float | None = None
    stamp: str = ""
    host: str = ""
    program: str = ""
    pid: str = ""
    data: dict[str, Any] | None = None


TIMES = ("CreationTime", "createdDateTime", "time", "Received", "@timestamp", "timestamp", "ts")
"""Where objects tell their time: ISO 8601, or Unix seconds. Parsers may know better."""


class Envelopes:
    """Opens the envelopes of one source; remembers the first parts of a split line."""

    def __init__(self) -> None:
        self.begun: dict[str, str] = {}  # by Docker's stream

    def open(self, text: str) -> Letter | None:
        """What lies in an envelope; None where it goes on in the next or says nothing.

        Raises ValueError where it is no JSON object.
        """
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"no JSON: {error}") from error
        if "__REALTIME_TIMESTAMP" in found:
            return _journal(found)
        if "log" in found:
            return self._docker(found)
        stamp = next((found[name] for name in TIMES if name in found), "")
        if isinstance(stamp, int | float):
            return Letter("", at=float(stamp), data=found)
        return Letter("", stamp=stamp if isinstance(stamp, str) else "", data=found)

    def _docker(self, found: dict[str, Any]) -> Letter | None:
        log, stream, stamp = (found.get(name, "") for name in ("log", "stream", "time"))
        if not (isinstance(log, str) and isinstance(stream, str) and isinstance(stamp, str)):
            raise ValueError("Docker's log, stream and time must be text")
        line = (self.begun.pop(stream, "") + log)[:LONGEST_LINE]
        if not log.endswith("\n"):
            if len(self.begun) < 2:  # stdout and stderr
                self.begun[stream] = line
            return None
        return Letter(line.rstrip("\r\n"), stamp=stamp) if line.strip() else None


def _journal(found: dict[str, Any]) -> Letter | None:
    text = _text(found.get("MESSAGE"))
    if not text:
        return None
    try:
        at = int(found["__REALTIME_TIMESTAMP"]) / 1e6
    except (TypeError, ValueError) as error:
        raise ValueError("__REALTIME_TIMESTAMP must be microseconds") from error
    return Letter(
        text,
        at=at,
        host=_text(found.get("_HOSTNAME")),
        program=_text(found.get("SYSLOG_IDENTIFIER")) or _text(found.get("_COMM")),
        pid=_text(found.get("SYSLOG_PID")) or _text(found.get("_PID")),
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        if all(isinstance(item, int) and 0 <= item < 256 for item in value):
            return bytes(value).decode("utf-8", "backslashreplace")
        return _text(value[-1])
    return ""
