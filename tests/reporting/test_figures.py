"""What is counted, and what is counted apart."""

from typing import Any

import pytest

from agents.reporting.figures import TOP, Account, Acted, Count, Facts, Kind, Report, Times, figures
from schemas.audit import MACHINE, Audit, What
from schemas.findings import DAY, Alert, Decision, Severity, Subject, Target

NOW = 1_700_000_000.0
SINCE = NOW - 7 * DAY


def alert(name: str, ago: float = 3600.0, severity: Severity = "high", **more: Any) -> Alert:
    """Told a minute after its first event."""
    first = NOW - ago
    fields: dict[str, Any] = {
        "detector": "auth_dictionary",
        "shape": "dictionary",
        "subject": Subject("client", "192.0.2.1"),
        "summary": "tried 12 accounts",
        "clients": ["192.0.2.1"],
        "first": first,
        "last": first + 60,
        "at": first + 60,
    }
    return Alert(id=name, severity=severity, **(fields | more))


def decision(value: str, **more: Any) -> Decision:
    fields: dict[str, Any] = {"action": "drop", "since": NOW - 60, "until": NOW + 3600}
    return Decision(id=f"network:{value}", target=Target("network", value), **(fields | more))


def changed(what: What, name: str, ago: float = 60.0, **more: Any) -> Audit:
    return Audit(at=NOW - ago, what=what, by=MACHINE, reason="", decision=name, **more)


def report(*alerts: Alert, **more: Any) -> Report:
    given: dict[str, Any] = {"source": "a test", "since": SINCE, "until": NOW}
    return figures(Facts(alerts=alerts, **(given | more)))


def test_only_what_accuses_and_stands_is_an_attack() -> None:
    found = report(
        alert("a"),
        alert("b", severity="low"),
        alert("c", severity="info"),
        alert("d", state="withdrawn"),
        alert("e", stage="observe"),
        alert("f", ago=8 * DAY),
    )
    assert (found.findings, found.severe, found.notes, found.withdrawn, found.on_trial) == (
        2,
        1,
        1,
        1,
        1,
    )
    assert found.severities == [
        Count("critical", 0),
        Count("high", 1),
        Count("medium", 0),
        Count("low", 1),
    ]
    assert found.detectors == [Kind("auth_dictionary", 2, "high", 1, 60.0)]


def test_what_takes_part_in_one_incident_is_one() -> None:
    found = report(alert("a", incident="x"), alert("b", incident="x"), alert("c"))
    assert (found.findings, found.incidents) == (3, 2)


def test_every_day_is_there_and_what_began_earlier_counts_on_the_first() -> None:
    old = alert("a", ago=9 * DAY, last=NOW)
    found = report(old, alert("b"), alert("c", severity="low"))
    assert len(found.days) == 8
    assert found.days[0].severities == {"high": 1}
    assert found.days[-1].severities == {"high": 1, "low": 1}
    assert sum(len(day.severities) for day in found.days) == 3


def test_a_decision_counts_once_however_often_it_is_renewed() -> None:
    audit = [
        changed("decided", "n:1", action="drop", enforced=True),
        changed("decided", "n:1", action="drop", enforced=True),
        changed("decided", "n:2", action="drop"),
        changed("decided", "n:3", action="lock"),
        changed("approved", "n:3", action="lock", enforced=True),
        changed("added", "n:4", action="reject", enforced=True),
        changed("pardoned", "n:1", action="drop"),
        changed("decided", "n:9", ago=8 * DAY, action="drop", enforced=True),
    ]
    found = report(audit=audit)
    assert found.decisions == [Acted("lock", 1, 0), Acted("drop", 1, 1), Acted("reject", 1, 0)]
    assert found.by_persons == [Count("added", 1), Count("pardoned", 1), Count("approved", 1)]


def test_what_is_in_force_leaves_pardons_out() -> None:
    found = report(
        in_force=[
            decision("192.0.2.1/32", enforced=True),
            decision("192.0.2.2/32"),
            decision("192.0.2.3/32", origin="pardon", enforced=True),
            decision("192.0.2.4/32", action="notify", enforced=True),
        ]
    )
    assert (found.in_force, found.in_force_observed) == (1, 1)


def test_time_to_detect_is_from_the_first_event_to_the_first_telling() -> None:
    revised = {"revision": 3, "at": NOW}
    audit = [
        changed("decided", "n:1", 3500.0, alert="b"),
        changed("decided", "n:1", 100.0, alert="b"),
    ]
    found = report(
        alert("a"),  # 60 s, as its one revision says
        alert("b", **revised),  # 100 s, as its first decision says
        alert("c", **revised),  # 5 s, as who heard it says
        alert("d", **revised),  # nobody knows
        audit=audit,
        told={"c": NOW - 3595.0},
    )
    assert found.detection.known == 3
    assert found.detection.median == 60.0
    assert found.detection.nine_of_ten == pytest.approx(92.0)


def test_an_incident_is_told_with_its_first_finding() -> None:
    campaign = [alert(f"c{n}", ago=3600 - n, incident="c0") for n in range(50)]
    assert report(*campaign).detection == Times(1, 60.0, 60.0)
    assert report().detection == Times(0)


def test_networks_are_counted_once_a_finding() -> None:
    found = report(
        alert("a", clients=["192.0.2.1", "192.0.2.2", "2001:db8:1:2::/64"]),
        alert("b", clients=["192.0.2.9", "no address"]),
    )
    assert found.networks == [Count("192.0.2.0/24", 2), Count("2001:db8:1::/48", 1)]


def test_systems_and_countries_are_told_by_clients() -> None:
    found = report(
        alert("a", origins=["AS64496 Example, Net, NL (3)", "AS64497 Other"]),
        alert("b", origins=["AS64496 Example, Net, NL", "DE (2)"]),
    )
    assert found.systems == [Count("AS64496 Example, Net", 4), Count("AS64497 Other", 1)]
    assert found.countries == [Count("NL", 4), Count("DE", 2)]


def test_accounts_are_told_by_what_became_of_them() -> None:
    anna = Subject("account", "anna@example.org")
    found = report(
        alert("a", subject=anna, detector="auth_breach", accounts=["other@example.org"]),
        alert("b", subject=anna, detector="account_burst", severity="critical"),
        alert("c", detector="account_cluster", accounts=["ben@example.org"]),
        alert("d", accounts=["carl@example.org", "anna@example.org"]),
        alert("e", accounts=["carl@example.org"], severity="low"),
    )
    assert [each.account for each in found.breached] == ["anna@example.org"]
    assert [each.account for each in found.hijacked] == ["anna@example.org", "ben@example.org"]
    assert found.attacked[0] == Account("carl@example.org", 2, "high", NOW - 3540)
    assert found.to_look_after == 2


def test_lists_are_short_and_the_count_is_whole() -> None:
    many = [
        alert(f"a{n}", subject=Subject("account", f"u{n}@example.org"), detector="auth_breach")
        for n in range(TOP + 5)
    ]
    found = report(*many)
    assert (len(found.breached), found.to_look_after) == (TOP, TOP + 5)


def test_a_replay_counts_what_it_would_have_decided() -> None:
    found = report(made=[decision("192.0.2.1/32"), decision("192.0.2.2/32")], replayed=True)
    assert found.decisions == [Acted("drop", 0, 2)]
