"""What is TheHive's own; the story that all desks share is in test_ticketing.py."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.settings import SettingsError
from streams.sinks.thehive import TheHive, TheHiveSettings
from tests.sinks.alerts import alert
from tests.sinks.test_ticketing import Office, first


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office("thehive", tmp_path / "sinks")
    yield made
    made.desk.close()


def test_an_alert_has_what_can_be_looked_up(office: Office) -> None:
    clients = ["192.0.2.1", "2001:db8:0:7::/64", "unknown"]
    office.tell(first(clients=clients, accounts=["anna@example.org", "anna"]))
    found = office.desk.tickets[office.one]
    assert (found["type"], found["source"], found["sourceRef"]) == ("mail", "mailwarden", "i1")
    assert found["tags"] == ["detector:auth_dictionary", "T1110.001"]
    assert found["observables"] == [
        {"dataType": "ip", "data": "192.0.2.1"},
        {"dataType": "ip", "data": "2001:db8:0:7::"},
        {"dataType": "mail", "data": "anna@example.org"},
    ]
    assert found["date"] == 1_700_000_000_500


def test_the_statuses_are_those_of_the_settings(office: Office) -> None:
    office.sink = office.another(closed="True Positive", false_positive="False Positive")
    office.tell(first(), alert("b1", incident="i2"))
    office.say("closed", 10.0, "done")
    office.say("false_positive", 10.0, "ours", incident="i2")
    office.look()
    states = [one["state"] for one in office.desk.tickets.values()]
    assert states == ["True Positive", "False Positive"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [({}, "key: must be set, or key_file"), ({"key": "x", "url": "hive"}, "url: expected http://")],
)
def test_settings_that_cannot_be_used_name_the_key(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        TheHive(TheHiveSettings(**{"url": "http://h", **settings}))
    assert str(caught.value).startswith(said)


def test_of_several_organisations() -> None:
    sink = TheHive(TheHiveSettings(url="http://h", key="k", organisation="SOC"))
    assert sink._headers["x-organisation"] == "SOC"
