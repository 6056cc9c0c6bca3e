import pytest

from agents.incidents.casework import Extent, after
from agents.incidents.taken import Taken
from schemas.incidents import Case, Deed, Step
from tests.sinks.alerts import alert

SEEN = 1_700_000_060.0


def said(*steps: Step, parts: tuple[str, ...] = (), severity: str = "high") -> Taken:
    case = Case(id="i1")
    extent = Extent(SEEN, 3, severity, list(parts))  # type: ignore[arg-type]
    for number, step in enumerate(steps):
        case = after(case, Deed(at=number, what=step, by="dora", text="why"), extent)
    taken = Taken()
    taken.learn([case, Case(id="other")])
    return taken


@pytest.mark.parametrize("step", ["acknowledged", "closed", "false_positive"])
def test_a_word_about_the_incident_takes_its_alerts_on(step: Step) -> None:
    taken = said(step)
    assert taken(alert("a1", incident="i1"))
    assert taken(alert("i1", incident=""))
    assert not taken(alert("a1", incident="i2"))
    assert not taken(alert("a1", "critical", incident="i1"))


def test_of_a_closed_one_a_later_event_opens_it_again() -> None:
    later = alert("a1", incident="i1", last=SEEN + 1)
    assert not said("closed")(later)
    assert said("acknowledged")(later)
    assert said("false_positive")(later)


def test_a_note_takes_nothing_on() -> None:
    assert not said("noted", "assigned")(alert("a1", incident="i1"))


def test_what_joined_the_incident_is_taken_on_with_it() -> None:
    taken = said("acknowledged", parts=("i1", "i7"))
    assert taken(alert("a1", incident="i7"))
    assert not taken(alert("a1", incident="i8"))


def test_of_two_cases_the_later_word_counts() -> None:
    taken = Taken()
    one = Case(id="i1", state="acknowledged", since=2.0, severity="low", parts=["i1", "i2"])
    two = Case(id="i2", state="acknowledged", since=3.0, severity="critical")
    for cases in ([one, two], [two, one]):
        taken.learn(cases)
        assert taken(alert("a1", "critical", incident="i2"))
        assert not taken(alert("a1", "critical", incident="i1"))
    taken.learn([])
    assert not taken(alert("a1", "critical", incident="i2"))
