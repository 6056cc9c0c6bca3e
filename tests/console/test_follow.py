"""The read model: what it takes from the store and from Kafka, and that it stays what they are."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.commands.topics import make
from agents.console.from_bus import FromBus
from agents.console.from_store import FromStore
from agents.console.shelf import Shelf, Wanted
from agents.console.source import Source
from agents.operator.ledger import BusLedger
from agents.single.store import Changes, Store, StoreError
from schemas import wire
from schemas.audit import Audit, entry
from schemas.findings import Alert, Decision
from schemas.incidents import Case
from schemas.settings import KafkaSettings
from streams.bus import Bus
from streams.memory_bus import MemoryBus
from streams.signing import Keys
from tests.console.harness import configured, open_to_all, serving_place
from tests.console.told import GUESSER, NOW, alert, client, decision, gateway
from tests.waiting import wait_for
from tools.kafka import Broker

KEYS = Keys([b"k" * 32])


def taken(source: Source, shelf: Shelf) -> None:
    """Take until nothing is left."""
    for _ in range(200):
        batch = source.take()
        if batch:
            shelf.put(batch)
        source.safe()
        if source.complete() and not batch:
            return
    raise AssertionError("there is no end")


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    found = Shelf(tmp_path / "console.db")
    yield found
    found.close()


def values(shelf: Shelf) -> list[str]:
    found, _ = shelf.decisions(time.time(), Wanted(), 100, 0)
    return sorted(one.target.value for one in found)


# -- the store ------------------------------------------------------------------------------------


class OnStore:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "mailwarden.db"
        self.folder = folder
        self.closing = threading.Event()
        self.store = Store(self.path)

    def source(self, shelf: Shelf) -> FromStore:
        return FromStore(self.path, shelf, self.folder / "dead.jsonl", self.closing)

    def tell(self, *alerts: Alert, decisions: tuple[Decision, ...] = (), at: float = 0) -> None:
        changes = Changes(alerts=list(alerts), decisions=list(decisions))
        self.store.commit(changes, at or time.time())


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[OnStore]:
    found = OnStore(tmp_path)
    yield found
    found.closing.set()
    found.store.close()


def test_the_store_is_followed(kept: OnStore, shelf: Shelf) -> None:
    kept.tell(alert("a1"), decisions=(decision(GUESSER),))
    source = kept.source(shelf)
    taken(source, shelf)
    kept.tell(alert("a1", "critical", revision=2), client("a2", "192.0.2.9"))
    kept.store.remove_decision(
        f"network:{GUESSER}:drop", entry("removed", decision(GUESSER), at=NOW, by="ada")
    )
    kept.store.change_case(
        "a1",
        lambda case: Case(id="a1", assignee="ada"),
        Audit(at=NOW, what="assigned", by="ada", reason="", target="incident:a1"),
    )
    wait_for(lambda: (taken(source, shelf), not values(shelf))[1], "the news")
    assert {(a.id, a.revision) for a in shelf.newest_alerts(10)} == {("a1", 2), ("a2", 1)}
    assert [turn.severity for turn in shelf.turns(["a1"])] == ["high", "critical"]
    assert shelf.cases()[0].assignee == "ada"
    assert {one.what for one in shelf.audit(10)} == {"removed", "assigned", "decided"}
    source.close()


def test_a_restart_goes_on_where_it_stopped(kept: OnStore, shelf: Shelf) -> None:
    kept.tell(*(client(f"a{n}", f"192.0.2.{n}") for n in range(5)))
    source = kept.source(shelf)
    taken(source, shelf)
    source.close()
    kept.tell(client("b", "192.0.2.77"), decisions=(decision(GUESSER),))
    again = kept.source(shelf)
    first = again.take()
    assert [a.id for a in first.alerts] == ["b"]
    shelf.put(first)
    assert values(shelf) == [GUESSER]
    assert len(shelf.audit(10)) == 1
    again.close()


def test_thousands_come_in_several_batches(kept: OnStore, shelf: Shelf) -> None:
    kept.tell(*(client(f"a{n}", f"10.{n >> 8}.{n & 255}.1") for n in range(4500)), at=5.0)
    source = kept.source(shelf)
    taken(source, shelf)
    assert len(shelf.newest_alerts(10_000)) == 4500
    source.close()


def test_a_clock_that_goes_back_loses_nothing(kept: OnStore, shelf: Shelf) -> None:
    kept.tell(alert("a1"), at=2000.0)
    source = kept.source(shelf)
    taken(source, shelf)
    source.close()
    kept.tell(alert("a1", revision=2), at=1000.0)
    source = kept.source(shelf)
    taken(source, shelf)
    assert shelf.newest_alerts(1)[0].revision == 2
    source.close()


def test_another_store_is_another_story(kept: OnStore, shelf: Shelf, tmp_path: Path) -> None:
    kept.tell(alert("a1"), decisions=(decision(GUESSER),))
    source = kept.source(shelf)
    taken(source, shelf)
    kept.store.close()
    for path in tmp_path.glob("mailwarden.db*"):
        path.rename(path.with_name(f"old-{path.name}"))
    kept.store = Store(kept.path)
    with pytest.raises(StoreError, match="another file has taken its place"):
        taken(source, shelf)
    source.close()
    kept.tell(client("b", "192.0.2.77"))
    source = kept.source(shelf)
    taken(source, shelf)
    assert [a.id for a in shelf.newest_alerts(9)] == ["b"]
    assert values(shelf) == []
    source.close()


def test_a_read_model_of_another_version_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "console.db"
    path.write_bytes(b"no database at all" * 100)
    shelf = Shelf(path)
    assert shelf.identity
    shelf.close()


def test_what_is_old_is_forgotten(shelf: Shelf, kept: OnStore) -> None:
    kept.tell(
        alert("old", ago=100 * 86400.0),
        alert("new"),
        decisions=(decision(GUESSER, until=NOW - 9 * 86400.0, since=NOW - 800 * 86400.0),),
    )
    source = kept.source(shelf)
    taken(source, shelf)
    shelf.forget(NOW, 90, 730)
    assert [a.id for a in shelf.newest_alerts(9)] == ["new"]
    assert shelf.decision(f"network:{GUESSER}:drop") is None
    assert shelf.audit(9) == []
    source.close()


# -- Kafka ----------------------------------------------------------------------------------------


def publish(bus: Bus, *alerts: Alert, decisions: tuple[Decision, ...] = ()) -> None:
    for one in alerts:
        bus.publish("mail.alerts", one.id.encode(), wire.encode(one))
    for each in decisions:
        bus.publish("mail.decisions", each.id.encode(), wire.encode(each))
    bus.flush(30)


@pytest.fixture
def bus() -> MemoryBus:
    found = MemoryBus(time.time)
    make(found, KafkaSettings(partitions=3))
    return found


def test_the_topics_are_followed(bus: MemoryBus, shelf: Shelf) -> None:
    publish(bus, alert("a1"), decisions=(decision(GUESSER), decision("192.0.2.1")))
    bus.publish("mail.gateways", b"mx1", wire.encode(gateway("mx1")))
    bus.publish("mail.alerts", b"x", b"{no alert")
    bus.publish("mail.dead", b"x", b'{"reason":"r","place":"t/0:1","text":"x","at":1.0}')
    source = FromBus(bus, shelf, KafkaSettings(), None)
    taken(source, shelf)
    assert values(shelf) == ["192.0.2.1", GUESSER]
    assert [state.gateway for state in source.gateways()] == ["mx1"]
    assert [one.reason for one in source.dead()] == ["r"]
    ledger = BusLedger(bus)
    ledger.remove_decision(
        "network:192.0.2.1:drop", entry("removed", decision("192.0.2.1"), at=NOW, by="ada")
    )
    ledger.change_case(
        "a1",
        lambda case: Case(id="a1", assignee="ada"),
        Audit(at=NOW, what="assigned", by="ada", reason="", target="incident:a1"),
    )
    publish(bus, alert("a1", "critical", revision=2))
    taken(source, shelf)
    assert values(shelf) == [GUESSER]
    assert shelf.cases()[0].assignee == "ada"
    assert shelf.newest_alerts(1)[0].revision == 2
    assert [turn.severity for turn in shelf.turns(["a1"])] == ["high", "critical"]
    assert sorted(one.what for one in shelf.audit(10)) == ["assigned", "removed"]


def test_a_read_model_that_was_kept_reads_no_more_than_is_new(bus: MemoryBus, shelf: Shelf) -> None:
    publish(bus, alert("a1"), decisions=(decision(GUESSER),))
    source = FromBus(bus, shelf, KafkaSettings(), None)
    taken(source, shelf)
    source.close()
    publish(bus, client("a2", "192.0.2.9"))
    again = FromBus(bus, shelf, KafkaSettings(), None)
    seen = []
    while not again.complete():
        seen += [one.id for one in again.take().alerts]
    assert seen == ["a2"]
    again.close()


def test_what_is_not_signed_is_not_shown(bus: MemoryBus, shelf: Shelf) -> None:
    publish(bus, decisions=(decision(GUESSER),))
    BusLedger(bus, keys=KEYS).put_decision(
        decision("192.0.2.1"), entry("added", decision("192.0.2.1"), at=NOW, by="ada")
    )
    source = FromBus(bus, shelf, KafkaSettings(), KEYS)
    taken(source, shelf)
    assert values(shelf) == ["192.0.2.1"]


@pytest.mark.broker
def test_a_console_on_kafka_shows_and_orders(broker: Broker, tmp_path: Path) -> None:
    from streams.kafka_bus import KafkaBus

    kafka = KafkaSettings(bootstrap=(broker.bootstrap,), prefix="console.", partitions=2)
    bus = KafkaBus(kafka)
    make(bus, kafka)
    publish(bus, alert("a1"), decisions=(decision(GUESSER, alert="a1"),))
    text = f'[kafka]\nbootstrap = ["{broker.bootstrap}"]\nprefix = "console."\npartitions = 2\n'
    config = configured(tmp_path, open_to_all(), toml=text)
    with serving_place(tmp_path, config, kafka=True) as place:
        browser = place.browser()
        wait_for(lambda: browser.api("/now")["severities"], "the alert")
        assert browser.api("/incidents/a1")["decisions"][0]["effect"] == "asked_for"
        done = browser.order("/blocks", target="192.0.2.1", reason="it scans", seconds=3600)
        assert done.status == 200, done.text
        assert browser.api("/blocks")["count"] == 2
        assert browser.order("/incidents/a1/acknowledge").status == 200
        assert browser.api("/incidents/a1")["incident"]["state"] == "acknowledged"
        assert browser.order("/panic", reason="all locked out").status == 200
        wait_for(lambda: browser.api("/now")["lifted"], "the switch")
        assert browser.order("/resume", reason="found it").status == 200
        wait_for(lambda: not browser.api("/now")["lifted"], "the switch")
        topics = {one["topic"]: one for one in browser.api("/health")["topics"]}
        assert topics["console.mail.alerts"]["partitions"] == 2
        long = browser.order("/blocks", target="192.0.2.2", reason="x", seconds=8 * 86400)
        assert long.status == 409
    ledger = BusLedger(bus)
    assert {one.origin for one in ledger.decisions(time.time())} == {"automatic", "manual"}
    assert {one.by for one in ledger.audit()} != {""}
    bus.close()
