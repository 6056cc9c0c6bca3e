import ipaddress
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.findings import Action, Decision
from streams.blocklist import Blocklist
from streams.pieces import addresses, pieces
from streams.prefixes import parse, write
from tests.gateways.decided import decided, pardoned


def texts(*decisions: Decision, domain: str = "") -> list[str]:
    return sorted(write(prefix) for prefix, _ in pieces(decisions, domain))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1/32", "192.0.2.1"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.9/24", "192.0.2.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8::", "2001:db8::"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("2001:DB8:0::/64", "2001:db8::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
    ],
)
def test_a_network_is_written_canonically(value: str, text: str) -> None:
    assert texts(decided(value)) == [text]


@pytest.mark.parametrize(
    "decision",
    [
        decided("nonsense"),
        decided(""),
        decided("192.0.2.0/33"),
        decided("192.0.2.1 x"),
        decided("alice@example.org", "lock", kind="account"),
        decided("192.0.2.1 alice@example.org", "reject", kind="client_account"),
        decided("192.0.2.1", domain="example.org"),
    ],
)
def test_what_is_no_network_for_all_is_passed_over(decision: Decision) -> None:
    assert texts(decision, decided("198.51.100.1")) == ["198.51.100.1"]


def test_what_is_decided_for_one_domain_counts_there() -> None:
    decision = decided("192.0.2.1", domain="example.org")
    assert texts(decision, domain="example.org") == ["192.0.2.1"]
    assert texts(decision, domain="example.net") == []


def test_the_first_decision_about_a_network_rules_it() -> None:
    first, second = decided("192.0.2.1", "reject"), decided("192.0.2.1/32")
    assert list(pieces([first, second])) == [(parse("192.0.2.1"), first)]


def test_a_pardon_is_a_piece_of_its_own() -> None:
    pardon, wide = pardoned("192.0.2.1"), decided("192.0.2.0/30")
    given = [pardon, wide, decided("198.51.100.1")]
    found = {write(prefix): decision for prefix, decision in pieces(given)}
    assert found.pop("198.51.100.1")
    assert found == {"192.0.2.0": wide, "192.0.2.1": pardon, "192.0.2.2/31": wide}


def test_networks_are_spelled_as_their_addresses() -> None:
    assert list(addresses(parse("192.0.2.8/30"))) == [f"192.0.2.{n}" for n in (8, 9, 10, 11)]
    assert len(list(addresses(parse("192.0.2.0/24")))) == 256


lengths = st.integers(26, 32)
actions: st.SearchStrategy[Action] = st.sampled_from(["drop", "reject", "tarpit"])
sizes = st.sampled_from(["automatic", "manual", "pardon"])


@given(st.lists(st.tuples(st.integers(0, 63), lengths, actions, sizes), max_size=12))
def test_each_address_is_ruled_as_the_block_list_rules_it(
    rows: list[tuple[int, int, Action, str]],
) -> None:
    blocklist = Blocklist()
    for number, (last, length, action, origin) in enumerate(rows):
        value = str(ipaddress.ip_network((f"192.0.2.{last}", length), strict=False))
        blocklist.put(decided(value, action, origin=origin, name=f"{number}"))
    found = [
        (ipaddress.ip_network(write(prefix)), decision)
        for prefix, decision in pieces(blocklist.in_force(1000.0))
    ]
    assert not any(one.overlaps(other) for (one, _), (other, _) in combinations(found, 2))
    for last in range(64):
        address = f"192.0.2.{last}"
        ruling = [one for network, one in found if ipaddress.ip_address(address) in network]
        known = blocklist.lookup(1000.0, address)
        assert [one for one in ruling if one.origin != "pardon"] == ([known] if known else [])
