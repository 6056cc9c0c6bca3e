from typing import Any

import msgspec
import pytest

from schemas.findings import Decision
from streams.gateways.feeds.item import items, passes
from streams.gateways.feeds.settings import ListSettings
from tests.gateways.decided import decided, pardoned


def found(value: str, **fields: Any) -> Decision:
    """A decision of the machine's, with what it rests on."""
    own = {key: fields.pop(key) for key in ("detector", "severity") if key in fields}
    return msgspec.structs.replace(decided(value, **fields), **own)


def listed(*decisions: Decision, **chosen: Any) -> list[str]:
    return [item.value for item in items(decisions, ListSettings(**chosen))]


def test_networks_are_sorted_as_numbers_ipv4_first() -> None:
    values = (
        "2001:db8:1::/64",
        "2001:db8::1",
        "198.51.100.0/24",
        "9.0.0.1",
        "10.0.0.1",
        "10.0.0.0",
    )
    assert listed(*(decided(value) for value in values)) == [
        *("9.0.0.1", "10.0.0.0", "10.0.0.1", "198.51.100.0/24"),
        *("2001:db8::1", "2001:db8:1::/64"),
    ]


def test_an_item_knows_the_decision_that_rules_it() -> None:
    first, second = decided("192.0.2.1", "reject"), decided("192.0.2.0/31")
    found = items([first, second], ListSettings())
    assert [(item.value, item.decision) for item in found] == [
        ("192.0.2.0", second),
        ("192.0.2.1", first),
    ]


def test_a_pardon_is_left_out_of_a_wider_network() -> None:
    assert listed(pardoned("192.0.2.1"), decided("192.0.2.0/30")) == ["192.0.2.0", "192.0.2.2/31"]


def test_lists_are_of_certain_actions() -> None:
    decisions = [decided("192.0.2.1"), decided("192.0.2.2", "reject"), decided("192.0.2.3", "hold")]
    assert listed(*decisions) == ["192.0.2.1", "192.0.2.2"]
    assert listed(*decisions, actions=("hold",)) == ["192.0.2.3"]


def test_a_milder_word_of_a_person_is_left_out_whatever_the_list_is_filtered_by() -> None:
    mild = decided("192.0.2.1", "tarpit", origin="manual")
    wide = found("192.0.2.0/31", severity="high")
    assert listed(mild, wide, severity="high", origins=("automatic",)) == ["192.0.2.0"]


def test_what_is_filtered_out_cuts_nothing_out() -> None:
    narrow = decided("192.0.2.1", "reject", origin="manual")
    assert listed(narrow, decided("192.0.2.0/31"), origins=("automatic",)) == ["192.0.2.0/31"]


def test_lists_are_of_a_severity_at_least_and_of_what_persons_decided() -> None:
    decisions = [
        found("192.0.2.1", severity="medium"),
        found("192.0.2.2", severity="high"),
        found("192.0.2.3", severity="critical"),
        found("192.0.2.4"),
        decided("192.0.2.5", origin="manual"),
    ]
    assert listed(*decisions, severity="high") == ["192.0.2.2", "192.0.2.3", "192.0.2.5"]
    assert len(listed(*decisions)) == 5


def test_lists_are_of_certain_findings_and_of_what_persons_decided() -> None:
    decisions = [
        found("192.0.2.1", detector="auth_dictionary"),
        found("192.0.2.2", detector="directory_harvest"),
        decided("192.0.2.3", origin="manual"),
    ]
    chosen = {"detectors": ("directory_harvest",)}
    assert listed(*decisions, **chosen) == ["192.0.2.2", "192.0.2.3"]
    assert listed(*decisions, **chosen, origins=("automatic",)) == ["192.0.2.2"]


def test_lists_are_for_one_domain_or_for_all() -> None:
    decisions = [
        decided("192.0.2.1", domain="example.org"),
        decided("192.0.2.2", domain="example.net"),
        decided("192.0.2.3"),
    ]
    assert listed(*decisions) == ["192.0.2.3"]
    assert listed(*decisions, domain="example.org") == ["192.0.2.1", "192.0.2.3"]


@pytest.mark.parametrize("kind", ["account", "address", "domain"])
def test_lists_are_of_other_things_than_networks(kind: Any) -> None:
    decisions = [
        pardoned("c", kind=kind),
        decided("c", kind=kind),
        decided("b", "reject", kind=kind),
        decided("b", kind=kind),
        decided("a", kind=kind),
        decided("d", kind=kind, domain="example.org"),
        decided("e", "lock", kind=kind),
        decided("192.0.2.1"),
    ]
    assert listed(*decisions, kind=kind) == ["a", "b"]
    assert listed(*decisions, kind=kind, domain="example.org") == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("decision", "chosen", "expected"),
    [
        (decided(), {}, True),
        (decided(), {"kind": "account"}, False),
        (decided(action="tarpit"), {}, False),
        (pardoned("192.0.2.1"), {"actions": ("observe",)}, False),
        (decided(origin="manual"), {"origins": ("automatic",)}, False),
    ],
)
def test_which_decisions_a_list_is_about(
    decision: Decision, chosen: dict[str, Any], expected: bool
) -> None:
    assert passes(decision, ListSettings(**chosen)) is expected
