"""What the carrier remembers of one line changes nothing about the next."""

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
