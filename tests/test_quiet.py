from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import SettingsError
from streams.quiet import Hours

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo | None = None) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone or UTC).timestamp()


@pytest.mark.parametrize(
    ("spans", "now", "end"),
    [
        (["22:00-07:00"], "2026-11-30T21:59", None),
        (["22:00-07:00"], "2026-11-30T22:00", "2026-12-01T07:00"),
        (["22:00-07:00"], "2026-12-01T06:59", "2026-12-01T07:00"),
        (["22:00-07:00"], "2026-12-01T07:00", None),
        (["12:00 - 13:00"], "2026-11-30T12:30", "2026-11-30T13:00"),
        # 2026-11-30 is a Monday; the night of Friday ends on Saturday.
        (["mon-fri 22:00-07:00"], "2026-12-05T03:00", "2026-12-05T07:00"),
        (["mon-fri 22:00-07:00"], "2026-12-06T03:00", None),
        (["Sat,Sun 00:00-24:00"], "2026-12-05T12:00", "2026-12-07T00:00"),
        (["fri-mon 12:00-12:30"], "2026-12-06T12:10", "2026-12-06T12:30"),
        (["fri-mon 12:00-12:30"], "2026-12-01T12:10", None),
        # One follows the other at once.
        (
            ["fri 20:00-24:00", "sat,sun 00:00-24:00", "mon 00:00-06:00"],
            "2026-12-04T21:00",
            "2026-12-07T06:00",
        ),
        ([], "2026-11-30T12:00", None),
    ],
)
def test_when_quiet_hours_are_over(spans: list[str], now: str, end: str | None) -> None:
    hours = Hours(spans, "UTC")
    assert bool(hours) == bool(spans)
    assert hours.end(at(now)) == (at(end) if end else None)


def test_hours_are_those_of_the_wall_in_summer_and_winter() -> None:
    hours = Hours(["22:00-07:00"], "Europe/Berlin")
    # The clocks go back in this night, at three: it lasts ten hours.
    assert hours.end(at("2026-10-24T22:00", BERLIN)) == at("2026-10-25T07:00", BERLIN)
    assert at("2026-10-25T07:00", BERLIN) - at("2026-10-24T22:00", BERLIN) == 10 * 3600
    assert hours.end(at("2026-10-24T21:59", BERLIN)) is None


def test_quiet_for_ever_is_looked_at_again() -> None:
    hours = Hours(["00:00-24:00"], "UTC")
    end = hours.end(at("2026-11-30T12:00"))
    assert end is not None
    assert end > at("2026-12-05T00:00")


@given(st.floats(min_value=0, max_value=4e9), st.sampled_from(["UTC", "Europe/Berlin", ""]))
def test_the_end_is_never_in_the_past_and_no_longer_quiet(now: float, zone: str) -> None:
    hours = Hours(["mon-fri 21:30-06:15", "sat 00:00-24:00"], zone)
    end = hours.end(now)
    if end is not None:
        assert now < end <= now + 3 * 86400
        assert hours.end(end) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "22-07",
        "25:00-07:00",
        "22:00-24:01",
        "24:00-07:00",
        "07:00-07:00",
        "22:60-07:00",
        "xyz 22:00-07:00",
        "mon- 22:00-07:00",
        "mon-xyz 22:00-07:00",
        "22:00-07:00 mon",
    ],
)
def test_what_is_no_span_is_an_error(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Hours(["22:00-07:00", text])
    assert str(caught.value).startswith("quiet_hours[1]: expected hours such as 22:00-07:00 or ")


def test_a_zone_that_is_none_is_an_error() -> None:
    with pytest.raises(SettingsError, match="quiet_zone: expected an IANA zone"):
        Hours(["22:00-07:00"], "Mars/Olympus")
