import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.findings import ACTIONS, Action, Decision, Target, decision_id
from schemas.net import Networks
from streams.blocklist import Blocklist


def decided(
    value: str = "192.0.2.1",
    action: Action = "drop",
    *,
    kind: str = "network",
    until: float = 1000.0,
    origin: str = "automatic",
    **more: object,
) -> Decision:
    target = Target(kind, value)  # type: ignore[arg-type]
    name = decision_id(target, action) + ("" if origin == "automatic" else f":{origin}")
    settings: dict[str, object] = {"id": name, "since": 0.0, "enforced": True} | more
    return Decision(target=target, action=action, until=until, origin=origin, **settings)  # type: ignore[arg-type]


def holding(*decisions: Decision, **settings: object) -> Blocklist:
    blocklist = Blocklist(**settings)  # type: ignore[arg-type]
    for decision in decisions:
        assert blocklist.put(decision), decision
    return blocklist


def test_what_was_put_is_in_force_until_its_lease_ends() -> None:
    decision = decided(until=1000.0)
    blocklist = holding(decision)
    assert blocklist.in_force(999.0) == [decision]
    assert blocklist.in_force(1000.0) == []
    assert blocklist.lookup(999.0, "192.0.2.1") == decision
    assert blocklist.lookup(1000.0, "192.0.2.1") is None


def test_leases_that_have_ended_are_taken_out_once() -> None:
    first, second = decided("192.0.2.1", until=10.0), decided("192.0.2.2", until=20.0)
    blocklist = holding(first, second)
    assert blocklist.next_expiry() == 10.0
    assert blocklist.expire(9.9) == []
    assert blocklist.expire(10.0) == [first]
    assert blocklist.expire(10.0) == []
    assert blocklist.next_expiry() == 20.0
    assert blocklist.expire(99.0) == [second]
    assert blocklist.next_expiry() == math.inf
    assert len(blocklist) == 0


def test_a_renewed_lease_does_not_end_with_the_old_one() -> None:
    blocklist = holding(decided(until=10.0), decided(until=20.0, generation=2))
    assert blocklist.next_expiry() == 20.0
    assert blocklist.expire(15.0) == []
    assert len(blocklist) == 1


def test_a_lower_generation_does_not_replace_a_higher_one() -> None:
    newer = decided(until=20.0, generation=2)
    blocklist = holding(newer)
    assert not blocklist.put(decided(until=90.0, generation=1))
    assert list(blocklist) == [newer]


def test_of_one_generation_the_later_counts() -> None:
    later = decided(until=20.0, since=5.0)
    blocklist = holding(later)
    assert not blocklist.put(decided(until=90.0, since=4.0))
    assert blocklist.put(decided(until=30.0, since=5.0))
    assert blocklist.next_expiry() == 30.0


def test_two_decisions_about_one_network_come_and_go_apart() -> None:
    drop, manual = decided(until=10.0), decided(origin="manual", until=20.0)
    blocklist = holding(drop, manual, decided("192.0.2.2"))
    assert blocklist.remove(manual.id)
    assert blocklist.lookup(1.0, "192.0.2.1") == drop
    assert blocklist.remove(drop.id)
    assert blocklist.lookup(1.0, "192.0.2.1") is None
    assert blocklist.lookup(1.0, "192.0.2.2") is not None


def test_what_is_removed_is_gone() -> None:
    blocklist = holding(decided())
    assert blocklist.remove(decided().id)
    assert not blocklist.remove(decided().id)
    assert blocklist.in_force(1.0) == []
    assert blocklist.lookup(1.0, "192.0.2.1") is None


def test_renewals_without_end_do_not_grow_the_memory() -> None:
    blocklist = Blocklist()
    for generation in range(1, 10_000):
        blocklist.put(decided(until=1e6 + generation, generation=generation))
    assert len(blocklist._leases) < 1100
    assert blocklist.next_expiry() == 1e6 + 9999


