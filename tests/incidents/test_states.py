"""What people make of an incident: agents/incidents/casework.py, assembling.py."""

import pytest

from agents.incidents.assembling import WITHDRAWN, incidents
from agents.incidents.casework import Extent, after, merged
from agents.incidents.incident import Incident
from schemas.findings import Alert
from schemas.incidents import DEEDS, Case, Deed, Step
from tests.incidents.alerts import ANNA, DAY, START, account

NOW = START + 100


def deed(what: Step, text: str = "", at: float = NOW, by: str = "carla") -> Deed:
    return Deed(at=at, what=what, by=by, text=text)


def one(*alerts: Alert, cases: tuple[Case, ...] = ()) -> Incident:
    [found] = incidents(alerts, cases, window=DAY).incidents
    return found


def judged(what: Step, *alerts: Alert) -> Case:
    before = one(*alerts)
    extent = Extent(before.last, before.alerts_count, before.severity)
    return after(Case(id=before.id), deed(what, "why"), extent)


def whats(found: Incident) -> list[str]:
    return [moment.what for moment in found.timeline]


@pytest.mark.parametrize("what", ["acknowledged", "closed", "false_positive"])
def test_what_a_person_said_is_the_state(what: Step) -> None:
    alerts = account("a1", ANNA)
    found = one(alerts, cases=(judged(what, alerts),))
    assert (found.state, found.reason) == (what, "why")
    assert whats(found) == ["alert", what]
    assert found.timeline[-1].by == "carla"


def test_a_closed_incident_that_goes_on_opens_again_and_says_so() -> None:
    case = judged("closed", account("a1", ANNA, last=10.0))
    found = one(account("a1", ANNA, last=500.0, revision=2), cases=(case,))
    assert (found.state, found.reason) == ("open", "it went on after it was closed")
    last = found.timeline[-1]
    assert (last.what, last.text, last.at) == ("reopened", "closed, but it went on", START + 500)


def test_a_new_alert_or_a_worse_one_opens_it_even_where_its_events_are_older() -> None:
    case = judged("closed", account("a1", ANNA, last=10.0))
    late = account("a2", ANNA, 1.0, incident="a1")
    assert one(account("a1", ANNA, last=10.0), late, cases=(case,)).state == "open"
    worse = account("a1", ANNA, last=10.0, revision=2, severity="critical")
    assert one(worse, cases=(case,)).state == "open"


def test_a_false_positive_may_go_on_but_not_grow() -> None:
    case = judged("false_positive", account("a1", ANNA, last=10.0))
    on = account("a1", ANNA, last=5000.0, revision=2)
    assert one(on, cases=(case,)).state == "false_positive"
    more = account("a2", ANNA, 5.0, incident="a1")
    found = one(on, more, cases=(case,))
    assert found.state == "open"
    assert found.timeline[-1].text == "false positive, but it went on"


def test_an_incident_that_is_acknowledged_stays_so_while_it_goes_on() -> None:
    case = judged("acknowledged", account("a1", ANNA))
    assert one(account("a1", ANNA, last=999.0), cases=(case,)).state == "acknowledged"


def test_one_whose_alerts_are_all_withdrawn_is_closed_by_itself() -> None:
    gone = account("a1", ANNA, at=START + 70, state="withdrawn", revision=2)
    found = one(gone)
    assert (found.state, found.reason, found.severity) == ("closed", WITHDRAWN, "info")
    assert (found.timeline[-1].what, found.timeline[-1].by) == ("closed", "mailwarden")
    assert found.withdrawn_count == 1
    assert one(gone, account("a2", ANNA, 5.0)).state == "open"
    assert one(gone, cases=(judged("false_positive", gone),)).state == "false_positive"


def test_severity_is_the_highest_of_what_stands() -> None:
    alerts = (
        account("a1", ANNA, severity="critical", state="withdrawn"),
        account("a2", ANNA, 1.0, severity="high"),
        account("a3", ANNA, 2.0, severity="low"),
    )
    assert one(*alerts).severity == "high"


def test_the_other_deeds_change_no_state() -> None:
    extent = Extent(NOW, 1, "high")
    case = after(Case(id="a1"), deed("noted", "called her"), extent)
    case = after(case, deed("assigned", "dora"), extent)
    assert (case.state, case.assignee, case.seen, case.deeds_count) == ("open", "dora", 0.0, 2)
    found = one(account("a1", ANNA), cases=(case,))
    assert (found.assignee, [note.text for note in found.notes]) == ("dora", ["called her"])
    assert after(case, deed("assigned"), extent).assignee == ""


def test_of_too_many_deeds_the_newest_are_kept_and_all_counted() -> None:
    case = Case(id="a1")
    for n in range(DEEDS + 5):
        case = after(case, deed("noted", str(n)), Extent(NOW, 1, "high"))
    assert (len(case.deeds), case.deeds_count, case.deeds[0].text) == (DEEDS, DEEDS + 5, "5")


def test_the_cases_of_two_that_are_one_now_are_merged() -> None:
    extent = Extent(NOW, 1, "high")
    early = after(Case(id="a1"), deed("assigned", "dora", at=NOW), extent)
    early = after(early, deed("closed", "over", at=NOW + 1), extent)
    late = after(Case(id="b1"), deed("acknowledged", at=NOW + 2), extent)
    both = merged(late, early)
    assert both == merged(early, late)
    assert both is not None
    assert (both.state, both.assignee, both.deeds_count) == ("acknowledged", "dora", 3)
    assert [one.what for one in both.deeds] == ["assigned", "closed", "acknowledged"]
    assert merged(None, None) is None
    assert merged(early, None) == merged(None, early) == merged(early, early) == early
    alerts = (account("a1", ANNA), account("b1", ANNA, 1.0, incident="a1"))
    assert one(*alerts, cases=(early, late)).state == "acknowledged"
    noted = after(Case(id="b1"), deed("noted", "late word", at=NOW + 9), extent)
    both = merged(noted, early)
    assert both is not None
    assert (both.state, both.reason, both.assignee, both.at) == ("closed", "over", "dora", NOW + 9)
    nobody = after(Case(id="b1"), deed("assigned", at=NOW + 9), extent)
    taken = merged(nobody, early)
    assert taken is not None
    assert (taken.state, taken.assignee) == ("closed", "")
