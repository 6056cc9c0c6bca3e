"""What is Jira's own; the story that all desks share is in test_ticketing.py."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.settings import SettingsError
from streams.sinks.jira import Jira, JiraSettings
from tests.sinks.alerts import alert
from tests.sinks.test_ticketing import Office, first


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office("jira", tmp_path / "sinks")
    yield made
    made.desk.close()


def test_an_issue_bears_the_incident_as_a_label(office: Office) -> None:
    office.tell(alert("a1", incident="i 1"))
    ticket = office.desk.tickets[office.one]
    assert ticket["labels"] == ["mailwarden", "mailwarden-i_1"]
    assert ticket["text"].startswith("{noformat}\n192.0.2.1: 15 wrong passwords")


def test_data_center_is_asked_the_old_way(office: Office) -> None:
    office.desk.center = True  # type: ignore[attr-defined]
    office.desk.key = "Bearer token"  # type: ignore[misc]
    office.sink = office.another(username="")
    office.tell(first())
    paths = [path for _, path in office.desk.calls[:2]]
    assert paths == ["/rest/api/2/search/jql", "/rest/api/2/search"]
    assert len(office.desk.tickets) == 1


def test_a_workflow_without_the_transition_is_left_alone(office: Office) -> None:
    office.sink = office.another(done="Abgeschlossen")
    office.tell(first(), first(revision=2, state="withdrawn"))
    assert office.desk.state(office.one) == "To Do"
    assert "all of its alerts are withdrawn" in office.desk.words(office.one)[-1]


def test_without_priorities_the_projects_counts(office: Office) -> None:
    office.sink = office.another(priorities={})
    office.tell(first(), first(revision=2, severity="critical"))
    assert office.desk.severity(office.one) == ""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"token": "x"}, "project: must be set"),
        ({"project": "SOC"}, "token: must be set, or token_file"),
        ({"project": "SOC", "token_file": "/none"}, "token_file: /none cannot be read"),
        ({"project": "SOC", "token": "x", "username": "a:b"}, "username: expected a name without"),
    ],
)
def test_settings_that_cannot_be_used_name_the_key(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Jira(JiraSettings(url="http://h", **settings))
    assert str(caught.value).startswith(said)
