"""What is ServiceNow's own; the story that all desks share is in test_ticketing.py."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.settings import SettingsError
from streams.sinks.servicenow import ServiceNow, ServiceNowSettings
from tests.sinks.alerts import alert
from tests.sinks.test_ticketing import Office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office("servicenow", tmp_path / "sinks")
    yield made
    made.desk.close()


def test_a_record_is_found_again_by_our_id(office: Office) -> None:
    office.sink = office.another(fields={"assignment_group": "SOC"})
    office.tell(alert("a1", incident="i^1"))
    record = office.desk.tickets[office.one]
    assert record["correlation_id"] == "mailwarden-i_1"
    assert record["correlation_display"] == "mailwarden"
    assert (record["impact"], record["urgency"], record["category"]) == ("2", "2", "security")
    assert record["assignment_group"] == "SOC"


def test_with_a_token(office: Office) -> None:
    office.desk.key = "Bearer t"  # type: ignore[misc]
    office.sink = office.another(username="", password="", token="t")
    office.tell(alert("a1", incident="i1"))
    assert len(office.desk.tickets) == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "username: expected a name and its password, or a token"),
        ({"password": "x"}, "username: expected the name that the password is of"),
        ({"table": "", "token": "t"}, "table: must be set"),
    ],
)
def test_settings_that_cannot_be_used_name_the_key(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        ServiceNow(ServiceNowSettings(url="http://h", **settings))
    assert str(caught.value).startswith(said)
