"""Gateways that do not enforce what is decided, as the SOC hears of them."""

from typing import Any

from agents.enforcing import NAME, Enforcing, Progress, best, nobody
from schemas.findings import Alert
from schemas.gateways import GatewayState

NOW = 1_800_000_000.0


def state(name: str = "mx1", at: float = NOW, generation: int = 5, **more: Any) -> GatewayState:
    fields: dict[str, Any] = {"complete": True, "decisions": 1, "enforced": 1} | more
    return GatewayState(gateway=name, at=at, generation=generation, **fields)


def shapes(alerts: list[Alert]) -> list[tuple[str, str, str, int]]:
    return [(one.subject.value, one.shape, one.state, one.revision) for one in alerts]


def watch(*states: GatewayState, now: float = NOW) -> Enforcing:
    enforcing = Enforcing(60.0)
    for one in states:
        enforcing.hear(one, now)
    return enforcing


def test_a_gateway_that_says_nothing_more_is_gone_until_it_speaks() -> None:
    enforcing = watch(state())
    assert enforcing.check(NOW + 60) == []
    [gone] = enforcing.check(NOW + 61)
    assert shapes([gone]) == [("mx1", "gone", "open", 1)]
    assert (gone.detector, gone.severity, gone.first) == (NAME, "high", NOW)
    assert gone.summary == (
        "mx1 has said nothing for 61 s: what is decided now may not be enforced there"
    )
    assert enforcing.ailing() == ["mx1: gone"]
    assert enforcing.check(NOW + 120) == []  # said once
    enforcing.hear(state(), NOW + 130)  # its old word, read again
    assert enforcing.check(NOW + 130) == []
    enforcing.hear(state(at=NOW + 139), NOW + 140)
    [back] = enforcing.check(NOW + 141)
    assert shapes([back]) == [("mx1", "gone", "withdrawn", 2)]
    assert back.id == gone.id
    assert back.summary == "mx1 is as it should be again, after 2 min"
    assert enforcing.ailing() == []


def test_nothing_is_said_twice_after_a_restart() -> None:
    enforcing = watch(state())
    [gone] = enforcing.check(NOW + 61)
    enforcing = Enforcing(60.0, enforcing.pack())
    enforcing.hear(state(), NOW + 100)
    assert enforcing.check(NOW + 100) == []
    enforcing.hear(state(at=NOW + 101), NOW + 101)
    assert [one.id for one in enforcing.check(NOW + 101)] == [gone.id]


def test_another_silence_is_another_alert() -> None:
    enforcing = watch(state())
    [first] = enforcing.check(NOW + 61)
    enforcing.hear(state(at=NOW + 90_000), NOW + 90_000)
    enforcing.check(NOW + 90_000)
    [second] = enforcing.check(NOW + 90_061)
    assert second.id != first.id
    assert second.revision == 1


def test_what_could_not_be_heard_is_our_silence() -> None:
    enforcing = watch(state())
    enforcing.deaf(NOW + 100)
    assert enforcing.check(NOW + 160) == []
    assert len(enforcing.check(NOW + 161)) == 1
    enforcing.deaf(NOW + 170)  # one that is gone stays so
    assert enforcing.check(NOW + 171) == []


def test_a_gateway_that_fails_for_long_is_told_with_its_reason() -> None:
    broken = {"postfix": "clients.cidr: Permission denied"}
    enforcing = watch(state(troubles=broken))
    for second in range(10, 61, 10):
        enforcing.hear(state(at=NOW + second, troubles=broken), NOW + second)
        assert enforcing.check(NOW + second) == []
    enforcing.hear(state(at=NOW + 61, troubles=broken), NOW + 61)
    [failing] = enforcing.check(NOW + 61)
    assert shapes([failing]) == [("mx1", "failing", "open", 1)]
    assert "postfix: clients.cidr: Permission denied" in failing.summary
    enforcing.hear(state(at=NOW + 62), NOW + 62)
    assert shapes(enforcing.check(NOW + 62)) == [("mx1", "failing", "withdrawn", 2)]


def test_a_trouble_that_passes_is_no_alert() -> None:
    enforcing = watch(state(complete=False))
    enforcing.hear(state(at=NOW + 30), NOW + 30)
    enforcing.hear(state(at=NOW + 59, complete=False), NOW + 59)
    assert enforcing.check(NOW + 70) == []


def test_a_gateway_that_has_not_applied_what_others_had_is_behind() -> None:
    enforcing = watch(state("mx1", generation=5), state("mx2", generation=9))
    [behind] = enforcing.check(NOW + 1, expected=9)
    assert shapes([behind]) == [("mx1", "behind", "open", 1)]
    assert "has not applied 4 messages that others had applied" in behind.summary
    # Then it falls silent as well: the same alert, with what is worse.
    [gone, other] = enforcing.check(NOW + 61, expected=9)
    assert shapes([gone, other]) == [("mx1", "gone", "open", 2), ("mx2", "gone", "open", 1)]
    assert gone.id == behind.id


def test_a_gateway_that_is_no_more_is_forgotten() -> None:
    enforcing = watch(state("mx1"), state("mx2"))
    enforcing.check(NOW + 61)
    assert shapes(enforcing.forget("mx1", NOW + 70)) == [("mx1", "gone", "withdrawn", 2)]
    assert enforcing.names() == ["mx2"]
    assert enforcing.forget("unknown", NOW + 70) == []
    assert watch(state()).forget("mx1", NOW) == []


def test_nobody_is_watched_where_nobody_is_known() -> None:
    assert not nobody(watch(state()).pack())
    assert watch(state())


def test_progress_is_what_the_best_had_applied_so_long_ago() -> None:
    progress = Progress(60.0)
    assert progress.expected(NOW) == 0
    for second in range(121):
        progress.note(second, NOW + second)
    assert progress.expected(NOW + 59) == 0
    expected = progress.expected(NOW + 120)
    assert 55 <= expected <= 60
    assert len(progress._past) < 20
    assert best([state(generation=3), state(generation=7)]) == 7
    assert best([]) == 0
