"""One suite for the ledger of one server and the ledger of Kafka."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from agents.operator.ledger import (
    ALERTS,
    AUDIT,
    DECISIONS,
    FACTS,
    GATEWAYS,
    INCIDENTS,
    SWITCHES,
    BusLedger,
    Ledger,
)
from agents.operator.orders import pardon
from agents.single.store import Changes, Store
from schemas import wire
from schemas.audit import Audit, entry
from schemas.events import Signal
from schemas.findings import Alert, Decision, Subject, Target
from schemas.gateways import GatewayState, Switch
from schemas.incidents import Case
from schemas.keys import partition
from schemas.settings import KafkaSettings
from schemas.topics import BY_NAME
from streams.bus import Bus, BusError
from streams.kafka_bus import KafkaBus
from streams.memory_bus import MemoryBus
from streams.signing import Keys

TOPICS = (ALERTS, DECISIONS, AUDIT, GATEWAYS, INCIDENTS, SWITCHES)

Tell = Callable[[Alert], None]


def alert(name: str, last: float, revision: int = 1) -> Alert:
    return Alert(
        id=name,
        detector="auth_dictionary",
        shape="dictionary",
        severity="high",
        subject=Subject("client", "192.0.2.1"),
        first=last,
        last=last,
        at=last,
        summary=f"revision {revision}",
        revision=revision,
    )


def decided(value: str, until: float = 100.0, **more: object) -> Decision:
    return Decision(
        id=f"network:{value}:drop",
        target=Target("network", value),
        action="drop",
        until=until,
        **more,  # type: ignore[arg-type]
    )


def said(decision: Decision, at: float = 1.0) -> Audit:
    return entry("added", decision, at=at, by="alice", reason="why", host="h")


def made(bus: MemoryBus) -> MemoryBus:
    for name in TOPICS:
        bus.create(BY_NAME[name], 3, 1)
    return bus


def on_bus(bus: Bus) -> tuple[Ledger, Tell]:
    def tell(told: Alert) -> None:
        bus.publish(ALERTS, told.id.encode(), wire.encode(told))
        bus.flush(10)

    return BusLedger(bus), tell


@pytest.fixture(params=["store", "memory", pytest.param("kafka", marks=pytest.mark.broker)])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Ledger, Tell]]:
    if request.param == "store":
        with Store(tmp_path / "mailwarden.db") as store:
            yield store, lambda told: store.commit(Changes(alerts=[told]), told.last)
    elif request.param == "memory":
        yield on_bus(made(MemoryBus()))
    else:
        broker = request.getfixturevalue("broker")
        bus = KafkaBus(KafkaSettings(bootstrap=(broker.bootstrap,), prefix=f"{tmp_path.name}."))
        for name in TOPICS:
            bus.create(BY_NAME[name], 3, 1)
        yield on_bus(bus)
        bus.close()


def test_what_people_ask_and_say(kept: tuple[Ledger, Tell]) -> None:
    ledger, tell = kept
    assert ledger.alerts() == []
    assert ledger.alert("a1") is None
    assert ledger.decisions(0.0) == []
    for told in (alert("a1", 10.0), alert("a2", 20.0), alert("a1", 30.0, 2), alert("a3", 5.0)):
        tell(told)
    assert [(a.id, a.revision) for a in ledger.alerts()] == [("a1", 2), ("a2", 1), ("a3", 1)]
    assert [a.id for a in ledger.alerts(limit=1)] == ["a1"]
    assert [a.id for a in ledger.alerts(since=20.0)] == ["a1", "a2"]
    found = ledger.alert("a1")
    assert found is not None
    assert found.summary == "revision 2"

    first, second = decided("192.0.2.2"), decided("192.0.2.1", until=50.0)
    for decision in (first, second):
        ledger.put_decision(decision, said(decision))
    assert ledger.decisions(49.0) == [second, first]
    assert ledger.decisions(50.0) == [first]
    again = decided("192.0.2.2", until=200.0, generation=2)
    ledger.put_decision(again, said(again))
    assert ledger.decisions(60.0) == [again]
    assert ledger.remove_decision(again.id, said(again))
    never = decided("192.0.2.9")
    assert not ledger.remove_decision(never.id, said(never))
    assert ledger.decisions(60.0) == []
    ledger.note(said(again, at=3.0))
    assert [one.at for one in ledger.audit()] == [3.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert len(ledger.audit(limit=2)) == 2
    assert [one.at for one in ledger.audit(since=2.0)] == [3.0]
    assert ledger.gateways() == []


def test_what_people_make_of_incidents(kept: tuple[Ledger, Tell]) -> None:
    ledger, tell = kept
    assert ledger.cases() == []
    entry = Audit(at=5.0, what="assigned", by="alice", reason="dora", target="incident:a1")
    changed = ledger.change_case("a1", lambda case: replace(case, assignee="dora"), entry)
    assert changed == Case(id="a1", assignee="dora")
    ledger.change_case("b1", lambda case: replace(case, at=1.0), entry)
    ledger.change_case("a1", lambda case: replace(case, state="acknowledged"), entry)
    assert ledger.cases() == [
        Case(id="a1", assignee="dora", state="acknowledged"),
        Case(id="b1", at=1.0),
    ]
    assert ledger.audit() == [entry] * 3
    first = alert("a1", 10.0)
    tell(first)
    tell(replace(alert("a1", 30.0, 2), severity="critical"))
    known = [(turn.revision, turn.at, turn.severity) for turn in ledger.turns()]
    assert known == [(1, 10.0, "high"), (2, 30.0, "critical")]


def state(name: str, at: float) -> GatewayState:
    return GatewayState(gateway=name, at=at, complete=True, decisions=0, enforced=0)


def test_the_newest_word_of_each_gateway_and_of_the_switch() -> None:
    bus = made(MemoryBus())
    ledger = BusLedger(bus)
    bus.publish(GATEWAYS, b"x", b"nonsense")
    for one in (state("mx2", 1.0), state("mx1", 1.0), state("mx2", 2.0)):
        bus.publish(GATEWAYS, one.gateway.encode(), wire.encode(one))
    listener = ledger.listen()
    assert listener.states() == [state("mx1", 1.0), state("mx2", 2.0)]
    assert listener.switch is None
    ledger.forget_gateway("mx1")
    assert listener.states() == [state("mx2", 2.0)] == ledger.gateways()
    pulled = Switch(id="s", pulled=True, at=1.0, by="alice")
    ledger.set_switch(pulled, Audit(at=1.0, what="panic", by="alice", reason="out"))
    bus.publish(SWITCHES, b"panic", b"nonsense")
    listener.states()
    assert listener.switch == pulled == ledger.listen().switch


def test_what_is_said_is_signed_where_there_are_keys() -> None:
    bus, keys = made(MemoryBus()), Keys([b"k" * 32])
    ledger = BusLedger(bus, keys=keys)
    one = decided("192.0.2.2", since=90.0)
    ledger.put_decision(one, said(one, at=50.0))
    ledger.remove_decision(one.id, said(one, at=50.0))
    found = bus.subscribe([DECISIONS], None).poll(1)
    times = [keys.verify(DECISIONS, m.key, m.value, m.headers) for m in found]
    assert times == [50.0, 90.0]  # a deletion is never older than what it deletes


def test_gateways_that_are_never_read_whole_are_an_error() -> None:
    endless = made(Endless())
    with pytest.raises(BusError, match=r"mail\.gateways was not read within"):
        BusLedger(endless, patience=0.05).gateways()


def test_what_cannot_be_read_is_passed_over() -> None:
    bus = made(MemoryBus())
    ledger, tell = on_bus(bus)
    for topic in (ALERTS, DECISIONS, INCIDENTS):
        bus.publish(topic, b"x", b"\xff nonsense")
        bus.publish(topic, b"\xff", None)
    tell(alert("a1", 1.0))
    ledger.put_decision(decided("192.0.2.1"), said(decided("192.0.2.1")))
    assert [a.id for a in ledger.alerts()] == ["a1"]
    assert ledger.decisions(0.0) == [decided("192.0.2.1")]
    assert ledger.cases() == []
    assert [turn.alert for turn in ledger.turns()] == ["a1"]


def test_an_older_revision_that_comes_late_does_not_count() -> None:
    ledger, tell = on_bus(made(MemoryBus()))
    tell(alert("a1", 30.0, 2))
    tell(alert("a1", 10.0, 1))
    assert [a.revision for a in ledger.alerts()] == [2]


class Endless(MemoryBus):
    """A topic that is written faster than it is read."""

    def subscribe(self, topics, group):  # type: ignore[no-untyped-def]
        subscription = super().subscribe(topics, group)
        subscription.caught_up = lambda: False
        return subscription


def test_a_topic_without_end_is_given_up() -> None:
    with pytest.raises(BusError, match=r"mail\.alerts was not read within 0\.1 s"):
        BusLedger(made(Endless()), patience=0.1).alerts()


def test_the_watchers_of_an_account_that_is_pardoned_are_told() -> None:
    bus = made(MemoryBus())
    ledger, _ = on_bus(bus)
    spared = pardon(Target("account", "anna@example.org"), seconds=60, reason="hers", now=50.0)
    ledger.put_decision(spared, said(spared))  # there are no workers, whose topic this is
    bus.create(BY_NAME[FACTS], 3, 1)
    ledger.put_decision(spared, said(spared))
    other = pardon(Target("network", "192.0.2.1"), seconds=60, reason="", now=50.0)
    ledger.put_decision(other, said(other))
    subscription = bus.subscribe([FACTS], None)
    (message,) = subscription.poll(0.1)
    assert message.partition == partition("m:anna@example.org", 3)
    (word,) = wire.decode_events(message.value or b"")
    assert isinstance(word, Signal)
    assert (word.about, word.kind, word.at) == ("m:anna@example.org", "released", 50.0)
