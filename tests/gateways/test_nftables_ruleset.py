from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.findings import ACTIONS, Decision
from streams import prefixes
from streams.gateways.nftables import ruleset
from tests.gateways.decided import decided, pardoned

NOW = 1000.0


def loaded(*decisions: Decision, now: float = NOW) -> dict[str, list[Any]]:
    """What is in each set: (value, seconds)."""
    found = {}
    for command in ruleset.elements("mailwarden", ruleset.content(decisions, now), now):
        element = command["add"]["element"]
        assert element["family"] == "inet"
        assert element["table"] == "mailwarden"
        found[element["name"]] = [(e["elem"]["val"], e["elem"]["timeout"]) for e in element["elem"]]
    return found


def network(address: str, length: int) -> dict[str, Any]:
    return {"prefix": {"addr": address, "len": length}}


def test_hosts_and_networks_lie_in_sets_of_their_own() -> None:
    decisions = [
        decided("192.0.2.1"),
        decided("198.51.100.0/24"),
        decided("2001:db8:1::/64", "reject"),
        decided("2001:db8:2::1"),
        decided("2001:db8:3::/48"),
    ]
    assert loaded(*decisions) == {
        "drop_host4": [("192.0.2.1", 1000)],
        "drop_net4": [(network("198.51.100.0", 24), 1000)],
        "reject_client6": [("2001:db8:1::", 1000)],
        "drop_net6": [("2001:db8:2::1", 1000), (network("2001:db8:3::", 48), 1000)],
    }


def test_what_is_left_of_a_lease_is_rounded_up_and_bounded() -> None:
    decisions = [
        decided("192.0.2.1", until=1000.2),
        decided("192.0.2.2", until=1000.0),
        decided("192.0.2.3", until=float("inf")),
    ]
    assert loaded(*decisions) == {"drop_host4": [("192.0.2.1", 1), ("192.0.2.3", 366 * 86400)]}


def test_a_pardon_is_a_hole() -> None:
    assert loaded(pardoned("192.0.2.1"), decided("192.0.2.0/30")) == {
        "drop_host4": [("192.0.2.0", 1000)],
        "drop_net4": [(network("192.0.2.2", 31), 1000)],
    }


def test_a_milder_decision_of_a_person_is_a_hole() -> None:
    milder = decided("192.0.2.0/25", "tarpit", origin="manual")
    assert loaded(milder, decided("192.0.2.0/24")) == {
        "drop_net4": [(network("192.0.2.128", 25), 1000)]
    }


def test_a_host_within_a_network_keeps_its_own_lease() -> None:
    inner = decided("192.0.2.1", "reject", origin="manual", until=5000.0)
    assert loaded(inner, decided("192.0.2.0/31")) == {
        "reject_host4": [("192.0.2.1", 4000)],
        "drop_host4": [("192.0.2.0", 1000)],
    }


def test_other_targets_are_passed_over() -> None:
    others = [
        decided("a@example.org", kind="account"),
        decided("192.0.2.1 alice", kind="client_account"),
        decided("192.0.2.1", domain="example.org"),
        decided("nonsense"),
    ]
    assert loaded(*others) == {}


def changed(before: list[Decision], after: list[Decision]) -> list[tuple[str, str, Any]] | None:
    """What is done to which set."""
    sets = [ruleset.content(decisions, NOW) for decisions in (before, after)]
    commands = ruleset.changes("mailwarden", *sets, NOW)
    return commands and [
        (verb, what["element"]["name"], what["element"]["elem"])
        for command in commands
        for verb, what in command.items()
    ]


def lease(value: str, seconds: int = 1000) -> dict[str, Any]:
    return {"elem": {"val": value, "timeout": seconds}}


def test_hosts_come_go_and_are_renewed() -> None:
    assert changed([decided("192.0.2.1")], [decided("192.0.2.1")]) == []
    assert changed([], [decided("192.0.2.1")]) == [("add", "drop_host4", [lease("192.0.2.1")])]
    assert changed([decided("192.0.2.1")], []) == [("delete", "drop_host4", ["192.0.2.1"])]
    assert changed([decided("192.0.2.1")], [decided("192.0.2.1", until=3000.0)]) == [
        ("delete", "drop_host4", ["192.0.2.1"]),
        ("add", "drop_host4", [lease("192.0.2.1", 2000)]),
    ]
    assert changed([decided("2001:db8:1::/64")], []) == [
        ("delete", "drop_client6", ["2001:db8:1::"])
    ]


def test_what_is_about_to_end_is_left_to_the_kernel() -> None:
    ending = decided("192.0.2.1", until=NOW + ruleset.MARGIN)
    assert changed([ending], []) == []
    assert changed([ending], [decided("192.0.2.1")]) is None  # is it still there?


def test_other_networks_are_loaded_whole() -> None:
    assert changed([], [decided("192.0.2.0/24")]) is None
    assert changed([decided("2001:db8::1")], []) is None
    same = decided("192.0.2.0/24")
    assert changed([same], [same, decided("198.51.100.1")]) is not None


def test_the_structure_is_made_and_emptied() -> None:
    commands = ruleset.structure("mailwarden", (25, 25, 587), ("input", "forward"))
    assert commands[0] == {"add": {"table": {"family": "inet", "name": "mailwarden"}}}
    flushed = [c["flush"] for c in commands if "flush" in c]
    assert len([f for f in flushed if "set" in f]) == 8
    chains = [f["chain"]["name"] for f in flushed if "chain" in f]
    assert chains == ["input", "forward"]
    assert not any("delete" in c for c in commands)
    rules = [c["add"]["rule"]["expr"] for c in commands if "rule" in c.get("add", ())]
    assert rules[1][0]["match"]["right"] == {"set": [25, 587]}


@given(
    st.lists(
        st.builds(
            decided,
            st.one_of(
                st.text(), st.ip_addresses().map(str), st.ip_addresses(v=4).map("{}/24".format)
            ),
            st.sampled_from(ACTIONS),
            origin=st.sampled_from(["automatic", "manual", "pardon"]),
            name=st.text(),
            until=st.floats(allow_nan=False),
        ),
        max_size=6,
    )
)
def test_whatever_is_decided_only_networks_and_seconds_are_written(
    decisions: list[Decision],
) -> None:
    for name, rows in loaded(*decisions).items():
        action, _, kind = name.partition("_")
        assert action in ("drop", "reject")
        for value, seconds in rows:
            assert 1 <= seconds <= 366 * 86400
            text = value if isinstance(value, str) else "{addr}/{len}".format(**value["prefix"])
            assert prefixes.write(prefixes.parse(text)) == text
            assert str(prefixes.parse(text)[0]) == kind[-1]
