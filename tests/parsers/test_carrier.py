"""What the carrier remembers of one line changes nothing about the next."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from streams.parsers.carrier import Carrier, Stamps
from streams.parsers.carrier.stamps import KEPT

NOW = 1_800_000_000.0
STAMP = "2026-03-02T08:01:59.{:06d}+00:00 "


def fresh():
    return Carrier("", Stamps(None, 0, NOW))


@pytest.mark.parametrize(
    "line",
    [
        "2026-03-02T08:01:59.000001+00:00 mx1 postfix/smtpd[7]: connect from unknown[192.0.2.1]",
        "2026-03-02T08:01:59.999999+00:00 mx1 postfix/smtpd[7]: message repeated 3 times: [ x]",
        "2026-03-02T08:01:59.123456+02:00 mx1 postfix/smtpd[7]: x",
        "2026-03-02T08:01:59.12+00:00 mx1 postfix/smtpd[7]: x",
        "2026-03-02T08:01:59+00:00 mx1 postfix/smtpd[7]: x",
        "2026-03-02T08:01:59,123456+00:00 mx1 postfix/smtpd[7]: x",
        "2026-03-02T08:01:59.000001+00:00 mx1 postfix/smtpd[7]: " + "x" * 9000,
        "2026-03-02T08:01:59.000001+00:00 imap-login: Login: user=<a>",
        "2026-03-02T08:01:59.000001+00:00 mx1 postfix/smtpd[7]:",
        "2026-03-02T08:01:59.000001+00:00",
    ],
)
def test_a_minute_that_was_seen_before_reads_like_a_new_one(line):
    carrier = fresh()
    for fraction in (1, 2):
        carrier.record(f"{STAMP.format(fraction)}mx1 postfix/smtpd[7]: x".encode(), 0)
    assert carrier.record(line.encode(), 5) == fresh().record(line.encode(), 5)


@pytest.mark.parametrize("line", [b"", b"\r\n", b" ", b"\x00\x00", b"\xef\xbb\xbf", b"\x1b[31m"])
def test_a_line_of_nothing_is_none(line):
    assert fresh().record(line, 0) is None


@pytest.mark.parametrize("length", range(16))
def test_a_line_that_is_cut_in_its_stamp_is_read_like_one_without(length):
    carrier = fresh()
    line = b"Mar  4 08:01:59 mx1 postfix/smtpd[7]: x"
    last = carrier.record(line, 0)
    found = carrier.record(line[:length], 1)
    assert found is None or found.at == last.at


def test_microseconds_are_read_to_the_nearest_number():
    carrier = fresh()
    for fraction in range(0, 1_000_000, 997):
        record = carrier.record(f"{STAMP.format(fraction)}mx1 a[1]: x".encode(), 0)
        assert record.at == 1772438460.0 + float(f"59.{fraction:06d}")


def test_the_minutes_that_are_remembered_are_bounded():
    carrier = fresh()
    for number in range(KEPT + 10):
        day, hour, minute = 1 + number // 1440, number // 60 % 24, number % 60
        line = f"2026-03-{day:02d}T{hour:02d}:{minute:02d}:00.000000+00:00 mx1 a[1]: x"
        carrier.record(line.encode(), 0)
    assert 0 < len(carrier.stamps.minutes) <= KEPT


def test_another_day_forgets_the_minutes():
    carrier = fresh()
    carrier.record(f"{STAMP.format(1)}mx1 a[1]: x".encode(), 0)
    carrier.stamps.now = NOW + 86_400
    assert carrier.stamps.minutes == {}


HEADER = "#Fields: date-time,connector-id,session-id,event"
ROW = "2025-03-04T08:00:00.500Z,EX1\\Default,08DA4F7C11473A60,+"


@pytest.mark.parametrize("end", ["", "\r\n", "\r", "\x00\r\n"])
@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_a_table_is_read_whatever_its_lines_end_with(begin, end):
    carrier = fresh()
    assert carrier.record(f"{begin}{HEADER}{end}".encode(), 0) is None
    record = carrier.record(f"{ROW}{end}".encode(), 1)
    assert record.program == "#date-time,connector-id,session-id,event"
    assert record.data == ROW.split(",")
    assert record.at == 1741075200.5


def test_a_row_may_name_its_zone():
    carrier = fresh()
    carrier.record(HEADER.encode(), 0)
    row = ROW.replace("Z,", "+02:00,")
    assert carrier.record(row.encode(), 1).at == 1741075200.5 - 7200


def test_what_no_row_of_the_table_is_is_read_as_a_line():
    carrier = fresh()
    carrier.record(HEADER.encode(), 0)
    line = b"2026-03-02T08:01:59.000001+00:00 mx1 postfix/smtpd[7]: a,b,c,d"
    assert carrier.record(line, 1) == fresh().record(line, 1)
    assert carrier.record(b"not a time,x,y,z", 1).program == ""


def test_a_carrier_goes_on_where_another_was_packed():
    carrier, other = fresh(), fresh()
    carrier.record(HEADER.encode(), 0)
    carrier.record(ROW.encode(), 1)
    other.restore(carrier.pack())
    assert other.record(ROW.encode(), 2) == carrier.record(ROW.encode(), 2)


@pytest.mark.parametrize("hours", ["99", "-99"])
def test_a_zone_that_no_clock_has_is_no_time(hours):
    carrier = fresh()
    carrier.record(HEADER.encode(), 0)
    sign = "-" if hours[0] == "-" else "+"
    with pytest.raises(ValueError, match=r"offset|timedelta"):
        carrier.record(ROW.replace("Z,", f"{sign}{hours.strip('-')}:00,").encode(), 1)


def syslog(stamp, zone, now):
    """The time that a line with this stamp has, in UTC."""
    now = datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp()
    record = Carrier("", Stamps(ZoneInfo(zone), 0, now)).record(f"{stamp} mx1 a[1]: x".encode(), 0)
    return datetime.fromtimestamp(record.at, UTC).isoformat(" ")[:19]


@pytest.mark.parametrize(
    ("stamp", "zone", "now", "then"),
    [
        # a leap day, seen in its year and in the next
        ("Feb 29 23:59:59", "UTC", "2024-03-01", "2024-02-29 23:59:59"),
        ("Feb 29 12:00:00", "UTC", "2025-02-01", "2024-02-29 12:00:00"),
        # the turn of the year: December is last year's; a clock that is ahead is this year's
        ("Dec 31 23:59:59", "UTC", "2025-01-01 00:00:05", "2024-12-31 23:59:59"),
        ("Jan  1 00:00:01", "UTC", "2025-01-01 00:00:05", "2025-01-01 00:00:01"),
        ("Jan  1 00:00:01", "UTC", "2024-12-31 23:59:58", "2025-01-01 00:00:01"),
        ("Jan  1 00:30:00", "Europe/Berlin", "2024-12-31 23:40:00", "2024-12-31 23:30:00"),
        # summer begins: the hour that no clock shows goes on from the one before
        ("Mar 30 01:59:59", "Europe/Berlin", "2025-04-01", "2025-03-30 00:59:59"),
        ("Mar 30 02:30:00", "Europe/Berlin", "2025-04-01", "2025-03-30 01:30:00"),
        ("Mar 30 03:00:00", "Europe/Berlin", "2025-04-01", "2025-03-30 01:00:00"),
        # summer ends: of the hour that comes twice, the first
        ("Oct 26 01:59:59", "Europe/Berlin", "2025-11-01", "2025-10-25 23:59:59"),
        ("Oct 26 02:30:00", "Europe/Berlin", "2025-11-01", "2025-10-26 00:30:00"),
        ("Oct 26 03:00:00", "Europe/Berlin", "2025-11-01", "2025-10-26 02:00:00"),
        # a zone in the stamp leaves nothing to guess
        ("2025-10-26T02:30:00+01:00", "Europe/Berlin", "2025-11-01", "2025-10-26 01:30:00"),
    ],
)
def test_stamps_around_the_turns_of_calendar_and_clock(stamp, zone, now, then):
    assert syslog(stamp, zone, now) == then


def test_a_leap_day_that_no_year_had_is_a_dead_letter():
    with pytest.raises(ValueError, match="day"):
        Carrier("", Stamps(None, 2025, NOW)).record(b"Feb 29 12:00:00 mx1 a[1]: x", 0)


OWN = [
    "[20/Nov/2025 10:00:{:02d}] x",
    "[20-Nov-2025 10:00:{:02d} +0200]: x",
    "[2025-11-20 10:00:{:02d}] x",
    "Thu Nov 20 10:00:{:02d} 2025 x",
    "2025/11/20 10:00:{:02d} x",
    "[0CC8:0004-0EB4] 11/20/2025 10:00:{:02d} AM  x",
    "date=2025-11-20 time=10:00:{:02d} x",
    "2025-11-20T10:00:{:02d}+02:00 x",
]


@pytest.mark.parametrize("line", OWN)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_stamp_of_a_minute_or_second_that_was_seen_reads_like_a_new_one(line, zone):
    def new():
        return Carrier("", Stamps(ZoneInfo(zone), 0, NOW))

    carrier = new()
    for second in (7, 7, 59, 0, 7, 59):
        text = line.format(second).encode()
        assert carrier.record(text, 0) == new().record(text, 0)


def test_an_own_stamp_in_the_hour_that_comes_twice_depends_on_what_came_before():
    carrier = Carrier("", Stamps(ZoneInfo("Europe/Berlin"), 0, NOW))
    stamps = ("01:59:00", "02:10:00", "02:59:00", "02:10:00", "02:30:00", "02:59:00", "03:00:00")
    times = [carrier.record(f"[26/Oct/2025 {one}] x".encode(), 0).at for one in stamps]
    assert times == sorted(times)
    assert times[3] == times[1] + 3600
