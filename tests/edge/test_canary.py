"""New decisions are tried by some before all enforce them."""

import msgspec
import pytest

from agents.edge import snapshot
from agents.edge.canary import Canary, _touch
from schemas.findings import Target
from schemas.settings import ResponseSettings
from tests.edge.conftest import NOW, Site, decision, publish

FIRST = ResponseSettings(canary_gateways=("edge1",), canary_seconds=300.0)


def test_the_share_of_the_gateways_that_are_first_is_about_that() -> None:
    settings = ResponseSettings(canary=0.25)
    first = sum(Canary(settings, f"mx{number}").first for number in range(1000))
    assert 200 < first < 300
    assert all(Canary(ResponseSettings(canary=1.0), f"mx{n}").first for n in range(50))
    assert not any(Canary(ResponseSettings(), f"mx{n}").first for n in range(50))


def test_named_gateways_are_first_whatever_the_share_says() -> None:
    settings = msgspec.structs.replace(FIRST, canary=1.0)
    assert Canary(settings, "edge1").first
    assert not Canary(settings, "edge2").first


def test_the_others_follow_after_a_time(site: Site) -> None:
    publish(site.bus, decision())
    _, first = site.edge("edge1", FIRST)
    other, table = site.edge("edge2", FIRST)
    site.until(lambda: first.told and site.reports("edge2"))
    assert first.told == [{"198.51.100.7/32"}]
    assert other.ruling("198.51.100.7") == msgspec.structs.replace(decision(), enforced=False)
    assert table.told == [set()]
    assert [state.canary for state in (site.reports()[-1], site.reports("edge2")[-1])] == [
        True,
        False,
    ]
    site.clock.now = NOW + 300
    site.until(lambda: {"198.51.100.7/32"} in table.told)
    assert other.ruling("198.51.100.7") == decision()


def test_without_canaries_nobody_waits(site: Site) -> None:
    publish(site.bus, decision())
    _, table = site.edge("edge2")
    site.until(lambda: table.told)
    assert table.told == [{"198.51.100.7/32"}]


def test_a_decision_that_is_taken_back_is_never_enforced_by_the_others(site: Site) -> None:
    publish(site.bus, decision(), decision("198.51.100.8/32"))
    _, table = site.edge("edge2", FIRST)
    site.until(lambda: table.told)
    site.bus.publish("mail.decisions", decision().id.encode(), None)
    site.until(lambda: any(state.decisions == 1 for state in site.reports("edge2")))
    site.clock.now = NOW + 301
    site.until(lambda: {"198.51.100.8/32"} in table.told)
    assert not any("198.51.100.7/32" in told for told in table.told)


@pytest.mark.parametrize("when", ["while it waits", "before a restart"])
def test_a_network_that_hit_somebody_innocent_is_not_enforced_by_the_others(
    site: Site, when: str
) -> None:
    wide = decision("198.51.100.0/24")
    pardon = decision(
        "198.51.100.9/32", origin="pardon", action="observe", since=NOW + 10, until=NOW + 9000
    )
    other = decision("203.0.114.0/24")
    publish(site.bus, wide, other)
    if when == "before a restart":
        publish(site.bus, pardon)
        site.clock.now = NOW + 301
        edge, table = site.edge("edge2", FIRST)
    else:
        edge, table = site.edge("edge2", FIRST)
        site.until(lambda: table.told)
        site.clock.now = NOW + 10
        publish(site.bus, pardon)
        site.until(lambda: any(state.decisions == 3 for state in site.reports("edge2")))
        site.clock.now = NOW + 301
    site.until(lambda: any("203.0.114.0/24" in told for told in table.told))
    assert not any("198.51.100.0/24" in told for told in table.told)
    ruling = edge.ruling("198.51.100.77")
    assert ruling is not None
    assert not ruling.enforced
    site.clock.now = NOW + 601
    site.until(lambda: edge.ruling("198.51.100.77") is None)


def test_an_old_pardon_speaks_against_nothing_new() -> None:
    canary = Canary(FIRST, "edge2")
    old = decision(origin="pardon", action="observe", since=NOW - 1)
    assert canary.review([old, decision()]) == []
    assert Canary(FIRST, "edge1").review([old, decision()]) == []


def test_a_longer_lease_of_what_is_enforced_waits_for_nobody(site: Site) -> None:
    site.clock.now = NOW + 300
    publish(site.bus, decision())
    edge, table = site.edge("edge2", FIRST)
    site.until(lambda: table.told)
    longer = decision(since=NOW + 300, until=NOW + 9000, generation=2)
    publish(site.bus, longer)
    site.until(lambda: any(state.generation == 2 for state in site.reports("edge2")))
    assert edge.ruling("198.51.100.7") == longer


def test_what_persons_decide_or_approve_waits_for_nobody() -> None:
    canary = Canary(FIRST, "edge2")
    for one in (
        decision(origin="manual"),
        decision(needs=2, approvals=("alice", "bob")),
        decision(enforced=False),
    ):
        assert canary.here(one, None, NOW) == one
    assert not canary.here(decision(), None, NOW).enforced


def test_a_restart_goes_on_waiting(site: Site) -> None:
    publish(site.bus, decision())
    edge, table = site.edge("edge2", FIRST)
    site.until(lambda: table.told and (site.folder / "edge2" / "decisions.snapshot").exists())
    site.stop(edge)
    kept = snapshot.read(site.folder / "edge2" / "decisions.snapshot")
    assert [one.enforced for one in kept.decisions()] == [True]
    edge, table = site.edge("edge2", FIRST)
    site.until(lambda: table.told)
    assert table.told == [set()]
    site.clock.now = NOW + 300
    site.until(lambda: {"198.51.100.7/32"} in table.told)


def test_a_reload_goes_on_waiting(site: Site) -> None:
    publish(site.bus, decision())
    edge, table = site.edge("edge2", FIRST)
    site.until(lambda: table.told)
    edge.reload(site.config("edge2", table, FIRST))
    assert not edge.ruling("198.51.100.7").enforced  # type: ignore[union-attr]
    site.clock.now = NOW + 300
    site.until(lambda: {"198.51.100.7/32"} in table.told)


@pytest.mark.parametrize(
    ("one", "other", "touch"),
    [
        ("network:192.0.2.0/24", "network:192.0.2.9", True),
        ("network:192.0.2.9", "network:192.0.2.0/24", True),
        ("network:192.0.2.9", "network:192.0.2.8", False),
        ("network:2001:db8::/64", "network:192.0.2.8", False),
        ("network:192.0.2.9", "client_account:192.0.2.9 alice", True),
        ("client_account:192.0.2.9 alice", "client_account:192.0.2.9 alice", True),
        ("client_account:192.0.2.9 alice", "client_account:192.0.2.9 bob", False),
        ("account:alice", "client_account:192.0.2.9 alice", True),
        ("account:alice", "client_account:192.0.2.9 bob", False),
        ("account:alice", "account:alice", True),
        ("account:alice", "account:bob", False),
        ("account:alice", "address:alice", False),
        ("domain:example.net", "network:192.0.2.9", False),
    ],
)
def test_who_is_hit_by_two_decisions(one: str, other: str, touch: bool) -> None:
    def target(text: str) -> Target:
        kind, _, value = text.partition(":")
        return Target(kind, value)  # type: ignore[arg-type]

    assert _touch(target(one), target(other)) is touch