def test_the_more_severe_of_two_actions_rules() -> None:
    mild, severe = decided(action="tarpit"), decided(action="drop")
    blocklist = holding(mild, severe)
    assert blocklist.in_force(1.0) == [severe]
    assert blocklist.lookup(1.0, "192.0.2.1") == severe


def test_the_milder_action_rules_again_when_the_severe_one_has_ended() -> None:
    mild, severe = decided(action="tarpit", until=50.0), decided(action="drop", until=10.0)
    assert holding(mild, severe).in_force(20.0) == [mild]


def test_a_network_covers_the_addresses_in_it() -> None:
    wide, narrow = decided("192.0.2.0/24"), decided("192.0.2.1")
    blocklist = holding(wide, narrow)
    assert blocklist.in_force(1.0) == [wide]
    assert blocklist.lookup(1.0, "192.0.2.1") == wide
    assert blocklist.lookup(1.0, "192.0.2.200") == wide
    assert blocklist.lookup(1.0, "192.0.3.1") is None


def test_an_address_may_be_treated_worse_than_its_network() -> None:
    wide, narrow = decided("192.0.2.0/24", "tarpit"), decided("192.0.2.1", "drop")
    blocklist = holding(wide, narrow)
    assert blocklist.in_force(1.0) == [narrow, wide]
    assert blocklist.lookup(1.0, "192.0.2.1") == narrow
    assert blocklist.lookup(1.0, "192.0.2.2") == wide


def test_a_pardon_spares_an_address_of_a_blocked_network() -> None:
    pardon = decided("192.0.2.7", "observe", origin="pardon")
    wide = decided("192.0.2.0/24")
    blocklist = holding(wide, pardon)
    assert blocklist.in_force(1.0) == [pardon, wide]
    assert blocklist.lookup(1.0, "192.0.2.7") is None
    assert blocklist.lookup(1.0, "192.0.2.8") == wide


def test_a_pardon_of_a_network_spares_all_that_the_machine_decided_in_it() -> None:
    pardon = decided("192.0.2.0/24", "observe", origin="pardon")
    blocklist = holding(decided("192.0.2.7"), pardon)
    assert blocklist.in_force(1.0) == [pardon]
    assert blocklist.lookup(1.0, "192.0.2.7") is None


def test_the_smaller_network_of_two_that_a_person_named_rules() -> None:
    pardon = decided("192.0.2.0/24", "observe", origin="pardon")
    manual = decided("192.0.2.7", "reject", origin="manual")
    blocklist = holding(pardon, manual)
    assert blocklist.in_force(1.0) == [manual, pardon]
    assert blocklist.lookup(1.0, "192.0.2.7") == manual


def test_the_newer_word_of_a_person_on_one_network_rules() -> None:
    pardon = decided(action="observe", origin="pardon", since=1.0)
    manual = decided(action="reject", origin="manual", since=2.0)
    assert holding(pardon, manual).lookup(3.0, "192.0.2.1") == manual


def test_a_person_outranks_a_more_severe_machine() -> None:
    manual, machine = decided(action="tarpit", origin="manual"), decided(action="drop")
    assert holding(machine, manual).in_force(1.0) == [manual]


def test_what_is_only_observed_does_not_hide_what_is_enforced() -> None:
    observed, enforced = decided("192.0.2.0/24", enforced=False), decided(action="tarpit")
    blocklist = holding(observed, enforced)
    assert blocklist.in_force(1.0) == [enforced, observed]
    assert blocklist.lookup(1.0, "192.0.2.1") == enforced


def test_a_decision_for_one_domain_does_not_hide_the_one_for_all() -> None:
    narrow, full = decided(domain="example.org", id="d"), decided(action="reject")
    assert holding(narrow, full).in_force(1.0) == [narrow, full]
    one = decided("a@example.org", "lock", kind="account", domain="example.org", id="d")
    two = decided("a@example.org", "hold", kind="account")
    assert holding(one, two).in_force(1.0) == [one, two]


