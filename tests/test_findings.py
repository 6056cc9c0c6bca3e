"""What is concluded has one name in every run."""

from schemas.findings import (
    ACTIONS,
    SEVERITIES,
    Decision,
    Subject,
    Target,
    decision_id,
    finding_id,
)

NOON = 1767268800.0  # 2026-01-01T12:00:00Z
CLIENT = Subject("client", "192.0.2.7")


def test_an_id_follows_from_detector_subject_and_day() -> None:
    assert finding_id("auth_dictionary", CLIENT, NOON) == "bbe53ad3ef5e19c9"
    assert finding_id("auth_dictionary", CLIENT, NOON + 43199) == "bbe53ad3ef5e19c9"


def test_each_of_them_makes_another_id() -> None:
    ids = {
        finding_id("auth_dictionary", CLIENT, NOON),
        finding_id("auth_breach", CLIENT, NOON),
        finding_id("auth_dictionary", Subject("network", "192.0.2.7"), NOON),
        finding_id("auth_dictionary", Subject("client", "192.0.2.8"), NOON),
        finding_id("auth_dictionary", CLIENT, NOON + 43200),
    }
    assert len(ids) == 5


def test_a_decision_is_named_by_target_and_action() -> None:
    assert decision_id(Target("network", "192.0.2.7"), "drop") == "network:192.0.2.7:drop"


def test_actions_and_severities_are_ordered_from_mild_to_grave() -> None:
    assert ACTIONS.index("tarpit") < ACTIONS.index("reject") < ACTIONS.index("lock")
    assert SEVERITIES[0] == "info"
    assert SEVERITIES[-1] == "critical"


def test_a_decision_is_not_enforced_unless_somebody_says_so() -> None:
    made = Decision(id="x", target=Target("network", "192.0.2.7"), action="drop")
    assert (made.enforced, made.origin, made.generation) == (False, "automatic", 1)
