"""Every kind of alert against the published JSON schema of OCSF 1.8.0."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from agents.detectors import DETECTORS
from schemas import wire
from schemas.findings import Alert
from streams.rendering import attack, ocsf
from tests.sinks.alerts import alert, every_kind


@pytest.fixture(scope="module")
def schema() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))


@pytest.fixture(scope="module")
def validator(schema: OcsfJsonSchemaEmbedded) -> Draft202012Validator:
    found = schema.get_class_schema("detection_finding")
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found)


def rendered(one: Alert) -> Any:
    return json.loads(wire.encode(ocsf.tree(one)))


def test_every_alert_is_a_valid_detection_finding(
    validator: Draft202012Validator, all_alerts: list[Alert]
) -> None:
    assert {one.detector for one in all_alerts} >= set(DETECTORS)
    for one in all_alerts:
        faults = [
            f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(rendered(one))
        ]
        assert not faults, (one.detector, one.subject, faults)


def test_the_validator_would_see_a_fault(validator: Draft202012Validator) -> None:
    assert not validator.is_valid({**rendered(alert()), "severity_id": 17})
    assert not validator.is_valid({**rendered(alert()), "attacks_": []})


def test_what_was_found_stands_where_it_belongs() -> None:
    tree = rendered(alert(revision=3, rule="auth_dictionary"))
    assert (tree["class_uid"], tree["type_uid"], tree["activity_id"]) == (2004, 200402, 2)
    assert (tree["severity_id"], tree["status"], tree["is_alert"]) == (4, "In Progress", True)
    assert tree["time"] == 1_700_000_060_250
    assert tree["metadata"]["uid"] == "a1-3"
    assert tree["metadata"]["sequence"] == 3
    assert tree["finding_info"]["uid"] == "a1"
    assert tree["finding_info"]["analytic"]["uid"] == "auth_dictionary"
    assert tree["finding_info"]["attacks"] == [
        {
            "version": attack.VERSION,
            "tactic": {"uid": "TA0006", "name": "Credential Access"},
            "technique": {"uid": "T1110", "name": "Brute Force"},
            "sub_technique": {"uid": "T1110.001", "name": "Password Guessing"},
        }
    ]
    assert tree["evidences"][0]["src_endpoint"] == {"ip": "192.0.2.1"}
    assert tree["evidences"][0]["data"]["counts"] == [
        {"sign": "accounts", "count": 15, "threshold": 5, "unit": ""}
    ]
    assert tree["observables"] == [
        {
            "name": "finding_info.title",
            "type_id": 2,
            "type": "IP Address",
            "value": "192.0.2.1",
        }
    ]


@pytest.mark.parametrize(
    ("more", "activity", "status"),
    [
        ({"revision": 1}, "Create", "New"),
        ({"revision": 9}, "Update", "In Progress"),
        ({"revision": 9, "state": "withdrawn"}, "Close", "Resolved"),
    ],
)
def test_the_life_of_an_alert_is_that_of_a_finding(
    more: dict[str, Any], activity: str, status: str
) -> None:
    tree = rendered(alert(**more))
    assert (tree["activity_name"], tree["status"]) == (activity, status)


def test_logins_are_related_events_of_the_class_authentication(
    schema: OcsfJsonSchemaEmbedded,
) -> None:
    assert schema.lookup_class_name_from_uid(3002) == "authentication"
    assert schema.lookup_class_name_from_uid(4009) == "email_activity"
    one = next(each for each in every_kind() if each.detector == "auth_breach")
    tree = rendered(one)
    kinds = [event["type_uid"] for event in tree["finding_info"]["related_events"]]
    assert kinds == [300201, 300201, 400902, 400902, 400901, 400901, 400903]
    uids = [event["uid"] for event in tree["finding_info"]["related_events"]]
    assert uids[:2] == ["a1-1", "mail.log:1"]
    login = tree["evidences"][1]
    assert login["user"] == {"name": "anna@example.org", "email_addr": "anna@example.org"}
    assert login["src_endpoint"] == {"ip": "192.0.2.1"}
    assert login["dst_endpoint"] == {"hostname": "mx1"}


def test_the_technique_of_every_detector_has_a_name() -> None:
    for detector in DETECTORS.values():
        known = attack.of(detector.technique)
        if detector.technique:
            assert known is not None
            assert known.tactic is not None, detector.technique
            assert known.technique.name
            assert known.part is None or known.part.name
    assert attack.of("") is None
    assert attack.of("T0000.001") == attack.Attack(
        attack.Named("T0000"), None, attack.Named("T0000.001")
    )
