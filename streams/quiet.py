"""Quiet hours: when a sink is told only of what is severe.

``22:00-07:00``, or with days ``mon-fri 22:00-07:00``, ``sat,sun 00:00-24:00``; hours over midnight
belong to the day on which they begin. Times are those of a zone, its summer time included.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from msgspec import Struct

from schemas.settings import SettingsError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SPAN = re.compile(
    r"(?:(?P<days>[a-z,-]+) +)?(?P<from>\d\d:\d\d) *- *(?P<to>\d\d:\d\d)", re.IGNORECASE
)
EXPECTED = "expected hours such as 22:00-07:00 or mon-fri 22:00-07:00"
WEEK = 8  # days in which hours that end at all have ended


class Span(Struct, frozen=True):
    days: frozenset[int]  # on which it begins, 0 is Monday
    begin: int  # minutes after midnight
    length: int  # minutes


class Hours:
    """Raises SettingsError that names the setting."""

    def __init__(self, spans: Sequence[str], zone: str = "") -> None:
        self._spans = [_span(text, f"quiet_hours[{index}]") for index, text in enumerate(spans)]
        self._zone: tzinfo | None = None  # this machine's
        if zone:
            try:
                self._zone = ZoneInfo(zone)
            except (ValueError, OSError, KeyError) as error:
                expected = "expected an IANA zone such as Europe/Berlin"
                raise SettingsError(f"quiet_zone: {expected}") from error

    def __bool__(self) -> bool:
        return bool(self._spans)

    def end(self, now: float) -> float | None:
        """When the quiet hours that `now` lies in are over (Unix seconds); None: it lies in none.
        Hours that follow each other at once are as one, but none lasts more than a week."""
        at = now
        for _ in range(WEEK * len(self._spans)):
            ends = [end for begin, end in self._around(at) if begin <= at < end]
            if not ends:
                break
            at = max(ends)
        return at if at > now else None

    def _around(self, now: float) -> list[tuple[float, float]]:
        """Beginning and end of those that began today or the day before, in Unix seconds."""
        today = datetime.fromtimestamp(now, UTC).astimezone(self._zone).date()
        days = (today - timedelta(days=1), today)
        return [
            (self._at(day, span.begin), self._at(day, span.begin + span.length))
            for span in self._spans
            for day in days
            if day.weekday() in span.days
        ]

    def _at(self, day: date, minutes: int) -> float:
        """When the clocks on the wall show so many minutes after the midnight that began it."""
        shown = datetime.combine(day, time(), self._zone) + timedelta(minutes=minutes)
        return shown.astimezone(UTC).timestamp()


def _span(text: str, key: str) -> Span:
    wrong = SettingsError(f"{key}: {EXPECTED}, not {text!r}")
    match = SPAN.fullmatch(text.strip())
    if match is None:
        raise wrong
    begin, end = _minutes(match["from"], 1439), _minutes(match["to"], 1440)
    if begin is None or end is None or begin == end:
        raise wrong
    days = _days(match["days"])
    if not days:
        raise wrong
    return Span(days, begin, (end - begin) % 1440 or 1440)


def _minutes(text: str, most: int) -> int | None:
    hours, minutes = int(text[:2]), int(text[3:])
    found = 60 * hours + minutes
    return found if minutes < 60 and found <= most else None


def _days(text: str | None) -> frozenset[int]:
    """None of them where the text is wrong."""
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            return frozenset()
        begin = DAYS.index(first)
        length = (DAYS.index(last) - begin) % 7 if dash else 0
        found |= {(begin + offset) % 7 for offset in range(length + 1)}
    return frozenset(found)
