"""The engine: what is said once, what is said again, and what a detector is shown."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from msgspec import Struct

from agents.detector import Detector, Judgement, Mark, View, Withdraw
from agents.engine import Engine
from agents.windows import Past
from schemas.events import Auth, Fact, Signal
from schemas.findings import Evidence, Severity, Wish
from schemas.keys import Site
from tests.detectors.stories import (
    DAY,
    HOUR,
    MINUTE,
    START,
    Story,
    count,
    every,
    failed,
    opened,
    tell,
)

CLIENT = "192.0.2.1"


class Seen(Struct, array_like=True):
    failures: int = 0


class Parrot(Detector, frozen=True, kw_only=True):
    """Marks what the event's mechanism and reason tell it to: shape and severity."""

    name = "parrot"
    hears: ClassVar = {"c": (Auth, Signal)}
    state = Seen

    @property
    def horizon(self) -> float:
        return HOUR

    def observe(self, event: Any, seen: Seen, view: View) -> Iterator[Mark | Signal | Withdraw]:
        seen.failures += 1
        if event.reason == "withdraw" if type(event) is Auth else False:
            yield Withdraw(self.name, "it was nothing", client=event.mechanism)
        elif type(event) is Signal:
            yield Mark(self.name, event.kind, "medium")
        elif event.mechanism:
            severity: Severity = event.reason or "medium"
            yield Mark(self.name, event.mechanism, severity)

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        return Judgement(
            summary=f"{seen.failures} tries",
            evidence=[Evidence("tries", seen.failures, 1)],
            clients=[view.value],
        )


class Listener(Detector, frozen=True, kw_only=True):
    """Keeps what it was shown."""

    name = "listener"
    hears: ClassVar = {"c": (Auth,)}
    state = Seen
    shown: list[tuple[set[str], bool, bool]]

    @property
    def horizon(self) -> float:
        return HOUR

    def observe(self, event: Any, seen: Seen, view: View) -> Iterator[Mark | Signal]:
        self.shown.append((set(view.open), view.trusted, view.cold))
        yield from ()


def said(shape: str, at: float = 0.0, severity: str = "") -> Auth:
    return failed(CLIENT, "anna", at, mechanism=shape, reason=severity)


def revisions(*events: Fact) -> list[tuple[str, str]]:
    """(shape, severity) of everything that was said, drained words included."""
    return [(f.shape, f.severity) for f in tell(Parrot(), events).said]


def test_a_finding_is_said_at_once() -> None:
    assert revisions(said("a")) == [("a", "medium")]


def test_it_is_said_again_when_the_evidence_has_doubled_and_once_at_the_end() -> None:
    told = tell(Parrot(), every(1, [said("a")] * 7))
    assert [count(f, "tries").count for f in told.said] == [1, 2, 4, 7]
    assert [f.revision for f in told.said] == [1, 2, 3, 4]


def test_a_new_shape_is_said_once_however_often_two_shapes_alternate() -> None:
    shapes = [said("ab"[number % 2]) for number in range(32)]
    assert len(revisions(*every(0.01, shapes))) == 6  # at 1, 2 (the other shape), 4, 8, 16, 32


def test_a_new_shape_of_the_same_severity_names_the_finding() -> None:
    assert revisions(said("a"), said("b", 1)) == [("a", "medium"), ("b", "medium")]


def test_a_milder_shape_does_not_rename_the_finding() -> None:
    assert revisions(said("a"), said("b", 1, "low"))[-1] == ("a", "medium")


def test_a_graver_word_is_said_at_once() -> None:
    events = [*every(1, [said("a")] * 5), said("a", 9, "high")]
    assert revisions(*events)[-1] == ("a", "high")


def test_a_finding_ends_after_its_horizon_of_quiet() -> None:
    told = tell(Parrot(), said("a"), said("a", 2 * DAY))
    assert len(told.findings) == 2


def test_a_finding_lives_on_while_it_is_fed() -> None:
    told = tell(Parrot(), every(HOUR, [said("a")] * 5))
    assert len(told.findings) == 1


def test_the_finding_begins_with_the_first_offence_of_the_day() -> None:
    told = tell(Parrot(), failed(CLIENT, "anna", -HOUR), said("a"))
    assert told.findings[0].first == START - HOUR


def test_samples_show_what_led_to_the_finding_and_no_signal() -> None:
    story = Story(Parrot()).tell(failed(CLIENT, "anna"), failed(CLIENT, "ben", 1))
    story.tell(Signal(at=START + 2, about=f"c:{CLIENT}", kind="a"))
    assert ["anna" in s.text or "ben" in s.text for s in story.findings[0].samples] == [True, True]


