"""Windows: what is counted, what is forgotten at the edge, what late events do, and the bounds."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.windows import (
    DAY,
    EXACT,
    NAME_LENGTH,
    NAMED,
    Counts,
    Distinct,
    Past,
    Window,
    fingerprint,
    merged,
    window,
)
from schemas.findings import Evidence

T = 1767268800.0
HOUR = Window(3600, slices=60)


def test_a_window_is_made_once() -> None:
    assert window(600.0) is window(600.0)
    assert window(600.0, 10) == Window(600.0, 10)


# -- counts ------------------------------------------------------------------------------------


def test_counts_add_up_within_the_window() -> None:
    counts = Counts()
    assert [HOUR.add(counts, T + 60 * minute) for minute in range(3)] == [1, 2, 3]


def test_a_whole_window_is_counted_and_one_slice_more_is_not() -> None:
    counts = Counts()
    HOUR.add(counts, T, 5)
    assert HOUR.total(counts, T + 3600) == 5
    assert HOUR.total(counts, T + 3660) == 0


def test_late_events_count_while_their_slice_is_in_memory() -> None:
    counts = Counts()
    HOUR.add(counts, T)
    assert HOUR.add(counts, T - 3600) == 2
    assert HOUR.add(counts, T - 3660) == 2


def test_a_late_look_does_not_turn_time_back() -> None:
    counts = Counts()
    HOUR.add(counts, T)
    assert HOUR.total(counts, T - 7200) == 1


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 5)), max_size=60))
def test_counts_are_those_of_a_list_of_all_events(events: list[tuple[int, int]]) -> None:
    events.sort()
    counts = Counts()
    for at, n in events:
        HOUR.add(counts, T + at, n)
    if events:
        head = HOUR.slice(T + events[-1][0])
        expected = sum(n for at, n in events if HOUR.slice(T + at) >= head - HOUR.slices)
        assert HOUR.total(counts, T + events[-1][0]) == expected


@given(st.lists(st.integers(0, 100_000), max_size=200))
def test_counts_stay_small_in_any_order(times: list[int]) -> None:
    counts = Counts()
    for at in times:
        HOUR.add(counts, T + at)
    assert len(counts.slices) <= HOUR.slices + 1
    assert counts.total == sum(counts.slices.values())


# -- distinct values ---------------------------------------------------------------------------


def test_values_are_counted_once() -> None:
    distinct = Distinct()
    assert [HOUR.see(distinct, value, T) for value in "abab"] == [1, 2, 2, 2]
    assert sorted(HOUR.tries(distinct, T)) == [2, 2]


def test_values_leave_with_the_window() -> None:
    distinct = Distinct()
    HOUR.see(distinct, "a", T)
    HOUR.see(distinct, "b", T + 1800)
    assert HOUR.distinct(distinct, T + 3600) == 2
    assert HOUR.distinct(distinct, T + 3660) == 1
    assert HOUR.names(distinct) == ["b"]


def test_to_be_seen_again_keeps_a_value() -> None:
    distinct = Distinct()
    HOUR.see(distinct, "a", T)
    HOUR.see(distinct, "a", T + 1800)
    assert HOUR.distinct(distinct, T + 3660) == 1


def test_late_values_count_while_their_slice_is_in_memory() -> None:
    distinct = Distinct()
    HOUR.see(distinct, "a", T)
    assert HOUR.see(distinct, "b", T - 3600) == 2
    assert HOUR.see(distinct, "c", T - 3660) == 2


def test_late_sights_of_a_value_do_not_age_it() -> None:
    distinct = Distinct()
    HOUR.see(distinct, "a", T)
    HOUR.see(distinct, "a", T - 1800)
    assert HOUR.distinct(distinct, T + 3600) == 1


def test_times_are_exact_within_the_window() -> None:
    distinct = Distinct()
    for minute in range(61):
        HOUR.see(distinct, "a", T + 60 * minute)
    assert HOUR.tries(distinct, T + 3600) == [61]


def test_times_of_a_value_that_keeps_coming_do_not_grow_for_ever() -> None:
    distinct = Distinct()
    for minute in range(1000):
        HOUR.see(distinct, "a", T + 60 * minute)
    assert 55 <= HOUR.tries(distinct, T + 60_000)[0] <= 61


def test_times_of_a_value_that_comes_once_a_window_stay_small() -> None:
    distinct = Distinct()
    for hour in range(9):
        HOUR.see(distinct, "a", T + 3600 * hour)
    assert HOUR.tries(distinct, T + 8 * 3600)[0] <= 2


def test_a_value_can_be_unseen() -> None:
    distinct = Distinct()
    HOUR.see(distinct, "a", T)
    HOUR.drop(distinct, "a")
    HOUR.drop(distinct, "never seen")
    assert (HOUR.distinct(distinct, T), HOUR.names(distinct)) == (0, [])


def test_holds_tells_what_is_kept() -> None:
    distinct = Distinct()
    HOUR.see(distinct, "a", T)
    assert HOUR.holds(distinct, "a", T)
    assert not HOUR.holds(distinct, "b", T)
    assert not HOUR.holds(distinct, "a", T + 3660)


def test_a_part_of_the_window_can_be_asked() -> None:
    distinct = Distinct()
    for minute in (0, 30, 60):
        HOUR.see(distinct, f"at {minute}", T + 60 * minute)
    assert HOUR.since(distinct, T + 3600, 1800) == 2
    assert HOUR.since(distinct, T + 3600, 1740) == 1


def test_how_many_values_came_seldom() -> None:
    distinct = Distinct()
    for value, times in (("a", 1), ("b", 2), ("c", 3)):
        HOUR.see(distinct, value, T, times)
    assert [HOUR.seldom(distinct, most) for most in (0, 1, 2, 3)] == [0, 1, 2, 3]


def test_how_often_one_value_came() -> None:
    distinct = Distinct()
    HOUR.see(distinct, "a", T, 3)
    assert (HOUR.times(distinct, "a"), HOUR.times(distinct, "b")) == (3, 0)


def test_names_are_few_short_and_may_differ_from_the_values() -> None:
    distinct = Distinct()
    HOUR.see(distinct, "annaexample", T, name="anna@example.org")
    for number in range(NAMED):
        HOUR.see(distinct, f"{number}" * 200, T)
    names = HOUR.names(distinct)
    assert names[0] == "anna@example.org"
    assert len(names) == NAMED
    assert max(map(len, names)) == NAME_LENGTH


@pytest.mark.parametrize("values", [EXACT, 500, 20_000])
def test_many_values_are_estimated_and_memory_is_bounded(values: int) -> None:
    distinct = Distinct()
    for number in range(values):
        HOUR.see(distinct, f"value {number}", T)
    assert len(distinct.seen) == EXACT
    assert 0.6 * values <= HOUR.distinct(distinct, T) <= 1.4 * values
    assert len(msgspec.msgpack.encode(distinct)) < 2000
    assert distinct.lost == values - EXACT


def test_the_estimate_is_forgotten_with_the_values() -> None:
    distinct = Distinct()
    for number in range(500):
        HOUR.see(distinct, f"value {number}", T)
    HOUR.see(distinct, "a", T + 7200)
    assert HOUR.distinct(distinct, T + 7200) == 1


@given(st.lists(st.tuples(st.integers(0, 100_000), st.text(max_size=3)), max_size=150))
def test_any_order_of_values_is_survived(events: list[tuple[int, str]]) -> None:
    distinct = Distinct()
    for at, value in events:
        HOUR.see(distinct, value, T + at)
        assert HOUR.distinct(distinct, T + at) >= 0
    assert all(1 <= times <= len(events) for times in HOUR.tries(distinct, T))
    assert distinct.names.keys() <= distinct.seen.keys()


def test_what_is_remembered_survives_the_wire() -> None:
    distinct, counts = Distinct(), Counts()
    for number in range(100):
        HOUR.see(distinct, str(number), T + number)
        HOUR.add(counts, T + number)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(distinct), type=Distinct) == distinct
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(counts), type=Counts) == counts


def test_fingerprints_are_the_same_in_every_process() -> None:
    assert fingerprint("anna@example.org") == 10630456727639169208
    assert fingerprint("") != fingerprint(" ")


# -- the past ----------------------------------------------------------------------------------


def test_the_past_knows_who_succeeded_within_a_month() -> None:
    past = Past()
    past.note("anna", T)
    assert past.knows("anna", T + 30 * DAY)
    assert not past.knows("anna", T + 31 * DAY)
    assert not past.knows("ben", T)


def test_the_past_tells_whether_and_how_many_succeeded() -> None:
    past = Past()
    past.note("anna", T)
    past.note("ben", T + DAY)
    assert past.any(T + 31 * DAY)
    assert not past.any(T + 32 * DAY)
    assert [past.count(T + days * DAY) for days in (1, 30, 31, 32)] == [2, 2, 1, 0]


def test_a_regular_was_here_on_two_earlier_days() -> None:
    past = Past()
    past.note("anna", T)
    assert past.regulars(T + DAY) == 0
    past.note("anna", T + DAY)
    assert past.regulars(T + DAY) == 0  # today is no earlier day
    assert past.regulars(T + 2 * DAY) == 1
    assert past.regulars(T + 8 * DAY) == 1
    assert past.regulars(T + 9 * DAY) == 0


def test_repeated_logins_of_a_day_make_no_regular() -> None:
    past = Past()
    for _ in range(9):
        past.note("anna", T)
    assert past.regulars(T + DAY) == 0


def test_a_late_login_of_an_earlier_day_counts() -> None:
    past = Past()
    past.note("anna", T)
    past.note("anna", T - DAY)
    assert past.regulars(T + DAY) == 1


def test_a_value_is_settled_two_days_after_its_first_success() -> None:
    past = Past()
    past.note("anna", T)
    past.note("ben", T + DAY)
    assert not past.settled("anna", T + DAY)
    assert past.settled("anna", T + 2 * DAY)
    assert not past.settled("carl", T + 2 * DAY)
    assert past.homes(T + DAY) == []
    assert past.homes(T + 2 * DAY) == [fingerprint("anna")]


def test_the_past_is_bounded_and_the_longest_unseen_goes() -> None:
    past = Past()
    for number in range(Past.KEPT):
        past.note(f"user{number}", T)
    past.note("user0", T + DAY)
    past.note("new", T + DAY)
    assert len(past.seen) == Past.KEPT
    assert past.lost == 1
    assert past.knows("user0", T + DAY)
    assert not past.knows("user1", T + DAY)


def test_the_past_forgets_after_a_month() -> None:
    past = Past()
    past.note("anna", T)
    past.forget(T + 30 * DAY)
    assert past.seen
    past.forget(T + 31 * DAY)
    assert not past.seen


def test_merged_keeps_order_and_bound() -> None:
    assert merged("ab", "bcd", 3) == ["a", "b", "c"]


def test_shuffled_counts_end_alike_within_a_window() -> None:
    times = [T + random.Random(number).random() * 3000 for number in range(50)]
    straight, shuffled = Counts(), Counts()
    for at in sorted(times):
        HOUR.add(straight, at)
    for at in times:
        HOUR.add(shuffled, at)
    assert straight == shuffled


def test_more_registers_estimate_better() -> None:
    fine = Window(3600.0, registers=1024)
    seen = Distinct()
    for number in range(3000):
        fine.see(seen, f"value {number}", 1000.0)
    assert abs(fine.distinct(seen, 1000.0) - 3000) < 0.1 * 3000
    assert len(seen.registers) == 1024


@pytest.mark.parametrize("values", [EXACT + 2, 200, 2000])
def test_there_are_never_more_values_than_tries(values: int) -> None:
    distinct = Distinct()
    for number in range(values):
        assert HOUR.see(distinct, f"once {number}", T) <= number + 1
    assert 0.8 * values <= HOUR.distinct(distinct, T) <= values


def test_values_that_come_again_and_again_are_not_counted_for_their_tries() -> None:
    distinct = Distinct()
    for number in range(5000):
        HOUR.see(distinct, f"value {number % 100}", T)
    assert HOUR.distinct(distinct, T) == pytest.approx(100, rel=0.3)


def test_an_estimate_says_that_it_is_one_until_it_is_forgotten() -> None:
    distinct = Distinct()
    for number in range(EXACT):
        HOUR.see(distinct, f"value {number}", T)
    exact = HOUR.evidence("values", distinct, T, 5)
    assert exact == Evidence("values", EXACT, 5)
    HOUR.see(distinct, "one more", T)
    assert HOUR.evidence("values", distinct, T, 5).estimated
    HOUR.see(distinct, "a", T + 7200)
    assert HOUR.evidence("values", distinct, T + 7200, 5) == Evidence("values", 1, 5)
    assert distinct.lost == 0
