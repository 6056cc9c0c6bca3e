"""One ticket for one incident: the same story at each desk (stand-ins: tests/sinks/desks.py)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.incidents.casework import Extent, after
from agents.single.delivery import Delivery
from schemas.findings import Alert, Evidence, Subject
from schemas.incidents import Case, Deed, Step
from streams.sink import SinkError
from streams.sinks import SINKS
from streams.ticketing import LOOK, WITHDRAWN, Ticketing
from tests.sinks.alerts import EVIL, alert, evil
from tests.sinks.desks import Desk, JiraDesk, ServiceNowDesk, TheHiveDesk
from tests.waiting import wait_for

KINDS: dict[str, tuple[Callable[[], Desk], dict[str, Any]]] = {
    "jira": (
        JiraDesk,
        {
            "project": "SOC",
            "username": "soc@example.org",
            "token": "token",
            "priorities": {"critical": "Highest", "high": "High"},
        },
    ),
    "servicenow": (ServiceNowDesk, {"username": "soc", "password": "secret"}),
    "thehive": (TheHiveDesk, {"key": "hive-key"}),
}
CLOSED = {"jira": "Done", "servicenow": "6", "thehive": "Ignored"}
SEVERITY = {"jira": ("High", "Highest"), "servicenow": ("2", "1"), "thehive": ("3", "4")}


class Office:
    """A desk, and the sink that keeps tickets there. `case` is people's word."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        made, self.settings = KINDS[name]
        self.desk = made()
        self.now = 0.0
        self.cases: dict[str, Case] = {}
        self.sink = self.another()

    def another(self, **more: Any) -> Ticketing:
        kind = SINKS[self.name]
        settings = kind.Settings(url=self.desk.url, **{**self.settings, **more})
        sink = kind(settings, self.name, lambda: self.now)  # type: ignore[call-arg]
        assert isinstance(sink, Ticketing)
        sink.folder = self.folder
        sink.case = self.cases.get
        return sink

    def tell(self, *alerts: Alert) -> None:
        self.sink.send(alerts)

    def say(self, step: Step, at: float, text: str = "", incident: str = "i1") -> None:
        case = self.cases.get(incident, Case(id=incident))
        extent = Extent(1_700_000_060.0, 1, "critical", [incident])
        self.cases[incident] = after(case, Deed(at=at, what=step, by="dora", text=text), extent)

    def look(self) -> None:
        self.now += LOOK
        assert self.sink.due() == 0.0
        self.sink.refresh()

    @property
    def one(self) -> str:
        [ticket] = self.desk.tickets
        return ticket

    @property
    def closed(self) -> bool:
        return self.desk.state(self.one) == CLOSED[self.name]


@pytest.fixture(params=KINDS)
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    made = Office(request.param, tmp_path / "sinks")
    yield made
    made.desk.close()


def first(**more: Any) -> Alert:
    return alert("a1", incident="i1", decision="reject for 600 s", **more)


def test_the_first_alert_of_an_incident_opens_a_ticket(office: Office) -> None:
    office.tell(first())
    ticket = office.desk.tickets[office.one]
    assert ticket["title"] == "[mailwarden] high: auth dictionary: 192.0.2.1"
    assert "192.0.2.1: 15 wrong passwords at 15 accounts" in ticket["text"]
    assert "decided: reject for 600 s" in ticket["text"]
    assert office.desk.severity(office.one) == SEVERITY[office.name][0]


def test_what_follows_is_a_comment_and_more_of_the_same_is_not(office: Office) -> None:
    office.tell(first(), first(revision=2), alert("a2", incident="i1", detector="auth_breach"))
    office.tell(first(revision=3), alert("a3", incident="i1", severity="critical"))
    assert len(office.desk.words(office.one)) == 2
    assert "auth breach" in office.desk.words(office.one)[0]
    assert office.desk.severity(office.one) == SEVERITY[office.name][1]
    office.tell(alert("b1", incident="i2"))
    assert len(office.desk.tickets) == 2


def test_a_summary_of_a_flood_is_told_with_its_counts(office: Office) -> None:
    office.tell(first())
    for revision, count in ((1, 50), (2, 80)):
        fields = {"summary": f"{count} more alerts", "evidence": [Evidence("alerts", count, 0)]}
        office.tell(alert("s1", incident="i1", revision=revision, **fields))
    said = office.desk.words(office.one)
    assert ["50 more alerts" in said[0], "80 more alerts" in said[1]] == [True, True]


def test_what_people_say_here_is_said_there(office: Office) -> None:
    office.tell(first())
    office.say("acknowledged", 10.0)
    office.look()
    assert "acknowledged by dora" in office.desk.words(office.one)[-1]
    office.look()  # once
    assert len(office.desk.words(office.one)) == 1
    office.say("closed", 20.0, "password changed")
    office.look()
    assert "closed by dora: password changed" in office.desk.words(office.one)[-1]
    assert office.closed
    assert office.sink.due() is None


