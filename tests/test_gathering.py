from typing import Any

from schemas.findings import LISTED, Alert, Evidence, Subject
from streams import gathering
from streams.gathering import Gathering
from tests.sinks.alerts import alert


def one(number: int, **more: Any) -> Alert:
    """An alert of a campaign's client."""
    address = f"192.0.2.{number}" if number < 256 else f"2001:db8::{number:x}"
    subject = Subject("client", address)
    fields = {"subject": subject, "clients": [address], "incident": "i1", **more}
    return alert(f"a{number}", **fields)


def flood(gathered: Gathering, count: int, at: float = 0.0) -> None:
    assert not gathered.hold(one(0), at)
    assert all(gathered.hold(one(number), at) for number in range(1, count))


def test_the_first_goes_out_as_itself_and_the_others_as_one() -> None:
    gathered = Gathering(60.0)
    flood(gathered, 50)
    assert gathered.held == 49
    assert gathered.due(10.0) == 50.0
    assert gathered.ripe(59.9, 100) == []
    [parcel] = gathered.ripe(60.0, 100)
    told = parcel.alert
    assert len(parcel.members) == 49
    assert told.id not in {member.id for member in parcel.members}
    assert (told.detector, told.severity, told.incident) == ("auth_dictionary", "high", "i1")
    assert told.evidence == [Evidence("alerts", 49, 0)]
    assert told.summary.startswith("49 more alerts (auth_dictionary) of incident i1: 192.0.2.1, ")
    assert " and 29 more; `mailwarden alerts list --incident i1` shows them" in told.summary
    assert told.summary.count("192.0.2.") == gathering.NAMED
    assert (told.clients_count, len(told.clients)) == (49, 49)
    assert told.events == 49 * 15
    gathered.told(parcel, 60.0)
    assert gathered.held == 0
    assert gathered.due(60.0) is None


def test_what_comes_later_grows_the_same_record() -> None:
    gathered = Gathering(60.0)
    flood(gathered, 5)
    [first] = gathered.ripe(60.0, 100)
    gathered.told(first, 60.0)
    assert gathered.hold(one(5), 70.0)
    assert gathered.ripe(119.0, 100) == []
    [second] = gathered.ripe(120.0, 100)
    assert second.alert.id == first.alert.id
    assert (first.alert.revision, second.alert.revision) == (1, 2)
    assert [each.id for each in second.members] == ["a5"]
    assert second.alert.evidence == [Evidence("alerts", 5, 0)]
    assert second.alert.clients == [f"192.0.2.{number}" for number in range(1, 6)]
    assert second.alert.events == 5 * 15


def test_what_did_not_arrive_is_offered_again_and_grows_only_with_news() -> None:
    gathered = Gathering(60.0)
    flood(gathered, 5)
    [first] = gathered.ripe(60.0, 100)
    assert gathered.ripe(61.0, 100) == [first]
    gathered.hold(one(5), 62.0)
    [grown] = gathered.ripe(62.0, 100)
    assert (grown.alert.id, grown.alert.revision) == (first.alert.id, 2)
    assert grown.alert.evidence == [Evidence("alerts", 5, 0)]


def test_what_came_while_a_summary_was_on_its_way_is_told_with_the_next() -> None:
    gathered = Gathering(60.0)
    flood(gathered, 5)
    [parcel] = gathered.ripe(60.0, 100)
    gathered.hold(one(1, revision=2), 60.0)
    gathered.told(parcel, 61.0)
    assert gathered.held == 1
    [second] = gathered.ripe(121.0, 100)
    assert second.members == [one(1, revision=2)]
    assert second.alert.evidence == [Evidence("alerts", 4, 0)]  # it was counted already


def test_one_alone_is_told_as_itself_when_the_window_is_over() -> None:
    gathered = Gathering(60.0)
    flood(gathered, 2)
    [parcel] = gathered.ripe(60.0, 100)
    assert parcel.alert is parcel.members[0]
    gathered.told(parcel, 60.0)
    assert not gathered.hold(one(1, revision=2), 61.0)  # the receiver has its record


