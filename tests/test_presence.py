import pytest

from agents.presence import Presence, nobody

NOON = 1_767_268_800.0


def presence(*expected: str, started: float = NOON, state: bytes = b"") -> Presence:
    return Presence(expected, 600.0, started, state)


def test_without_expected_gateways_nobody_is_missed() -> None:
    watch = presence()
    assert not watch
    assert watch.hear(["mx1"], NOON) == []
    assert watch.check(NOON + 9999) == []


@pytest.mark.parametrize(("after", "found"), [(599.9, 0), (600.0, 1)])
def test_a_gateway_is_silent_after_ten_minutes(after: float, found: int) -> None:
    watch = presence("mx1")
    watch.hear(["mx1"], NOON + 60)
    assert len(watch.check(NOON + 60 + after)) == found


def test_a_gateway_that_never_spoke_is_silent_ten_minutes_after_the_start() -> None:
    (alert,) = presence("mx1", "mx2", state=b"").check(NOON + 600)[:1]
    assert alert.detector == "gateway_silent"
    assert alert.severity == "medium"
    assert alert.subject.value == "mx1"
    assert alert.summary == "mx1 has sent no line for 10 min"
    assert (alert.evidence[0].count, alert.evidence[0].threshold) == (600, 600.0)


def test_silence_is_said_once() -> None:
    watch = presence("mx1")
    assert len(watch.check(NOON + 600)) == 1
    assert watch.check(NOON + 601) == []
    assert watch.silent() == ["mx1"]


def test_it_is_withdrawn_when_the_gateway_speaks_again() -> None:
    watch = presence("mx1", "mx2")
    watch.hear(["mx2"], NOON + 300)
    (silent,) = watch.check(NOON + 600)
    (again,) = watch.hear(["mx1", "mx2", "stranger"], NOON + 900)
    assert (again.id, again.revision, again.state) == (silent.id, 2, "withdrawn")
    assert again.summary == "mx1 speaks again after 15 min"
    assert watch.silent() == []
    assert watch.hear(["mx1"], NOON + 901) == []


def test_a_second_silence_of_the_day_is_the_same_alert_again() -> None:
    watch = presence("mx1")
    (first,) = watch.check(NOON + 600)
    watch.hear(["mx1"], NOON + 700)
    (second,) = watch.check(NOON + 1300)
    assert (second.id, second.revision, second.state) == (first.id, 3, "open")


def test_a_silence_of_another_day_is_another_alert() -> None:
    watch = presence("mx1")
    (first,) = watch.check(NOON + 600)
    watch.hear(["mx1"], NOON + 86_400)
    (second,) = watch.check(NOON + 87_000)
    assert second.id != first.id
    assert second.revision == 1


def test_a_restart_in_the_middle_of_a_silence_says_nothing_twice() -> None:
    watch = presence("mx1")
    (first,) = watch.check(NOON + 600)
    again = presence("mx1", started=NOON + 700, state=watch.pack())
    assert again.check(NOON + 9000) == []
    (back,) = again.hear(["mx1"], NOON + 9000)
    assert (back.id, back.revision, back.first) == (first.id, 2, NOON)


def test_the_time_in_which_nobody_listened_is_no_silence() -> None:
    watch = presence("mx1")
    watch.hear(["mx1"], NOON + 10)
    again = presence("mx1", started=NOON + 9000, state=watch.pack())
    assert again.check(NOON + 9000) == []
    assert len(again.check(NOON + 9600)) == 1


def test_the_alert_says_whether_the_shipper_of_the_silent_gateway_lives() -> None:
    watch = presence("mx1", "mx2")
    for minute in range(10):
        watch.alive("mx1", NOON + 60 * minute)
        watch.alive("stranger", NOON + 60 * minute)
    lives, gone = watch.check(NOON + 600)
    assert lives.summary == "mx1 has sent no line for 10 min; its shipper lives"
    assert gone.summary == "mx2 has sent no line for 10 min"


def test_a_time_in_which_nothing_could_be_heard_is_no_silence() -> None:
    watch = presence("mx1", "mx2")
    watch.hear(["mx1"], NOON + 300)
    assert len(watch.check(NOON + 600)) == 1
    watch.deaf(NOON + 899)
    assert watch.check(NOON + 900) == []
    assert watch.silent() == ["mx2"]
    assert len(watch.check(NOON + 899 + 600)) == 1


def test_where_nobody_is_expected_nobody_is_missed() -> None:
    watch = nobody(presence("mx1").pack())
    assert not watch
    assert watch.check(NOON) == []
