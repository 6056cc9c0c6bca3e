"""Times in the fields of records, as many programs write them -> Unix seconds.

ISO 8601 with any number of digits, without a zone UTC; numbers of seconds, milliseconds,
microseconds or nanoseconds, also as text; ``/Date(1658751973240)/`` (Microsoft's JSON);
``9/5/2022 6:10:13 PM`` (its CSV, American).
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

_DATE = re.compile(r"/Date\((?P<milliseconds>\d{1,15})(?:[+-]\d{4})?\)/")
_AMERICAN = re.compile(
    r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4}) "
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?P<half> [AP]M)?"
)


def moment(value: Any) -> float:
    """Unix seconds; 0.0 where a value tells no time."""
    if isinstance(value, str):
        return _told(value) if value else 0.0
    if isinstance(value, int | float):
        return _scaled(float(value))
    return 0.0


def _scaled(number: float) -> float:
    """What counts thousandths, or thousandths of those, is far from today as seconds."""
    for _ in range(3):
        if number < 1e11:
            break
        number /= 1000.0
    return number if 0.0 <= number < 1e11 else 0.0


@lru_cache(maxsize=4096)
def _told(text: str) -> float:
    text = text.strip()
    try:
        return _scaled(float(text))
    except ValueError:
        pass
    date = _DATE.fullmatch(text)
    if date:
        return int(date["milliseconds"]) / 1000.0
    try:
        american = _AMERICAN.fullmatch(text)
        if american:
            return _american(american)
        told = datetime.fromisoformat(text.removesuffix(" UTC"))
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _american(found: re.Match[str]) -> float:
    hour = int(found["hour"])
    if found["half"]:
        hour = hour % 12 + (12 if found["half"] == " PM" else 0)
    year, month, day, minute, second = (
        int(found[name]) for name in ("year", "month", "day", "minute", "second")
    )
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