def test_records_that_the_receiver_has_are_updated() -> None:
    gathered = Gathering(60.0)
    flood(gathered, 3)
    assert not gathered.hold(one(0, revision=2), 1.0)
    assert not gathered.hold(one(9, state="withdrawn"), 1.0)
    assert gathered.hold(one(1, state="withdrawn"), 1.0)  # told by nobody yet
    [parcel] = gathered.ripe(60.0, 100)
    assert parcel.alert.evidence == [Evidence("alerts", 2, 0), Evidence("withdrawn", 1, 0)]
    assert parcel.alert.state == "open"
    gathered.told(parcel, 60.0)
    assert gathered.hold(one(2, state="withdrawn", revision=2), 61.0)
    [parcel] = gathered.ripe(120.0, 100)
    assert parcel.alert.evidence == [Evidence("alerts", 2, 0), Evidence("withdrawn", 2, 0)]
    assert parcel.alert.state == "withdrawn"
    assert ", 2 of them withdrawn" in parcel.alert.summary


def test_a_group_ends_with_a_quiet_window_and_the_next_has_another_record() -> None:
    gathered = Gathering(60.0)
    flood(gathered, 3)
    [parcel] = gathered.ripe(60.0, 100)
    gathered.told(parcel, 60.0)
    assert not gathered.hold(one(7), 120.0)
    assert gathered.hold(one(8), 121.0)
    assert gathered.hold(one(9), 121.0)
    [other] = gathered.ripe(180.0, 100)
    assert other.alert.id != parcel.alert.id
    assert other.alert.revision == 1


def test_incident_detector_and_severity_each_have_a_group_of_their_own() -> None:
    gathered = Gathering(60.0)
    flood(gathered, 3)
    assert not gathered.hold(one(4, incident="i2"), 1.0)
    assert not gathered.hold(one(5, detector="auth_breach"), 1.0)
    assert not gathered.hold(one(6, severity="critical"), 1.0)
    assert not gathered.hold(one(7, incident=""), 1.0)
    assert not gathered.hold(one(8, incident=""), 1.0)
    assert gathered.hold(one(9), 1.0)


def test_without_a_window_nothing_is_held() -> None:
    gathered = Gathering(0.0)
    assert not any(gathered.hold(one(number), 0.0) for number in range(5))
    assert gathered.ripe(1e9, 100) == []


def test_at_the_end_nothing_waits_for_its_window() -> None:
    gathered = Gathering(60.0)
    flood(gathered, 3)
    [parcel] = gathered.ripe(1.0, 100, at_once=True)
    assert len(parcel.members) == 2
    assert gathered.ripe(60.0, 0) == []


def test_many_groups_and_many_alerts_take_bounded_memory(monkeypatch: Any) -> None:
    monkeypatch.setattr(gathering, "GROUPS", 3)
    monkeypatch.setattr(gathering, "KNOWN", 10)
    gathered = Gathering(60.0)
    for number in range(5):
        assert not gathered.hold(one(number, incident=f"i{number}"), 0.0)
    assert not gathered.hold(one(8, incident="i4"), 1.0)  # no room: as itself
    assert gathered.hold(one(9, incident="i2"), 1.0)
    assert not gathered.hold(one(10, incident="i5"), 100.0)  # the quiet ones made room
    assert gathered.hold(one(11, incident="i5"), 100.0)
    gathered = Gathering(60.0)
    flood(gathered, 2000)
    [parcel] = gathered.ripe(60.0, 100)
    gathered.told(parcel, 60.0)
    assert len(gathered._known) == 10
    assert len(parcel.alert.clients) == LISTED
    assert parcel.alert.clients_count == 1999
    assert len(parcel.alert.summary) < 2000


def test_what_members_say_alike_the_summary_says_too() -> None:
    gathered = Gathering(60.0)
    gathered.hold(one(0), 0.0)
    gathered.hold(one(1, decision="reject 192.0.2.1"), 0.0)
    gathered.hold(one(2, decision="reject 192.0.2.2", domains=["example.net"]), 0.0)
    [parcel] = gathered.ripe(60.0, 100)
    assert parcel.alert.shape == "dictionary"
    assert parcel.alert.decision == ""
    assert parcel.alert.domains == ["example.org", "example.net"]
    gathered.told(parcel, 60.0)
    gathered.hold(one(3, shape="stuffing", decision="reject 192.0.2.1"), 61.0)
    [parcel] = gathered.ripe(120.0, 100)
    assert (parcel.alert.shape, parcel.alert.decision) == ("several", "")