def test_what_lies_around_is_asked_once_for_each_subject_and_event() -> None:
    asked: list[str] = []
    near = Past()
    near.note("anna", START)

    def around(key: str) -> Past:
        asked.append(key)
        return near

    view = View(Site(), around)
    view.at = START
    for subject in ("192.0.2.1", "192.0.2.2"):
        view.turn(f"c:{subject}", Past())
        assert [view.knows(name) for name in ("anna", "ben", "anna")] == [True, False, True]
        assert view.value == subject
    assert asked == ["c:192.0.2.1", "c:192.0.2.2"]


def test_detectors_see_the_findings_that_stand_and_those_of_the_same_event() -> None:
    shown: list[Any] = []
    tell(Parrot(), Listener(shown=shown), failed(CLIENT, "anna"), said("a", 1), said("a", 2 * HOUR))
    assert [names for names, _, _ in shown] == [set(), {"parrot"}, {"parrot"}]


def test_a_finding_past_its_horizon_no_longer_stands() -> None:
    shown: list[Any] = []
    tell(Parrot(), Listener(shown=shown), said("a"), failed(CLIENT, "anna", HOUR + 1))
    assert shown[-1][0] == set()


def test_the_past_is_cold_until_a_week_was_seen() -> None:
    shown: list[Any] = []
    events = [opened(CLIENT, "anna", day * DAY) for day in range(9)]
    tell(Listener(shown=shown), events, warm=False)
    assert [cold for _, _, cold in shown] == [True] * 7 + [False] * 2


def test_loopback_is_trusted() -> None:
    shown: list[Any] = []
    tell(Listener(shown=shown), failed("127.0.0.1", "anna"), failed(CLIENT, "anna"))
    assert [trusted for _, trusted, _ in shown] == [True, False]


def test_a_broken_detector_stops_nobody_else() -> None:
    class Broken(Parrot, frozen=True, kw_only=True):
        name = "broken"

        def observe(self, event: Any, seen: Seen, view: View) -> Iterator[Mark | Signal]:
            raise KeyError("planted")
            yield  # pragma: no cover

    broken: list[tuple[str, str]] = []
    story = Story(Broken(), Parrot())
    story.shard.engine._broken = lambda d, _, error: broken.append((d.name, repr(error)))
    assert story.tell(said("a")).shapes == {"parrot": {"a"}}
    assert broken == [("broken", "KeyError('planted')")]


def test_without_anybody_to_tell_a_broken_detector_is_an_error() -> None:
    class Broken(Parrot, frozen=True, kw_only=True):
        def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
            raise KeyError("planted")

    with pytest.raises(KeyError):
        tell(Broken(), said("a"))


def test_a_detector_that_is_switched_off_hears_nothing() -> None:
    assert tell(Parrot(enabled=False), said("a")).silent


def test_the_wish_goes_with_the_finding() -> None:
    from schemas.findings import Target

    class Wishing(Parrot, frozen=True, kw_only=True):
        def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
            return Judgement(
                summary="", evidence=[], wish=Wish("drop", Target("network", view.value))
            )

    wish = tell(Wishing(), said("a")).findings[0].wish
    assert wish is not None
    assert wish.target.value == CLIENT


class Strict(Detector, frozen=True, kw_only=True):
    """Says who fails so often."""

    name = "strict"
    hears: ClassVar = {"m": (Auth,), "c": (Auth,)}
    state = Seen
    most: int = 3

    @property
    def horizon(self) -> float:
        return HOUR

    def observe(self, event: Any, seen: Seen, view: View) -> Iterator[Mark | Signal]:
        seen.failures += 1
        if seen.failures >= self.most:
            yield Mark(self.name, "many", "medium")

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        return Judgement(summary="", evidence=[Evidence("failures", seen.failures, self.most)])


def test_the_mailboxes_of_a_domain_may_have_settings_of_their_own() -> None:
    story = Story()
    site = story.shard.engine.site
    variants = {"strict": {"example.net": Strict(most=1), "old.example.net": Strict(most=9)}}
    story.shard.adopt(Engine([Strict()], site, variants=variants), story.shard.response)
    names = ("a@example.org", "b@example.net", "c@sub.example.net", "d@old.example.net")
    story.tell(every(1, [failed(f"192.0.2.{n}", name) for n, name in enumerate(names)]))
    assert story.subjects["strict"] == {"b@example.net", "c@sub.example.net"}
    assert {count(finding, "failures").threshold for finding in story.findings} == {1}
    assert [evidence[0].threshold for _, evidence in story.shard.weigh(f"m:{names[3]}", START)] == [
        9
    ]


class Choosy(Listener, frozen=True, kw_only=True):
    """Minds nothing before somebody whispers."""

    name = "choosy"

    def minds(self, event: Any, view: View) -> bool:
        return bool(event.mechanism == "WHISPER")


