"""Time stamps as logs write them -> Unix seconds.

RFC 3164 stamps (``Nov  2 05:28:19``, the day padded with a space, with a zero or not at all)
name neither year nor zone; ISO 8601 ones may lack the zone; TAI64N (multilog) lacks nothing.
Programs with a file of their own write yet others, see `Stamps.own`.
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
    r"(?P<minute>\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d| [+-]\d{4}(?= ))?"
)
_TAI64N = re.compile(r"@(?P<seconds>[0-9a-f]{16})(?P<nanoseconds>[0-9a-f]{8})")
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,]\d{1,9})?"
_ZONE = r"(?: ?(?P<zone>[+-]\d\d:?\d\d|UTC|GMT|Z))?"
_VIEWED = re.compile(
    r"(?P<month>\d{1,2})(?P<by>[/.-])(?P<day>\d{1,2})[/.-](?P<year>\d{4}),? "
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?P<zone>)(?: (?P<half>[AP]M))?"
)
_DAY = re.compile(r"\[(?P<day>\d{4}-\d\d-\d\d)\]")
_THREAD = r"(?:\[[0-9A-F]{4,6}:[0-9A-F]{3,6}-[0-9A-F]{4,16}\] )?"
_OWN = (
    # "[20-Nov-2025 10:00:00 +0000]: " (PHP), "[20/Nov/2025 10:00:00] "
    re.compile(
        r"\[?(?P<day>\d\d)[-/](?P<month>[A-Z][a-z]{2})[-/](?P<year>\d{4})[ :]"
        rf"{_CLOCK}{_ZONE}(?: [A-Za-z_/]{{2,32}})?\]?:?(?= |$)"
    ),
    # "[2025-11-20 10:00:00] "
    re.compile(
        rf"\[(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)[ T]{_CLOCK}{_ZONE}"
        r"(?: [A-Za-z_/]{2,32})?\]:?(?=[ A-Z]|$)"
    ),
    # "Thu Nov 20 10:00:00 2025 " (ctime)
    re.compile(
        rf"[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) {{1,2}}(?P<day>\d{{1,2}}) {_CLOCK}{_ZONE} "
        r"(?P<year>\d{4})(?= |$)"
    ),
    # "date=2025-11-20 time=10:00:00 ", "date=2025-11-20,time=10:00:00," (Fortinet)
    re.compile(
        r"date=(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?:,? |,)"
        rf"time={_CLOCK}{_ZONE}(?=[ ,])"
    ),
    # "2025/11/20 10:00:00 " (nginx)
    re.compile(rf"(?P<year>\d{{4}})/(?P<month>\d\d)/(?P<day>\d\d) {_CLOCK}{_ZONE}(?= |$)"),
    # "11/20/2025 10:00:00 ", "[0CC8:0004-0EB4] 11/20/2025 10:00:00 AM " (Domino)
    re.compile(
        rf"{_THREAD}(?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d{{4}}) {_CLOCK}"
        rf"(?: (?P<half>[AP]M))?{_ZONE}(?= |$)"
    ),
    # "Nov-20-25 10:00:00 " (ASSP)
    re.compile(rf"(?P<month>[A-Z][a-z]{{2}})-(?P<day>\d\d)-(?P<year>\d\d) {_CLOCK}{_ZONE}(?= |$)"),
    # "[0CC8:0004-0EB4] 20.11.2025 10:00:00 ", "20-11-2025 10:00:00 "
    re.compile(
        rf"{_THREAD}(?P<day>\d\d)[.-](?P<month>\d\d)[.-](?P<year>\d{{4}}) {_CLOCK}{_ZONE}(?= |$)"
    ),
)
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
        self._locals: dict[str, float] = {}  # "2026-02-22 07:30", in the source's zone
        # "[22/Feb/2026 07:30:59]", with all that belongs to it; looked up by the carrier
        self.owns: dict[str, float] = {}
        self.seconds: dict[str, float] = {}  # "Feb 22 07:30:59 ", looked up by the carrier
        # "Feb 22 07:30", or "2026-02-22T07:30" and what follows rsyslog's microseconds: "+00:00 ";
        # looked up by the carrier too
        self.minutes: dict[str, tuple[float, str]] = {}
        self._days: dict[str, float] = {}  # "2026-02-22+00:00 ": its first second
        # "2026-02-22T07:30" and its zone, "22/Feb/2026 07:30:" and what follows the second
        self._bases: dict[tuple[str, str], float] = {}

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, now: float) -> None:
        if now // DAY != self._now // DAY:
            self._forget()  # a stamp may mean another year today
        self._now = now

    def split(self, text: str) -> tuple[float, str] | None:
        """The time that a line begins with, and the rest of the line; None where it begins with
        none. ValueError for a day that no calendar has."""
        day = self._days.get(text[:10] + text[26:33])
        if day is not None:
            at = self._in_day(day, text)
            if at is not None:
                return at, text[33:]
        local = self._locals.get(text[:16])
        if local is not None and text[19:20] == " " and text[20:21] not in "+-":
            second = text[17:19]
            if second.isdecimal():
                return local + int(second), text[20:]
        at = self.second(text)
        if at is not None:
            return at, text[16:]
        found = self.bsd(text) or self.iso(text) or self.tai64n(text)
        return (found[0], text[found[1] :].lstrip(" ")) if found else None

    def second(self, text: str) -> float | None:
        """The time of an RFC 3164 stamp in a minute that was seen."""
        minute = self.minutes.get(text[:12])
        if minute is None or text[12:13] != ":" or text[15:16] != " ":
            return None
        second = text[13:15]
        if not second.isdecimal():
            return None
        at = minute[0] + int(second)
        if len(self.seconds) >= KEPT:
            self.seconds.clear()
        self.seconds[text[:16]] = at
        return at

    def _in_day(self, day: float, text: str) -> float | None:
        """The time of rsyslog's stamp with microseconds, on a day and in a zone that were seen."""
        if text[10] + text[13] + text[16] + text[19] != "T::.":
            return None
        clock, second = text[11:13] + text[14:16], text[17:19] + text[20:26]
        if not (clock.isdecimal() and second.isdecimal()) or clock >= "2400" or clock[2] > "5":
            return None
        minute = day + int(clock[:2]) * 3600 + int(clock[2:]) * 60
        self._keep_minute(text[:16], text[26:33], minute)
        return minute + int(second) / 1e6

    def alone(self, stamp: str) -> float | None:
        """The time of a stamp with nothing behind it; None where it is none."""
        known = self.minutes.get(stamp[:16])
        if known is not None and known[1] == stamp[26:] + " " and stamp[19] == ".":
            second = stamp[17:19] + stamp[20:26]
            if second.isdecimal():
                return known[0] + int(second) / 1e6
        zone = "Z" if stamp[-1:] == "Z" else stamp[-6:]
        second = stamp[17 : -len(zone)]
        if zone == "Z" or (zone[:1] in "+-" and zone[3:4] == ":"):
            minute = self._bases.get((stamp[:16], zone))
            if minute is not None and second.replace(".", "", 1).isdecimal():
                return minute + float(second)
            found = self.iso(f"{stamp[:16]}:00{zone}")
            if found is not None and second.replace(".", "", 1).isdecimal():
                self._keep_base((stamp[:16], zone), found[0])
                if len(stamp) == 32 and stamp[10] == "T":
                    self._keep_minute(stamp[:16], f"{zone} ", found[0])
                return found[0] + float(second)
        split = self.split(stamp)
        return split[0] if split else None

    def bsd(self, text: str) -> tuple[float, int] | None:
        """The time of the RFC 3164 stamp that `text` begins with, and its length."""
        found = _BSD.match(text)
        month = MONTHS.get(found["month"]) if found else None
        if found is None or month is None:
            return None
        day, hour, minute, second = (
            int(found[name]) for name in ("day", "hour", "minute", "second")
        )
        if found["year"]:
            when = datetime(int(found["year"]), month, day, hour, minute)  # noqa: DTZ001
            at = self._epoch(when)
        else:
            at = self._yearless(month, day, hour, minute)
            if found.end() == 15:
                self._keep(found[0][:12], "", at)
        return at + second, found.end()

    def iso(self, text: str) -> tuple[float, int] | None:
        """The time of the ISO 8601 stamp that `text` begins with, and its length."""
        found = _ISO.match(text)
        if found is None:
            return None
        minute, second, fraction, zone = found.groups()
        if zone:
            base = self._bases.get((minute, zone))
            if base is None:
                local = datetime.fromisoformat(minute)
                base = local.replace(tzinfo=_offset(zone)).timestamp()
                self._keep_base((minute, zone), base)
            at = base
            if found.end() == 32 and text[32:33] == " ":
                self._keep_day(minute, f"{zone} ", at)
        else:
            at = self._local(minute)
        return at + int(second) + (float(f"0.{fraction}") if fraction else 0.0), found.end()

    def tai64n(self, text: str) -> tuple[float, int] | None:
        """The time of the TAI64N label that `text` begins with, and its length."""
        found = _TAI64N.match(text)
        if found is None:
            return None
        seconds = int(found["seconds"], 16) - TAI64_EPOCH
        return seconds + int(found["nanoseconds"], 16) / 1e9, found.end()

    def seen(self, text: str) -> tuple[float, str] | None:
        """The same as `own`, of a stamp that was read before."""
        end = 24 if text[3:4] == " " else 18  # of those that begin with a name
        if not text[:3].isalpha():
            end = text.find("]", 0, 48) + 1 if text[:1] == "[" else 19
        end += text[end : end + 1] == ":"
        at = self.owns.get(text[:end])
        if at is None or text[end : end + 1] != " ":
            return None
        return at, text[end + 1 :].lstrip(" ")

    def own(self, text: str) -> tuple[float, str] | None:
        """The time that a line of a program's own file begins with, where it is none of the usual
        ones, and the rest of the line. ValueError for a day that no calendar has."""
        if not (text[:3].isalpha() or text[:1] == "[" or text[:2].isdecimal()):
            return None
        found = next((found for own in _OWN if (found := own.match(text))), None)
        if found is None:
            return self._of_day(text)
        begin, second = found.start(1), found["second"]
        key = text[begin : found.start("second")], text[found.end("second") : found.end()]
        at = self._bases.get(key)
        if at is None:
            at = self._minute(found)
            if at is None:
                return None
            if not self._repeating(at):
                self._keep_base(key, at)
        at += int(second)
        if key in self._bases:
            if len(self.owns) >= KEPT:
                self.owns.clear()
            self.owns[found[0]] = at
        return at, text[found.end() :].lstrip(" ")

    def viewed(self, text: str) -> float | None:
        """The time that Windows shows, as its region writes it: the month first only beside AM and
        PM, unless the day would not be over yet."""
        found = _VIEWED.fullmatch(text.strip())
        if found is None:
            iso = self.iso(text.strip())
            return iso[0] if iso else None
        orders = ["md", "dm"] if found["half"] else ["dm", "md"]
        times = [at for order in orders if (at := self._ordered(found, order)) is not None]
        return next((at for at in times if at <= self._now + DAY), times[0] if times else None)

    def _ordered(self, found: re.Match[str], order: str) -> float | None:
        day, month = int(found["day"]), int(found["month"])
        if order == "dm":
            day, month = month, day
        hour = int(found["hour"])
        if found["half"]:
            hour = hour % 12 + (12 if found["half"] == "PM" else 0)
        try:
            local = datetime(int(found["year"]), month, day, hour, int(found["minute"]))  # noqa: DTZ001
        except ValueError:
            return None
        return self._epoch(local) + int(found["second"])

    def _of_day(self, text: str) -> tuple[float, str] | None:
        """``[2025-11-20]``: the last moment of that day which is not after now."""
        found = _DAY.match(text)
        if found is None:
            return None
        begin = self._epoch(datetime.fromisoformat(found["day"]))
        return max(begin, min(begin + DAY - 1, self._now)), text[found.end() :].lstrip(" ")

    def _minute(self, found: re.Match[str]) -> float | None:
        """The time of the minute that a program's own stamp tells; None for a month of no name."""
        month = found["month"]
        number = int(month) if month.isdecimal() else MONTHS.get(month, 0)
        if not number:
            return None
        year, day, hour, minute = (int(found[name]) for name in ("year", "day", "hour", "minute"))
        if year < 100:
            year += 2000
        if number > 12 >= day:
            number, day = day, number  # the day was first after all
        half = found.groupdict().get("half")
        if half:
            hour = hour % 12 + (12 if half == "PM" else 0)
        local = datetime(year, number, day, hour, minute)  # noqa: DTZ001
        zone = found["zone"]
        if not zone:
            return self._epoch(local)
        return local.replace(tzinfo=_offset(zone if zone[0] in "+-" else "Z")).timestamp()

    def _keep_base(self, key: tuple[str, str], at: float) -> None:
        if len(self._bases) >= KEPT:
            self._bases.clear()
        self._bases[key] = at

    def _keep_day(self, minute: str, zone: str, at: float) -> None:
        if len(self._days) >= KEPT:
            self._days.clear()
        self._days[minute[:10] + zone] = at - int(minute[11:13]) * 3600 - int(minute[14:16]) * 60
        self._keep_minute(minute, zone, at)

    def _keep_minute(self, minute: str, rest: str, at: float) -> None:
        if len(self.minutes) >= KEPT:
            self.minutes.clear()
        self.minutes[minute] = at, rest

    def _yearless(self, month: int, day: int, hour: int, minute: int) -> float:
        if self._year:
            return self._epoch(datetime(self._year, month, day, hour, minute))  # noqa: DTZ001
        latest = self._now + DAY
        year = datetime.fromtimestamp(latest, self._zone or UTC).year + 1
        for candidate in range(year, year - 10, -1):  # eight years can lie between leap years
            try:
                when = datetime(candidate, month, day, hour, minute)  # noqa: DTZ001
            except ValueError:
                if (month, day) != (2, 29):
                    raise
                continue
            if when.replace(tzinfo=self._zone).timestamp() <= latest:
                return self._epoch(when)
        raise ValueError("no year has this day")

    def _epoch(self, local: datetime) -> float:
        """A local time in the source's zone. In the hour that a clock set back repeats, what it
        means depends on what came before."""
        first = local.replace(tzinfo=self._zone).timestamp()
        second = local.replace(tzinfo=self._zone, fold=1).timestamp()
        repeats = second > first
        passed = repeats and self._newest - first > 1800 and second - self._newest < 5400
        self._newest = second if passed else first
        return self._newest

    def _local(self, minute: str) -> float:
        """The time of "2026-02-22 07:30" in the source's zone."""
        at = self._locals.get(minute)
        if at is None:
            at = self._epoch(datetime.fromisoformat(minute))
            if not self._repeating(at):
                if len(self._locals) >= KEPT:
                    self._locals.clear()
                self._locals[minute] = at
        return at

    def _keep(self, key: str, rest: str, at: float) -> None:
        if not self._repeating(at):
            self._keep_minute(key, rest, at)

    def _repeating(self, at: float) -> bool:
        """Whether the clocks of the source are set back within an hour of this time."""
        offsets = {
            datetime.fromtimestamp(at + shift, self._zone).astimezone(self._zone).utcoffset()
            for shift in (-7200, 7200)
        }
        return len(offsets) > 1

    def _forget(self) -> None:
        self.seconds.clear()
        self.minutes.clear()


def _offset(zone: str) -> tzinfo:
    if zone == "Z":
        return UTC
    zone = zone.lstrip()  # Exim puts a space before it
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