def test_accounts_are_found_by_name() -> None:
    decision = decided("alice@example.org", "hold", kind="account")
    severe = decided("alice@example.org", "lock", kind="account")
    blocklist = holding(decision, severe)
    assert blocklist.lookup(1.0, account="alice@example.org") == severe
    assert blocklist.lookup(1.0, account="bob@example.org") is None
    assert blocklist.in_force(1.0) == [severe]


def test_three_decisions_about_one_login_come_and_go_apart() -> None:
    hold, lock, kick = (
        decided("alice@example.org", action, kind="account") for action in ("hold", "lock", "kick")
    )
    blocklist = holding(hold, kick, lock)
    for gone, ruling in ((lock, kick), (hold, kick), (kick, None)):
        assert blocklist.remove(gone.id)
        assert blocklist.lookup(1.0, account="alice@example.org") == ruling


@pytest.mark.parametrize(
    ("value", "address"),
    [("192.0.2.1 alice", "192.0.2.1"), ("2001:db8::/64 alice", "2001:db8::5")],
)
def test_a_client_and_account_are_found_together_only(value: str, address: str) -> None:
    decision = decided(value, "reject", kind="client_account")
    blocklist = holding(decision)
    assert blocklist.lookup(1.0, address, "alice") == decision
    assert blocklist.lookup(1.0, address, "bob") is None
    assert blocklist.lookup(1.0, address) is None


def test_an_ipv6_address_is_found_in_its_network() -> None:
    decision = decided("2001:db8:1::/64")
    blocklist = holding(decision, decided("192.0.2.1"))
    assert blocklist.lookup(1.0, "2001:db8:1::99") == decision
    assert blocklist.lookup(1.0, "2001:db8:2::99") is None


@pytest.mark.parametrize("origin", ["automatic", "manual"])
@pytest.mark.parametrize("value", ["203.0.113.5", "203.0.113.0/24", "203.0.113.4/30"])
def test_spared_networks_are_refused_whoever_asks(origin: str, value: str) -> None:
    blocklist = Blocklist(Networks(["203.0.113.5"]))
    assert not blocklist.put(decided(value, origin=origin))
    assert not blocklist.put(decided(f"{value} alice", kind="client_account", origin=origin))
    assert len(blocklist) == 0


def test_a_pardon_of_spared_networks_does_no_harm() -> None:
    blocklist = Blocklist(Networks(["203.0.113.5"]))
    assert blocklist.put(decided("203.0.113.0/24", "observe", origin="pardon"))


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("192.0.2.0/24", True),
        ("192.0.2.0/23", False),
        ("0.0.0.0/0", False),
        ("2001:db8::/48", True),
        ("2001:db8::/47", False),
    ],
)
def test_the_machine_may_not_decide_about_wide_networks(value: str, taken: bool) -> None:
    refusal = "" if taken else "wide"
    assert Blocklist().admit(decided(value)) == refusal
    both = decided(f"{value} alice", "reject", kind="client_account")
    assert Blocklist().admit(both) == refusal


@pytest.mark.parametrize("origin", ["manual", "pardon"])
@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        ("198.0.0.0/8", ""),
        ("198.0.0.0/7", "wide"),
        ("0.0.0.0/0", "wide"),
        ("2001:c000::/19", ""),
        ("2001:c000::/18", "wide"),
        ("::/0", "wide"),
    ],
)
def test_a_person_may_decide_about_wider_ones_but_not_about_everybody(
    value: str, refusal: str, origin: str
) -> None:
    assert Blocklist().admit(decided(value, origin=origin)) == refusal


@pytest.mark.parametrize(
    ("kind", "value"),
    [("network", "nonsense"), ("client_account", "192.0.2.1"), ("client_account", "x alice")],
)
def test_nonsense_is_refused(kind: str, value: str) -> None:
    assert Blocklist().admit(decided(value, kind=kind)) == "target"


