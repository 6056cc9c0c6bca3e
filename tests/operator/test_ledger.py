"""One suite for the ledger of one server and the ledger of Kafka."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.operator.ledger import ALERTS, DECISIONS, FACTS, BusLedger, Ledger
from agents.operator.orders import pardon
from agents.single.store import Changes, Store
from schemas import wire
from schemas.events import Signal
from schemas.findings import Alert, Decision, Subject, Target
from schemas.keys import partition
from schemas.settings import KafkaSettings
from schemas.topics import BY_NAME
from streams.bus import Bus, BusError
from streams.kafka_bus import KafkaBus
from streams.memory_bus import MemoryBus

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


def made(bus: MemoryBus) -> MemoryBus:
    for name in (ALERTS, DECISIONS):
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
        for name in (ALERTS, DECISIONS):
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
        ledger.put_decision(decision)
    assert ledger.decisions(49.0) == [second, first]
    assert ledger.decisions(50.0) == [first]
    again = decided("192.0.2.2", until=200.0, generation=2)
    ledger.put_decision(again)
    assert ledger.decisions(60.0) == [again]
    assert ledger.remove_decision(again.id)
    assert not ledger.remove_decision("network:192.0.2.9:drop")
    assert ledger.decisions(60.0) == []


def test_what_cannot_be_read_is_passed_over() -> None:
    bus = made(MemoryBus())
    ledger, tell = on_bus(bus)
    for topic in (ALERTS, DECISIONS):
        bus.publish(topic, b"x", b"\xff nonsense")
        bus.publish(topic, b"\xff", None)
    tell(alert("a1", 1.0))
    ledger.put_decision(decided("192.0.2.1"))
    assert [a.id for a in ledger.alerts()] == ["a1"]
    assert ledger.decisions(0.0) == [decided("192.0.2.1")]


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
    ledger.put_decision(spared)  # there are no workers, whose topic this is
    bus.create(BY_NAME[FACTS], 3, 1)
    ledger.put_decision(spared)
    ledger.put_decision(pardon(Target("network", "192.0.2.1"), seconds=60, reason="", now=50.0))
    subscription = bus.subscribe([FACTS], None)
    (message,) = subscription.poll(0.1)
    assert message.partition == partition("m:anna@example.org", 3)
    (word,) = wire.decode_events(message.value or b"")
    assert isinstance(word, Signal)
    assert (word.about, word.kind, word.at) == ("m:anna@example.org", "released", 50.0)
