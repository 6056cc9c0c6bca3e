"""Time stamps as logs write them -> Unix seconds.

RFC 3164 stamps (``Nov  2 05:28:19``, the day padded with a space, with a zero or not at all)
name neither year nor zone; ISO 8601 ones may lack the zone; TAI64N (multilog) lacks nothing.
The zone is a setting, the year is the latest that does not put the stamp more than a day after
now. Where a clock is set back an hour repeats: the stamp is taken for the later one when the
log has clearly passed the first.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

Zone = tzinfo | None
"""None is the zone of this machine."""

DAY = 86400.0
KEPT = 4096  # stamps that are remembered: lines share seconds

MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}

_BSD = re.compile(
    r"(?P<month>[A-Z][a-z]{2}) {1,2}(?P<day>\d{1,2}) (?:(?P<year>\d{4}) )?"
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
)
_ISO = re.compile(
    r"(?P<local>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?"
)
_TAI64N = re.compile(r"@(?P<seconds>[0-9a-f]{16})(?P<nanoseconds>[0-9a-f]{8})")
TAI64_EPOCH = (1 << 62) + 10  # multilog counts from 10 s before 1970 and knows no leap seconds


class Stamps:
    """Reads the stamps of one source, whose lines are roughly in order.

    `now` decides the years of those that have none; `year` overrides it (0: none).
    """

    def __init__(self, zone: Zone, year: int, now: float) -> None:
        self._zone = zone
        self._year = year
        self._now = now
        self._newest = 0.0
        self.known: dict[str, float] = {}

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, now: float) -> None:
        if now // DAY != self._now // DAY:
            self.known.clear()  # a stamp may mean another year today
        self._now = now

    def bsd(self, text: str) -> tuple[float, int] | None:
        """The time of the RFC 3164 stamp that `text` begins with, and its length.

        None where there is none; ValueError for a day that no calendar has.
        """
        found = _BSD.match(text)
        month = MONTHS.get(found["month"]) if found else None
        if found is None or month is None:
            return None
        stamp = found[0]
        at = self.known.get(stamp)
        if at is None:
            day, hour, minute, second = (
                int(found[name]) for name in ("day", "hour", "minute", "second")
            )
            second = min(second, 59)  # a leap second
            if found["year"]:
                when = datetime(int(found["year"]), month, day, hour, minute, second)  # noqa: DTZ001
                at = self._epoch(stamp, when)
            else:
                at = self._yearless(stamp, month, day, hour, minute, second)
        return at, found.end()

    def iso(self, text: str) -> tuple[float, int] | None:
        """The time of the ISO 8601 stamp that `text` begins with, and its length."""
        found = _ISO.match(text)
        if found is None:
            return None
        local, fraction, zone = found.groups()
        key = local + zone if zone else local
        at = self.known.get(key)
        if at is None:
            when = datetime.fromisoformat(local)
            if zone:
                at = self._remember(key, when.replace(tzinfo=_offset(zone)).timestamp())
            else:
                at = self._epoch(key, when)
        return (at + float(f"0.{fraction}") if fraction else at), found.end()

    def tai64n(self, text: str) -> tuple[float, int] | None:
        """The time of the TAI64N label that `text` begins with, and its length."""
        found = _TAI64N.match(text)
        if found is None:
            return None
        seconds = int(found["seconds"], 16) - TAI64_EPOCH
        return seconds + int(found["nanoseconds"], 16) / 1e9, found.end()

    def _yearless(
        self, stamp: str, month: int, day: int, hour: int, minute: int, second: int
    ) -> float:
        if self._year:
            return self._epoch(stamp, datetime(self._year, month, day, hour, minute, second))  # noqa: DTZ001
        latest = self._now + DAY
        year = datetime.fromtimestamp(latest, self._zone or UTC).year + 1
        for candidate in range(year, year - 10, -1):  # eight years can lie between leap years
            try:
                when = datetime(candidate, month, day, hour, minute, second)  # noqa: DTZ001
            except ValueError:
                if (month, day) != (2, 29):
                    raise
                continue
            if when.replace(tzinfo=self._zone).timestamp() <= latest:
                return self._epoch(stamp, when)
        raise ValueError(f"no year has the day of {stamp!r}")

    def _epoch(self, key: str, local: datetime) -> float:
        first = local.replace(tzinfo=self._zone).timestamp()
        second = local.replace(tzinfo=self._zone, fold=1).timestamp()
        if second > first:
            # The hour repeats, so what the stamp means depends on what came before it.
            passed = self._newest - first > 1800 and second - self._newest < 5400
            at = second if passed else first
            self._newest = max(self._newest, at) if at - self._newest < DAY else at
            return at
        return self._remember(key, first)

    def _remember(self, key: str, at: float) -> float:
        if len(self.known) >= KEPT:
            self.known.clear()
        self.known[key] = at
        self._newest = at
        return at


def _offset(zone: str) -> tzinfo:
    if zone == "Z":
        return UTC
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
