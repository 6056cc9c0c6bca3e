"""Every kind of alert as an ECS document, beside the index template that we ship.

Elasticsearch itself is not to be had here: what is checked is that each field stands in the
template, with a value of the type that it has there.
"""

import ipaddress
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from schemas import wire
from schemas.findings import Alert, Subject
from streams.rendering import ecs
from tests.sinks.alerts import alert, every_kind

ROOT = Path(__file__).parents[2]
TEMPLATE = json.loads((ROOT / "packaging/elastic/logs-mailwarden.alert.json").read_text())
MAPPINGS = TEMPLATE["template"]["mappings"]

FITS = {
    "keyword": lambda value: isinstance(value, str),
    "text": lambda value: isinstance(value, str),
    "long": lambda value: type(value) is int,
    "double": lambda value: type(value) in (int, float),
    "date": lambda value: bool(datetime.fromisoformat(value)),
    "ip": lambda value: bool(ipaddress.ip_address(value)),
}


def rendered(one: Alert) -> Any:
    return json.loads(wire.encode(ecs.tree(one)))


def leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    elif isinstance(tree, list):
        for value in tree:
            yield from leaves(value, path)
    else:
        yield path, tree


def test_every_field_is_in_the_template_with_its_type(all_alerts: list[Alert]) -> None:
    used = set()
    for one in all_alerts:
        for path, value in leaves(rendered(one)):
            mapping = MAPPINGS
            for part in path:
                assert part in mapping["properties"], path
                mapping = mapping["properties"][part]
            assert FITS[mapping["type"]](value), (path, value)
            used.add(path)
    mapped = {path for path, _ in leaves(MAPPINGS["properties"])}
    known = {
        tuple(part for part in path[:-1] if part != "properties")
        for path in mapped
        if path[-1] == "type"
    }
    known |= {("event", "type"), ("observer", "type"), ("data_stream", "type")}
    assert known == used | (known & {()})


def test_the_template_is_that_of_a_data_stream_and_strangers_add_no_fields() -> None:
    assert TEMPLATE["data_stream"] == {}
    assert TEMPLATE["index_patterns"] == [f"{'-'.join(ecs.STREAM[:2])}-*"]
    assert MAPPINGS["dynamic"] is False
    assert TEMPLATE["priority"] > 100  # beyond the built-in template of logs-*-*


def test_what_was_found_stands_where_it_belongs() -> None:
    one = alert(revision=3, rule="auth_dictionary", accounts=["anna@example.org"])
    tree = rendered(one)
    assert tree["@timestamp"] == "2023-11-14T22:14:20.250Z"
    assert tree["data_stream"] == {
        "type": "logs",
        "dataset": "mailwarden.alert",
        "namespace": "default",
    }
    assert tree["event"]["id"] == "a1-3"
    assert tree["event"]["category"] == ["authentication", "intrusion_detection"]
    assert tree["event"]["severity"] == 73
    assert tree["event"]["duration"] == 59_500_000_000
    assert tree["event"]["reason"] == "accounts 15 ≥ 5"
    assert tree["source"] == {"ip": "192.0.2.1"}
    assert tree["related"] == {
        "ip": ["192.0.2.1"],
        "user": ["anna@example.org"],
        "hosts": ["example.org"],
    }
    assert tree["threat"] == {
        "framework": "MITRE ATT&CK",
        "tactic": {"id": ["TA0006"], "name": ["Credential Access"]},
        "technique": {
            "id": ["T1110"],
            "name": ["Brute Force"],
            "subtechnique": {"id": ["T1110.001"], "name": ["Password Guessing"]},
        },
    }
    assert tree["mailwarden"]["alert"]["evidence"] == [
        {"sign": "accounts", "count": 15, "threshold": 5}
    ]
    assert ecs.which(tree) == ("a1", 3)


@pytest.mark.parametrize(
    ("subject", "source", "user"),
    [
        (Subject("client", "2001:db8::/64"), None, None),
        (Subject("account", "anna@example.org"), "192.0.2.1", "anna@example.org"),
        (Subject("account", "anna"), "192.0.2.1", "anna"),
    ],
)
def test_a_network_is_no_address_and_an_account_is_the_user(
    subject: Subject, source: str | None, user: str | None
) -> None:
    tree = rendered(alert(subject=subject))
    assert tree.get("source", {}).get("ip") == source
    assert tree.get("user", {}).get("name") == user


def test_categories_and_types_are_those_of_ecs() -> None:
    """event.type `info` is expected of each of these categories."""
    for one in every_kind():
        event = rendered(one)["event"]
        assert set(event["category"]) < {"authentication", "email", "intrusion_detection"}
        assert event["type"] == ["info"]
