"""The story language itself: times, order, and what is read from the end of a story."""

from tests.detectors.stories import (
    DAY,
    START,
    every,
    failed,
    guesses,
    moved,
    opened,
    regular,
    together,
)


def test_events_are_told_in_the_order_of_their_times() -> None:
    late, early = failed("192.0.2.1", "a", at=9), opened("192.0.2.1", "a", at=1)
    assert together(late, [early]) == [early, late]


def test_every_spaces_events_evenly() -> None:
    spaced = every(30, guesses("192.0.2.1", ["a", "b", "c"]), start=10)
    assert [event.at - START for event in spaced] == [10, 40, 70]


def test_moved_keeps_the_distances() -> None:
    assert [event.at - START for event in moved(every(5, guesses("192.0.2.1", "ab")), 100)] == [
        100,
        105,
    ]


def test_regular_logins_lie_on_earlier_days() -> None:
    days = {event.at - START for event in regular("192.0.2.1", "a", "b", days=2)}
    assert days == {-DAY, -2 * DAY}