def test_what_a_detector_does_not_mind_leaves_no_state_until_something_does() -> None:
    choosy = Choosy(shown=[])
    told = tell(choosy, failed(CLIENT, "anna"))
    assert "choosy" not in told.record(f"c:{CLIENT}").states
    told.tell(said("WHISPER", at=1), failed(CLIENT, "anna", at=2))
    assert len(choosy.shown) == 2
    assert "choosy" in told.record(f"c:{CLIENT}").states


# -- what is taken back ------------------------------------------------------------------------


def back(at: float = MINUTE, client: str = "") -> Auth:
    """The parrot withdraws what it said, or one client's part in it."""
    return failed(CLIENT, "anna", at, mechanism=client, reason="withdraw")


def test_a_finding_is_withdrawn_under_its_id() -> None:
    story = tell(Parrot(), said("a"), back())
    first, last = story.said
    assert first.id == last.id
    assert (last.state, last.summary, last.revision) == ("withdrawn", "it was nothing", 2)
    assert last.wish is None
    assert first.state == "open"
    assert story.shapes == {}


def test_what_does_not_stand_cannot_be_withdrawn() -> None:
    assert tell(Parrot(), back()).silent
    assert len(tell(Parrot(), said("a"), back(), back(2 * MINUTE)).said) == 2
    assert len(tell(Parrot(), said("a"), back(HOUR + 1)).said) == 1


def test_it_comes_back_with_the_next_mark() -> None:
    story = tell(Parrot(), said("a"), back(), said("a", 2 * MINUTE))
    assert [finding.state for finding in story.said] == ["open", "withdrawn", "open"]
    assert [finding.revision for finding in story.said] == [1, 2, 3]
    assert len({finding.id for finding in story.said}) == 1


def test_a_withdrawn_finding_is_not_shown_as_standing() -> None:
    shown: list[tuple[set[str], bool, bool]] = []
    tell(Parrot(), Listener(shown=shown), said("a"), back(), back(2 * MINUTE))
    assert [open_ for open_, _, _ in shown] == [{"parrot"}, set(), set()]


def test_one_client_is_taken_out() -> None:
    story = tell(Parrot(), said("a"), back(client=CLIENT))
    finding = story.finding("parrot")
    assert finding.state == "open"
    assert len(story.said) == 2
    assert len(tell(Parrot(), said("a"), back(client="192.0.2.99")).said) == 1


def test_a_withdrawn_finding_knows_whether_others_stand() -> None:
    class Other(Parrot, frozen=True, kw_only=True):
        name = "other"

        def observe(self, event: Any, seen: Seen, view: View) -> Iterator[Mark | Signal | Withdraw]:
            if event.mechanism == "b":
                yield Mark(self.name, "b", event.reason)

    def alone(*events: Fact) -> bool:
        return tell(Parrot(), Other(), events).finding("parrot").alone

    assert alone(said("a"), back())
    assert not alone(said("a"), said("b", 1, "high"), said("a", 2), back())
    assert alone(said("a"), said("b", 1, "info"), said("a", 2), back())


class Rough(Parrot, frozen=True, kw_only=True):
    """Counts the second try as about nine."""

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        rough = seen.failures == 2
        evidence = Evidence("tries", 9 if rough else seen.failures, 1, estimated=rough)
        return Judgement(summary="", evidence=[evidence])


def test_the_peak_of_a_count_stays_what_it_was_exact_or_an_estimate() -> None:
    story = tell(Rough(), said("a"))
    assert count(story.finding("parrot"), "tries") == Evidence("tries", 1, 1)
    story.tell(said("b", 60))
    assert count(story.finding("parrot"), "tries") == Evidence("tries", 9, 1, "", True)
    story.tell(said("c", 120))
    assert count(story.finding("parrot"), "tries") == Evidence("tries", 9, 1, "", True)


def test_counts_that_an_older_release_kept_were_not_told_as_estimates() -> None:
    story = tell(Parrot(), said("a"))
    (episode,) = story.record(f"c:{CLIENT}").episodes.values()
    episode.evidence["tries"] = [7, 1, ""]
    story.tell(said("b", 60))
    assert count(story.finding("parrot"), "tries") == Evidence("tries", 7, 1)


def test_a_finding_knows_how_many_events_it_rests_on() -> None:
    quiet = [failed(CLIENT, "anna", n) for n in range(7)]  # offences that say nothing yet
    told = tell(Parrot(), quiet, said("a", 60)).finding("parrot")
    assert (told.events, len(told.samples)) == (8, 4)
    told = tell(Parrot(), quiet, said("a", 60), said("b", 61)).finding("parrot")
    assert (told.events, len(told.samples)) == (9, 5)
    later = tell(Parrot(), quiet, said("a", 2 * DAY)).finding("parrot")
    assert (later.events, later.first) == (4, START + 2 * DAY)