@pytest.mark.parametrize("origin", ["automatic", "manual"])
@pytest.mark.parametrize(
    ("kind", "value", "refusal"),
    [
        ("domain", "example.org", "domain"),
        ("domain", "example.net", ""),
        ("address", "postmaster@example.org", "mailbox"),
        ("address", "abuse@example.org", "mailbox"),
        ("address", "abuse@example.net", ""),
        ("address", "alice@example.org", ""),
        ("account", "postmaster@example.org", ""),
    ],
)
def test_what_must_be_reachable_stays_so(kind: str, value: str, refusal: str, origin: str) -> None:
    blocklist = Blocklist(domains=frozenset({"example.org"}))
    assert blocklist.admit(decided(value, "reject", kind=kind, origin=origin)) == refusal


def test_a_decision_that_is_older_than_the_one_that_is_here_says_so() -> None:
    newer = decided(generation=2)
    blocklist = holding(newer)
    assert blocklist.admit(decided(generation=1)) == "older"
    assert blocklist.get(newer.id) == newer
    assert blocklist.get("unknown") is None


def test_a_full_list_takes_nothing_more_of_the_machine() -> None:
    blocklist = holding(decided("192.0.2.1"), decided("192.0.2.2"), limit=2)
    assert blocklist.admit(decided("192.0.2.3")) == "full"
    assert blocklist.put(decided("192.0.2.2", generation=2))  # it takes no more room
    assert {d.target.value for d in blocklist} == {"192.0.2.1", "192.0.2.2"}
    blocklist.expire(1000.0)
    assert blocklist.put(decided("192.0.2.3", until=2000.0))


def test_a_persons_word_finds_room_in_a_full_list() -> None:
    blocklist = Blocklist(limit=2)
    blocklist.put(decided("192.0.2.1", until=30.0))
    blocklist.put(decided("192.0.2.2", until=20.0))
    assert blocklist.put(decided("192.0.2.3", origin="manual"))
    assert blocklist.evicted == 1
    assert {d.target.value for d in blocklist} == {"192.0.2.1", "192.0.2.3"}
    assert blocklist.put(decided("192.0.2.4", "observe", origin="pardon"))
    assert blocklist.admit(decided("192.0.2.5", origin="manual")) == "full"


_networks = st.sampled_from(
    ["192.0.2.0/24", "192.0.2.0/25", "192.0.2.0/30", "192.0.2.1", "192.0.2.2", "192.0.2.128/25"]
)
_decisions = st.builds(
    decided,
    _networks,
    st.sampled_from(ACTIONS),
    origin=st.sampled_from(["automatic", "manual", "pardon"]),
    until=st.integers(1, 9).map(float),
    since=st.integers(0, 3).map(float),
    generation=st.integers(1, 3),
    enforced=st.booleans(),
)


@given(st.lists(_decisions, max_size=12), st.integers(0, 9))
def test_the_first_match_in_force_is_what_a_lookup_finds(
    decisions: list[Decision], now: int
) -> None:
    blocklist = Blocklist()
    for decision in decisions:
        blocklist.put(decision)
    in_force = blocklist.in_force(now)
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.77", "192.0.2.200"):
        first = next((d for d in in_force if address in Networks([d.target.value])), None)
        found = blocklist.lookup(now, address)
        assert found == (None if first is None or first.origin == "pardon" else first)


@given(st.lists(_decisions, max_size=12))
def test_the_order_of_arrival_changes_nothing(decisions: list[Decision]) -> None:
    unique = {(d.id, d.generation, d.since): d for d in decisions}
    forward, backward = Blocklist(), Blocklist()
    for decision in unique.values():
        forward.put(decision)
    for decision in reversed(list(unique.values())):
        backward.put(decision)
    assert forward.in_force(0.5) == backward.in_force(0.5)
