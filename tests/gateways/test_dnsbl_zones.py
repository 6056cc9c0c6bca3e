import re
from collections.abc import Callable

import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from agents.detectors import DETECTORS
from schemas.findings import ACTIONS, Decision
from streams.gateways.dnsbl import rpz, zones
from tests.gateways.decided import decided, pardoned

TESTS = {
    zones.ip4: ["127.0.0.2 :127.0.0.2:test entry", "!127.0.0.1"],
    zones.ip6: ["::ffff:7f00:2 :127.0.0.2:test entry", "!::ffff:7f00:1"],
    zones.names: ["test :127.0.0.2:test entry", "!.invalid"],
}


def rows(zone: Callable[..., str], *decisions: Decision, reasons: bool = False) -> list[str]:
    found = zone(decisions, reasons=reasons).splitlines()
    assert found[:2] == TESTS[zone]
    return found[2:]


def found_by(detector: str, value: str = "192.0.2.1", **more: str) -> Decision:
    decision = decided(value, alert=more.get("alert", ""), reason=more.get("reason", ""), name="x")
    return structs.replace(decision, detector=detector)


def test_each_version_has_its_zone() -> None:
    decisions = [decided("192.0.2.1", name="x"), decided("2001:db8::/64", "reject", name="y")]
    assert rows(zones.ip4, *decisions) == ["192.0.2.1 :127.0.0.2:blocked [x]"]
    assert rows(zones.ip6, *decisions) == ["2001:db8::/64 :127.0.0.2:blocked [y]"]


@pytest.mark.parametrize(
    ("detector", "row"),
    [
        ("auth_dictionary", ":127.0.0.4:guessing passwords [x]"),
        ("directory_harvest", ":127.0.0.5:guessing addresses [x]"),
        ("backscatter_received", ":127.0.0.6:backscatter [x]"),
        ("account_burst", ":127.0.0.7:mail of an account in other hands [x]"),
        ("relay_probe", ":127.0.0.8:probing for open relays [x]"),
        ("protocol_abuse", ":127.0.0.9:abuse of the protocol [x]"),
        ("something_else", ":127.0.0.2:blocked [x]"),
        ("", ":127.0.0.2:blocked [x]"),
    ],
)
def test_the_answer_says_what_the_client_did(detector: str, row: str) -> None:
    assert rows(zones.ip4, found_by(detector)) == [f"192.0.2.1 {row}"]


def test_all_detectors_whose_answers_are_told_apart_are_there() -> None:
    assert set(zones.LISTED) <= set(DETECTORS)


def test_the_text_names_the_alert_and_only_where_wanted_all_that_was_found() -> None:
    decision = found_by("auth_breach", alert="a1b2", reason="it opened $x; alice@example.org")
    assert rows(zones.ip4, decision) == ["192.0.2.1 :127.0.0.4:guessing passwords [a1b2]"]
    assert rows(zones.ip4, decision, reasons=True) == [
        "192.0.2.1 :127.0.0.4:it opened _x_ alice@example.org [a1b2]"
    ]
    assert rows(zones.ip4, found_by("auth_breach"), reasons=True) == [
        "192.0.2.1 :127.0.0.4:guessing passwords [x]"
    ]


def test_pardons_and_milder_decisions_are_exclusions() -> None:
    decisions = [
        pardoned("192.0.2.7"),
        decided("192.0.2.8", "tarpit"),
        decided("192.0.2.0/24", name="x"),
        pardoned("sub.phish.example", kind="domain"),
        decided("phish.example", "reject", kind="domain", name="y"),
    ]
    assert rows(zones.ip4, *decisions) == [
        "!192.0.2.7",
        "!192.0.2.8",
        "192.0.2.0/24 :127.0.0.2:blocked [x]",
    ]
    assert rows(zones.names, *decisions) == [
        "!.sub.phish.example",
        ".phish.example :127.0.0.2:blocked [y]",
    ]


def test_nobody_changes_the_entries_that_test_a_list() -> None:
    decisions = [decided("127.0.0.1"), pardoned("127.0.0.2"), decided("127.0.0.0/8")]
    assert rows(zones.ip4, *decisions) == []
    domains = [decided(name, "reject", kind="domain") for name in ("test", "invalid")]
    assert rows(zones.names, *domains) == []


def test_a_zone_says_when_it_expires_and_how_long_answers_are_remembered() -> None:
    assert zones.head("ns.example.org", 60, 1_796_000_000.0).splitlines()[1:] == [
        "$TIMESTAMP - 2026-11-30-00-53-20",
        "$SOA 60 ns.example.org. hostmaster.ns.example.org. 0 60 60 86400 5",
        "$NS 60 ns.example.org.",
        "$TTL 60",
        ":127.0.0.2:blocked",
    ]
    assert "$TIMESTAMP" not in zones.head("ns.example.org.", 60, 0.0)


ANY = st.lists(
    st.builds(
        decided,
        st.one_of(st.text(), st.ip_addresses().map(str), st.from_regex(r"\A[a-z.]{1,20}\Z")),
        st.sampled_from(ACTIONS),
        kind=st.sampled_from(["network", "domain"]),
        name=st.text(),
        reason=st.text(max_size=300),
        origin=st.sampled_from(["automatic", "manual", "pardon"]),
    ),
    max_size=5,
)


@given(ANY)
def test_whatever_is_decided_each_row_is_one_key_one_answer_and_a_short_text(
    decisions: list[Decision],
) -> None:
    for zone in TESTS:
        for row in rows(zone, *decisions, reasons=True):
            found = re.fullmatch(r"!?[0-9a-z.:/_-]+( :127\.0\.0\.\d:([\x20-\x7e]+))?", row)
            assert found, row
            assert len(found[2] or "") <= 255
            assert not set(found[2] or "") & set('$\\"#;')


def test_a_policy_zone_hides_a_domain_and_all_names_in_it() -> None:
    decisions = [
        pardoned("good.phish.example", kind="domain"),
        decided("phish.example", "reject", kind="domain"),
        decided("mild.example", "stamp", kind="domain"),
        decided("192.0.2.1"),
        decided("a." * 120 + "example", "reject", kind="domain"),
    ]
    assert rpz.rows(decisions).splitlines() == [
        "good.phish.example CNAME rpz-passthru.",
        "*.good.phish.example CNAME rpz-passthru.",
        "phish.example CNAME .",
        "*.phish.example CNAME .",
    ]


@given(ANY)
def test_whatever_is_decided_the_policy_zone_can_be_read(decisions: list[Decision]) -> None:
    text = rpz.head("localhost", 60, 7, 3600) + rpz.rows(decisions)
    found = dns.zone.from_text(text, "rpz.example.org", relativize=False)
    soa = found.get_soa()
    assert (soa.serial, soa.expire) == (7, 3600)
