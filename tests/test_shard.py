"""A shard: whose events it folds, where signals go, what it skips, tells, forgets and evicts."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from msgspec import Struct

from agents.detector import Detector, Judgement, Mark, View
from agents.detectors.auth_dictionary import AuthDictionary
from agents.detectors.auth_distributed import AuthDistributed
from agents.engine import Engine
from agents.record import pack
from agents.shard import CHANGES, LATE
from schemas.events import Auth, Change, Signal
from schemas.findings import Evidence
from schemas.keys import Key, partition
from tests.detectors.stories import (
    DAY,
    HOUR,
    MINUTE,
    START,
    Heard,
    Story,
    every,
    failed,
    guesses,
    opened,
    regular,
)

CLIENT = "192.0.2.1"
KEY = f"c:{CLIENT}"


class Seen(Struct, array_like=True):
    failures: int = 0
    words: int = 0


class Counting(Detector, frozen=True, kw_only=True):
    """Counts what it hears; a failure is told to the account, and that in turn to the gateway."""

    name = "counting"
    hears: ClassVar = {"c": (Auth,), "m": (Signal,), "g": (Signal,)}
    state = Seen

    @property
    def horizon(self) -> float:
        return HOUR

    def observe(self, event: Any, seen: Seen, view: View) -> Iterator[Mark | Signal]:
        if type(event) is Signal:
            seen.words += 1
            if view.key[0] == "m":
                yield Signal(at=event.at, about="g:mx1", kind="second")
            return
        seen.failures += 1
        yield Mark(self.name, "failures", "medium")
        yield Signal(at=event.at, about=f"m:{event.account}@example.org", kind="first")

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        return Judgement(summary="failures", evidence=[Evidence("failures", seen.failures, 1)])


def counting(mine: Callable[[Key], bool] | None = None, limit: int = 400_000) -> Story:
    story = Story(Counting(), limit=limit)
    story.shard._mine = mine
    return story


def failures(story: Story, key: Key = KEY) -> int:
    return int(story.state(key, "counting").failures)


# -- whose events, whose signals ---------------------------------------------------------------


def test_an_event_is_folded_for_each_of_its_keys() -> None:
    story = Story(AuthDistributed()).tell(failed(CLIENT, "anna"))
    assert set(story.shard.records) == {KEY, "n:192.0.2.0/24", "m:anna@example.org"}


def test_only_for_those_that_live_here() -> None:
    story = counting(lambda key: key[0] == "m")
    assert set(story.tell(failed(CLIENT, "anna")).shard.records) == {"m:anna@example.org"}


def test_two_shards_conclude_what_one_does() -> None:
    """Each has half of the partitions; signals travel between them."""
    attack = [
        *every(
            MINUTE,
            [
                failed(f"{net}.{n}", "anna")
                for n in range(9)
                for net in ("192.0.2", "198.51.100", "203.0.113")
            ],
        ),
        *every(20, guesses("192.0.2.200", [f"user{n}" for n in range(9)])),
    ]
    detectors = (AuthDistributed(), AuthDictionary())
    whole = Story(*detectors).tell(attack)
    halves = [Story(*detectors), Story(*detectors)]
    for number, half in enumerate(halves):
        half.shard._mine = lambda key, number=number: partition(key, 2) == number
    for event in sorted(attack, key=lambda event: event.at):
        for half in halves:
            half.shard.fold(event)
        for half, other in (halves, halves[::-1]):
            for signal in half.shard.take().signals:
                other.shard.fold(signal)
    for half in halves:
        half.shard.drain()
    told = {f.id: (f.detector, f.shape, f.severity) for half in halves for f in half.findings}
    assert told == {f.id: (f.detector, f.shape, f.severity) for f in whole.findings}
    assert len(told) > 20


def test_a_signal_is_folded_at_once_and_may_cause_another() -> None:
    story = counting().tell(failed(CLIENT, "anna"))
    assert story.state("m:anna@example.org", "counting").words == 1
    assert story.state("g:mx1", "counting").words == 1
    assert story.shard.take().signals == []


def test_signals_to_others_wait_for_the_bus() -> None:
    story = counting(lambda key: key == KEY).tell(failed(CLIENT, "anna"))
    assert [s.about for s in story.shard.take().signals] == ["m:anna@example.org"]
    assert story.shard.take().signals == []


def test_a_signal_that_nobody_hears_is_dropped() -> None:
    story = Story(AuthDictionary())
    story.tell(every(1, guesses(CLIENT, "abcde")), opened(CLIENT, "zoe", 60))
    assert story.shard.take().signals == []
    assert "auth_breach" not in story.record("m:zoe@example.org").states


def test_signals_that_go_round_in_circles_end() -> None:
    class Circling(Counting, frozen=True, kw_only=True):
        hears: ClassVar = {"c": (Auth, Signal)}

        def observe(self, event: Any, seen: Seen, view: View) -> Iterator[Mark | Signal]:
            seen.words += 1
            yield Signal(at=event.at, about=view.key, kind="again")

    story = Story(Circling())
    story.shard.fold(failed(CLIENT, "anna"))
    assert story.state(KEY, "counting").words < 20


# -- after a crash -----------------------------------------------------------------------------


def test_a_message_that_was_absorbed_is_skipped() -> None:
    story = counting()
    for offset in (4, 5, 5, 4):
        story.shard.fold(failed(CLIENT, "anna"), absorbed=offset)
    assert failures(story) == 3  # the third is of the same message: nobody read it twice


def test_all_events_of_one_message_are_folded() -> None:
    story = counting()
    for _ in range(3):
        story.shard.fold(failed(CLIENT, "anna"), absorbed=7)
    assert failures(story) == 3


def test_a_restarted_shard_skips_what_its_records_have_absorbed() -> None:
    story, again = counting(), counting()
    for offset in (1, 2):
        story.shard.fold(failed(CLIENT, "anna"), absorbed=offset)
    for key in story.shard.records:
        again.shard.restore(key, pack(story.record(key)))
    for offset in (1, 2, 3):
        again.shard.fold(failed(CLIENT, "anna"), absorbed=offset)
    assert failures(again) == 3


# -- what is told ------------------------------------------------------------------------------


def test_what_grew_is_told_by_the_next_drain_once() -> None:
    story = counting()
    for number in range(3):
        story.shard.fold(failed(CLIENT, "anna", number / 10))
    assert [f.revision for f in story.said] == [1, 2]
    story.shard.drain()
    story.shard.drain()
    assert [f.revision for f in story.said] == [1, 2, 3]


def test_event_time_alone_drains() -> None:
    story = counting()
    for number in range(3):
        story.shard.fold(failed(CLIENT, "anna", number / 10))
    story.shard.fold(failed("198.51.100.1", "ben", 60))
    assert [f.revision for f in story.said if f.subject.value == CLIENT] == [1, 2, 3]


def test_alerts_are_taken_once() -> None:
    story = counting().tell(failed(CLIENT, "anna"))
    assert len(story.shard.take().alerts) == 1
    assert story.shard.take().alerts == []


# -- what is known -----------------------------------------------------------------------------


def test_a_shard_is_cold_for_a_week_of_events() -> None:
    story = Story(Counting(), warm=False)
    seen = []
    for day in (0, 6, 7):
        story.shard.fold(opened(CLIENT, "anna", day * DAY))
        seen.append(story.shard.cold)
    assert seen == [True, True, False]


def test_the_past_of_the_network_stands_beside_its_clients() -> None:
    shown: list[tuple[bool, bool]] = []

    class Looking(Counting, frozen=True, kw_only=True):
        hears: ClassVar = {"c": (Auth,), "m": (Auth,)}

        def observe(self, event: Any, seen: Seen, view: View) -> Iterator[Mark | Signal]:
            if event.outcome == "failed":
                shown.append((view.past.any(view.at), view.around.any(view.at)))
            yield from ()

    story = Story(Looking()).tell(regular("192.0.2.99", "zoe"), failed(CLIENT, "anna"))
    assert shown == [(False, True), (False, False)]
    shown.clear()
    story.tell(failed("203.0.113.1", "zoe", 60))
    assert shown == [(False, False), (True, True)]
    shown.clear()
    story.shard.adopt(Engine([Looking()], story.shard.engine.site), story.shard.response)
    story.tell(failed(CLIENT, "anna", 120))
    assert shown == [(False, True), (False, False)]


# -- bounds ------------------------------------------------------------------------------------


def test_quiet_records_are_forgotten_after_the_longest_window() -> None:
    story = counting().tell(failed(CLIENT, "anna"))
    story.tell(failed("198.51.100.1", "ben", 3 * HOUR))
    story.shard.sweep()
    assert KEY not in story.shard
    assert "c:198.51.100.1" in story.shard


def test_good_evidence_outlives_them_for_a_month() -> None:
    story = counting(lambda key: key[0] == "c").tell(opened(CLIENT, "anna"))
    story.tell(opened("198.51.100.1", "ben", 30 * DAY))
    story.shard.sweep()
    assert KEY in story.shard
    story.tell(opened("198.51.100.1", "ben", 32 * DAY))
    story.shard.sweep()
    assert KEY not in story.shard


def test_beyond_the_limit_the_quietest_go_and_are_counted() -> None:
    story = counting(lambda key: key[0] == "c", limit=100)
    for number in range(500):
        story.shard.fold(failed(f"203.0.{number // 250}.{number % 250}", "", number))
    assert len(story.shard) <= 100
    assert story.shard.evicted >= 400
    assert "c:203.0.1.249" in story.shard


def test_events_far_behind_the_newest_are_counted() -> None:
    story = counting()
    for at in (1000, 1000 - LATE, 999 - LATE, 1001):
        story.shard.fold(failed(CLIENT, "anna", at))
    assert story.shard.late == 1


def test_what_is_told_of_a_forgotten_subject_begins_a_new_finding() -> None:
    story = counting().tell(failed(CLIENT, "anna"))
    story.tell(failed("198.51.100.1", "ben", 3 * HOUR))
    story.shard.sweep()
    story.tell(failed(CLIENT, "anna", 2 * DAY))
    assert len({f.id for f in story.findings if f.subject.value == CLIENT}) == 2


def test_decisions_use_the_time_that_is_given() -> None:
    times = []

    class Timed(Heard):
        def answer(self, finding: Any, sentences: Any, now: float) -> Any:
            times.append(now)
            return super().answer(finding, sentences, now)

    story = counting()
    story.shard.response = Timed()
    story.shard.fold(failed(CLIENT, "anna"), now=START + 77)
    story.shard.fold(failed("198.51.100.1", "anna", 5))
    assert times == [START + 77, START + 5]


# -- restored records --------------------------------------------------------------------------


def test_a_restored_record_goes_on_where_it_was() -> None:
    story, again = counting(), counting()
    story.tell(failed(CLIENT, "anna"), failed(CLIENT, "anna", 1))
    again.shard.restore(KEY, pack(story.record(KEY)))
    again.tell(failed(CLIENT, "anna", 2))
    assert failures(again) == 3
    assert {f.id for f in again.findings} == {f.id for f in story.findings}


def test_what_was_not_told_before_a_restart_is_told_after_it() -> None:
    story, again = counting(), counting()
    for number in range(3):
        story.shard.fold(failed(CLIENT, "anna", number / 10))
    again.shard.restore(KEY, pack(story.record(KEY)))
    again.shard.drain()
    assert [f.revision for f in again.said] == [3]


def test_a_record_that_cannot_be_read_begins_anew_and_is_counted() -> None:
    story = counting()
    story.shard.freeze(KEY, b"\xc1")
    story.tell(failed(CLIENT, "anna"))
    assert (failures(story), story.shard.unreadable) == (1, 1)


def test_a_state_of_another_version_begins_anew() -> None:
    story, again = counting(), counting()
    story.tell(failed(CLIENT, "anna"))
    story.record(KEY).states["counting"] = "something else"
    again.shard.restore(KEY, pack(story.record(KEY)))
    again.tell(failed(CLIENT, "anna", 1))
    assert failures(again) == 1


def test_a_finding_whose_detector_is_gone_is_kept_and_not_told() -> None:
    story = counting()
    for number in range(3):
        story.shard.fold(failed(CLIENT, "anna", number / 10))
    without = Story(AuthDistributed())
    without.shard.restore(KEY, pack(story.record(KEY)))
    without.shard.drain()
    assert without.silent
    assert "counting" in without.record(KEY).episodes


class Patient(Counting, frozen=True, kw_only=True):
    """Counts over a week, though its findings end after an hour."""

    name = "patient"

    @property
    def memory(self) -> float:
        return 7.0 * DAY


def test_a_detector_that_counts_over_a_week_keeps_its_state_so_long() -> None:
    shard = Story(Counting(), Patient()).shard
    shard.fold(failed(CLIENT, "anna"))
    shard.take()
    for episode in list(shard.records[KEY].episodes):
        del shard.records[KEY].episodes[episode]
    shard.clock += 2 * DAY
    shard.sweep()
    assert set(shard.records[KEY].states) == {"patient"}
    shard.clock += 6 * DAY
    shard.sweep()
    assert KEY not in shard


# -- changes of accounts -----------------------------------------------------------------------


class Changing(Counting, frozen=True, kw_only=True):
    """Finds something about an account by its first failure, and hears of its changes."""

    name = "changing"
    hears: ClassVar = {"m": (Auth, Change)}

    def observe(self, event: Any, seen: Seen, view: View) -> Iterator[Mark | Signal]:
        if type(event) is Auth:
            seen.failures += 1
            yield Mark(self.name, "failures", "medium")


def change(account: str, at: float = START + MINUTE) -> Change:
    return Change(at=at, gateway="mx1", account=account, what="password", actor="root")


def test_a_change_of_an_account_about_which_something_stands_is_for_the_trail() -> None:
    story = Story(Changing())
    story.tell(
        [
            change("anna", START - MINUTE),
            failed(CLIENT, "anna"),
            change("anna@example.org"),
            change("bob"),
        ]
    )
    changes = story.shard.take().changes
    assert [(one.account, one.actor) for one in changes] == [("anna@example.org", "root")]
    assert story.shard.take().changes == []


def test_changes_are_for_the_trail_of_one_shard_only() -> None:
    story = Story(Changing())
    story.shard._mine = lambda key: key != "m:anna@example.org"
    story.tell([failed(CLIENT, "anna"), change("anna")])
    assert story.shard.take().changes == []


def test_changes_that_nobody_takes_are_bounded() -> None:
    story = Story(Changing())
    story.tell([failed(CLIENT, "anna"), *(change("anna") for _ in range(CHANGES + 5))])
    assert len(story.shard.take().changes) == CHANGES