def test_a_false_positive_is_closed_as_well(office: Office) -> None:
    office.tell(first())
    office.say("false_positive", 10.0, "the newsletter")
    office.look()
    assert office.closed
    office.tell(first(revision=2))  # it was judged
    assert office.closed


def test_what_is_withdrawn_is_closed(office: Office) -> None:
    office.tell(first(), alert("a2", incident="i1"))
    office.tell(first(revision=2, state="withdrawn"))
    assert not office.closed
    office.tell(alert("a2", revision=2, incident="i1", state="withdrawn"))
    assert office.closed
    assert WITHDRAWN in office.desk.words(office.one)[-1]
    office.tell(alert("c1", incident="i9", state="withdrawn"))  # nobody heard of it
    assert len(office.desk.tickets) == 1


def test_what_goes_on_is_opened_again_and_stays_open(office: Office) -> None:
    office.tell(first())
    office.say("closed", 10.0, "done")
    office.look()
    assert office.closed
    office.tell(first(revision=2, last=1_700_009_999.0))
    assert not office.closed
    office.look()  # the old word is not said once more
    assert not office.closed
    office.say("closed", 20.0, "now really")
    office.look()
    assert office.closed
    assert len(office.desk.tickets) == 1


def test_after_a_restart_it_is_the_same_ticket(office: Office) -> None:
    office.tell(first())
    office.sink = office.another()
    office.tell(alert("a2", incident="i1"))
    assert len(office.desk.words(office.one)) == 1


def test_without_its_file_the_ticket_is_found(office: Office, tmp_path: Path) -> None:
    office.tell(first())
    office.folder = tmp_path / "elsewhere"
    office.sink = office.another()
    office.tell(alert("a2", incident="i1"))
    assert len(office.desk.tickets) == 1
    assert len(office.desk.words(office.one)) == 1


def test_a_ticket_that_somebody_deleted_is_opened_anew(office: Office) -> None:
    office.tell(first())
    office.desk.tickets.clear()
    office.tell(alert("a2", incident="i1"))
    assert len(office.desk.tickets) == 1
    office.desk.tickets.clear()
    office.say("closed", 10.0, "done")
    office.look()
    assert office.sink.due() is None


def test_a_desk_that_is_down_is_tried_again_and_gets_one_ticket(office: Office) -> None:
    delivery = Delivery(office.sink, patience=(0.001, 0.002))
    office.desk.broken = 503
    delivery.put([first(), alert("a2", incident="i1")])
    wait_for(lambda: len(office.desk.calls) > 3)
    office.desk.broken = 0
    delivery.hurry()
    wait_for(delivery.idle)
    delivery.close()
    assert len(office.desk.tickets) == 1
    assert len(office.desk.words(office.one)) == 1


def test_what_a_desk_does_not_take_holds_up_nothing_for_ever(office: Office) -> None:
    office.desk.broken = 400
    for _ in range(2):
        with pytest.raises(SinkError, match="answered 400 Bad Request"):
            office.tell(first())
    office.tell(first())
    assert "400 Bad Request" in office.sink.trouble
    office.desk.broken = 0
    office.tell(first(revision=2))
    assert len(office.desk.tickets) == 1
    assert office.sink.trouble == ""


def test_a_wrong_key_is_waited_for(office: Office) -> None:
    office.desk.key = "another"  # type: ignore[misc]
    for _ in range(5):
        with pytest.raises(SinkError, match="answered 401 Unauthorized") as caught:
            office.tell(first())
        assert "secret" not in str(caught.value)


def test_what_an_attacker_wrote_is_text(office: Office) -> None:
    nasty = "@here [x](https://h.example) {noformat} ``` {code} !http://h.example/a.png!" + EVIL
    office.tell(
        evil("e1"),
        alert(
            "n1", incident="n^1", summary=nasty, subject=Subject("account", nasty), accounts=[nasty]
        ),
    )
    assert len(office.desk.tickets) == 2
    for ticket in office.desk.tickets.values():
        assert ticket["title"].isprintable() or "\u200b" in ticket["title"]
        assert "://" not in str(ticket)
        assert "](" not in ticket["text"]
        assert ticket["text"].count("{noformat}") in (0, 1, 2)
        if office.name == "thehive":
            assert ticket["text"].count("```") == 2
        if office.name == "jira":
            assert ticket["text"].count("{noformat}") == 2


def test_they_are_off_unless_configured_and_mild_alerts_are_not_theirs(office: Office) -> None:
    assert office.sink.settings.least == "high"
    assert "a ticket for each incident at http://127.0.0.1" in office.sink.about()
    office.tell(alert("m1", "medium"))
    assert office.desk.calls == []
