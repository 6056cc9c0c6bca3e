from typing import Any

import pytest

from schemas.findings import Decision
from streams.gateways.lapi import entries
from streams.gateways.lapi.entries import Entry, build
from tests.gateways.decided import decided, pardoned

TYPES: Any = {"drop": "ban", "reject": "ban", "lock": "ban"}


def told(*decisions: Decision, types: Any = TYPES, spelled: bool = False) -> list[tuple[str, ...]]:
    return sorted(build(decisions, types, spelled=spelled))


def test_an_address_is_an_ip_and_a_network_a_range() -> None:
    assert told(decided("192.0.2.1"), decided("198.51.100.0/24", "reject")) == [
        ("Ip", "192.0.2.1", "ban"),
        ("Range", "198.51.100.0/24", "ban"),
    ]
    assert told(decided("2001:db8::/64"), decided("2001:db8:1::1")) == [
        ("Ip", "2001:db8:1::1", "ban"),
        ("Range", "2001:db8::/64", "ban"),
    ]


def test_an_entry_ends_with_its_decision_and_names_what_it_was_for() -> None:
    decision = Decision(
        id="d",
        target=decided().target,
        action="drop",
        until=2000.5,
        enforced=True,
        detector="auth_dictionary",
    )
    entry = Entry("Ip", "192.0.2.1", "ban", 2000.5, "mailwarden/auth_dictionary")
    assert list(build([decision], TYPES).values()) == [entry]
    [manual] = build([decided(origin="manual")], TYPES).values()
    assert manual.scenario == "mailwarden/manual"


def test_an_id_follows_from_what_it_is_about_and_fits_into_a_double() -> None:
    def entry(value: str = "192.0.2.1", until: float = 1.0, kind: str = "ban") -> Entry:
        return Entry("Ip", value, kind, until, "mailwarden/x")

    assert entry().id == entry(until=9.0).id
    assert len({entry().id, entry("192.0.2.2").id, entry(kind="captcha").id}) == 3
    assert 0 < entry().id < 1 << 53


def test_only_actions_that_have_a_type_are_told() -> None:
    decisions = [decided("192.0.2.1", "tarpit"), decided("192.0.2.2", "greylist")]
    assert told(*decisions) == []
    assert told(*decisions, types={"tarpit": "throttle"}) == [("Ip", "192.0.2.1", "throttle")]


def test_a_pardon_is_never_told_and_is_cut_out_of_what_is() -> None:
    assert told(pardoned("192.0.2.1"), types={"observe": "ban"}) == []
    assert told(pardoned("192.0.2.1"), decided("192.0.2.0/30")) == [
        ("Ip", "192.0.2.0", "ban"),
        ("Range", "192.0.2.2/31", "ban"),
    ]


def test_a_milder_word_of_a_person_is_cut_out_too() -> None:
    mild = decided("192.0.2.0/31", "tarpit", origin="manual")
    assert told(mild, decided("192.0.2.0/30")) == [("Range", "192.0.2.2/31", "ban")]


def test_networks_can_be_told_as_their_addresses() -> None:
    found = told(pardoned("192.0.2.2"), decided("192.0.2.0/29"), decided("192.0.2.8"), spelled=True)
    assert found == [("Ip", f"192.0.2.{n}", "ban") for n in (0, 1, 3, 4, 5, 6, 7, 8)]


def test_what_cannot_be_spelled_stays_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "SPELLED", 5)
    assert told(
        decided("192.0.2.0/30"),
        decided("192.0.2.4/30"),
        decided("198.51.0.0/23"),
        decided("2001:db8::/126"),
        spelled=True,
    ) == [
        *(("Ip", f"192.0.2.{n}", "ban") for n in range(4)),
        ("Range", "192.0.2.4/30", "ban"),
        ("Range", "198.51.0.0/23", "ban"),
        ("Range", "2001:db8::/126", "ban"),
    ]


def test_a_login_is_a_username_if_a_script_can_be_called_with_it() -> None:
    logins = ("alice@example.org", "b.o-b+x", "-rf", "a b", "a'b", "", "a" * 161)
    found = told(*(decided(login, "lock", kind="account") for login in logins))
    assert found == [("username", "alice@example.org", "ban"), ("username", "b.o-b+x", "ban")]


@pytest.mark.parametrize(
    "decision",
    [
        decided("alice@example.org", "lock", kind="account", domain="example.org"),
        decided("alice@example.org", kind="address"),
        decided("example.org", kind="domain"),
        decided("192.0.2.1 alice@example.org", kind="client_account"),
    ],
)
def test_what_bouncers_have_no_word_for_is_not_told(decision: Decision) -> None:
    assert told(decision) == []


def test_there_is_an_end_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "MOST", 2)
    assert len(told(*(decided(f"192.0.2.{n}") for n in range(5)))) == 2
