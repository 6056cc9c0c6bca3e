"""What an envelope of a shipper says of the line that lies in it, and how to read its values."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

EARLIEST = 0.0
LATEST = 4102444800.0  # 2100; what is beyond is no time of an event
LONGEST_TAG = 200

# "postfix/submission/smtpd[16850]:", as syslog writes it before a message
_TAG = re.compile(r"(?P<program>[^\s\[\]:]{1,200})(?:\[(?P<pid>\w{1,32})\])?:?")

Found = Mapping[str, Any]
"""A JSON object."""


class Letter(Struct, frozen=True, gc=False, array_like=True):
    """`text` is a line as its file had it, or, where a `program` is named, what that one said.

    `at` or else `stamp` is the envelope's time: of the event, or, with `read`, only that of the
    shipper, which then counts where the line itself tells none. `data` is the object that says
    it all where there is no text; beside a text it is what the object may be as a whole.
    """

    text: str
    at: float | None = None
    stamp: str = ""
    host: str = ""
    program: str = ""
    pid: str = ""
    file: str = ""  # or stream, or container: a line goes on in the next of the same
    read: bool = False
    split: bool = False  # the line goes on in the next
    data: dict[str, Any] | None = None


Opened = Letter | list[Letter] | None
"""What lies in an envelope; None where it says nothing."""


def text(value: Any) -> str:
    """A value as text. The journal has arrays of bytes, and arrays of repeated values."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        if all(isinstance(item, int) and 0 <= item < 256 for item in value):
            return bytes(value).decode("utf-8", "backslashreplace")
        return next((item for item in reversed(value) if isinstance(item, str)), "")
    return ""


def word(value: Any) -> str:
    """A name or number as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return "" if value == "-" else text(value)


def first(found: Found, names: tuple[str, ...]) -> str:
    """The first of these fields that says something."""
    for name in names:
        if name in found and (said := word(found[name])):
            return said
    return ""


def inside(found: Found, name: str) -> Found:
    """An object within an object; empty where there is none."""
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def clock(value: Any) -> tuple[float | None, str]:
    """A time as Unix seconds, or else as text that is to be read: numbers may count seconds,
    milli-, micro- or nanoseconds. (None, "") where it is no time."""
    if isinstance(value, str):
        if not value or not value.replace(".", "", 1).isdecimal():
            return None, value[:64]
        value = float(value) if len(value) < 32 else 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, ""
    seconds = float(value)
    for unit in (1e9, 1e6, 1e3):
        if seconds > LATEST * unit / 1e3:
            seconds /= unit
            break
    return (seconds, "") if EARLIEST < seconds < LATEST else (None, "")


def when(found: Found, names: tuple[str, ...]) -> tuple[float | None, str]:
    """The time that the first of these fields tells."""
    for name in names:
        if name in found:
            at, stamp = clock(found[name])
            if at is not None or stamp:
                return at, stamp
    return None, ""


@lru_cache(maxsize=8192)
def tag(value: str) -> tuple[str, str]:
    """Program and pid of a syslog tag; ("", "") where it is none."""
    found = _TAG.fullmatch(value.strip()[:LONGEST_TAG])
    return (found["program"], found["pid"] or "") if found else ("", "")
