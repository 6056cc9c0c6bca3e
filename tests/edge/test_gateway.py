"""The edge: what the bus decides is enforced here, and ends in time without it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from agents import configuration
from agents.commands.topics import make
from agents.configuration import Config
from agents.edge.gateway import Edge
from schemas import wire
from schemas.audit import entry
from schemas.events import Auth
from schemas.gateways import GatewayState
from schemas.settings import KafkaSettings, NetworkSettings, Settings, SiteSettings
from streams.bus import Bus, BusError
from streams.gateway import Gateway
from streams.kafka_bus import KafkaBus
from streams.memory_bus import MemoryBus
from tests.edge.conftest import NOW, SECONDS, Clock, Table, decision, publish
from tools.kafka import Broker

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bus() -> MemoryBus:
    bus = MemoryBus(clock=lambda: NOW - 1)
    make(bus, KafkaSettings(partitions=2))
    return bus


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def config(table: Gateway, **network: tuple[str, ...]) -> Config:
    settings = Settings(site=SiteSettings(host="edge1"), network=NetworkSettings(**network))
    return msgspec.structs.replace(configuration.build(settings), gateways=[table])


Start = Callable[..., Edge]


@pytest.fixture
def start(tmp_path: Path, bus: MemoryBus, table: Table, clock: Clock) -> Iterator[Start]:
    edges: list[Edge] = []

    def make_edge(connect: Callable[[], Bus] = lambda: bus) -> Edge:
        while edges:
            edges.pop().close()
        edges.append(Edge(config(table), connect, tmp_path / "decisions.snapshot", clock=clock))
        return edges[-1]

    yield make_edge
    for edge in edges:
        edge.close()


def until(edge: Edge, done: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline
        edge.turn()


def away() -> Bus:
    raise BusError("no Kafka broker answers at 192.0.2.1:9092")


def reports(bus: Bus) -> list[GatewayState]:
    found = bus.subscribe(["mail.gateways"], None).poll(0.1)
    return [msgspec.json.decode(message.value or b"", type=GatewayState) for message in found]


def test_what_was_decided_before_it_started_is_enforced(
    bus: MemoryBus, table: Table, start: Start
) -> None:
    publish(bus, decision("198.51.100.7/32"), decision("203.0.113.0/24"))
    until(start(), lambda: table.told)
    assert table.told == [{"198.51.100.7/32", "203.0.113.0/24"}]


def test_a_new_decision_is_enforced_beside_the_others(
    bus: MemoryBus, table: Table, start: Start
) -> None:
    publish(bus, decision("198.51.100.7/32"))
    edge = start()
    until(edge, lambda: table.told)
    publish(bus, decision("198.51.100.8/32"))
    until(edge, lambda: len(table.told) > 1)
    assert table.told[-1] == {"198.51.100.7/32", "198.51.100.8/32"}


def test_a_decision_that_is_taken_back_is_lifted(
    bus: MemoryBus, table: Table, start: Start
) -> None:
    one = decision("198.51.100.7/32")
    publish(bus, one)
    edge = start()
    until(edge, lambda: table.told)
    bus.publish("mail.decisions", one.id.encode(), None)
    until(edge, lambda: table.told[-1] == set())


def test_a_lease_ends_by_the_clock_of_this_machine_though_the_broker_is_gone(
    bus: MemoryBus, table: Table, clock: Clock, start: Start
) -> None:
    publish(bus, decision("198.51.100.7/32", until=NOW + 60), decision("198.51.100.8/32"))
    edge = start()
    until(edge, lambda: table.told)
    edge = start(away)
    until(edge, lambda: edge.pulse.health().degraded)
    clock.now = NOW + 61
    until(edge, lambda: table.told[-1] == {"198.51.100.8/32"})


def test_a_start_without_the_broker_enforces_what_was_known(
    bus: MemoryBus, table: Table, start: Start
) -> None:
    publish(bus, decision("198.51.100.7/32"))
    until(start(), lambda: table.told)
    table.told.clear()
    table._given = None  # a new process knows nothing of the old one's tables
    edge = start(away)
    until(edge, lambda: table.told)
    assert table.told == [{"198.51.100.7/32"}]
    assert not edge.pulse.health().failing


def test_a_first_start_without_the_broker_touches_nothing(table: Table, start: Start) -> None:
    edge = start(away)
    until(edge, lambda: edge.pulse.health().degraded)
    assert edge.pulse.health().failing == ("no decisions are known yet",)
    edge.reload(config(table))
    edge.turn()
    assert table.told == []


def test_what_was_taken_back_meanwhile_is_lifted_when_all_is_read(
    bus: MemoryBus, table: Table, tmp_path: Path, start: Start
) -> None:
    publish(bus, decision("198.51.100.7/32"))
    until(start(), lambda: table.told)
    fresh = MemoryBus()
    make(fresh, KafkaSettings(partitions=2))
    publish(fresh, decision("198.51.100.8/32"))
    edge = start(lambda: fresh)
    until(edge, lambda: table.told[-1] == {"198.51.100.8/32"})
    assert set() not in table.told  # nothing was open meanwhile


def test_a_snapshot_that_is_damaged_is_passed_over(
    bus: MemoryBus, table: Table, tmp_path: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "decisions.snapshot").write_text("[{")
    publish(bus, decision("198.51.100.7/32"))
    until(start(), lambda: table.told)
    assert "passed over" in caplog.text


def test_a_snapshot_that_cannot_be_written_stops_nothing(
    bus: MemoryBus, table: Table, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "file").touch()
    publish(bus, decision("198.51.100.7/32"))
    edge = Edge(config(table), lambda: bus, tmp_path / "file" / "decisions.snapshot", clock=clock)
    until(edge, lambda: table.told and "file" in str(edge.pulse.health().degraded))
    edge.close()


def test_only_its_owner_may_read_the_snapshot(
    bus: MemoryBus, table: Table, tmp_path: Path, start: Start
) -> None:
    publish(bus, decision("198.51.100.7/32"))
    edge = start()
    until(edge, (tmp_path / "decisions.snapshot").exists)
    assert (tmp_path / "decisions.snapshot").stat().st_mode & 0o777 == 0o600


def test_a_message_that_is_no_decision_is_passed_over(
    bus: MemoryBus, table: Table, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    bus.publish("mail.decisions", b"x", b'{"id": 1}')
    publish(bus, decision("198.51.100.7/32"))
    until(start(), lambda: table.told)
    assert table.told == [{"198.51.100.7/32"}]
    assert "decision unreadable place=mail.decisions/" in caplog.text


def test_our_own_networks_are_spared_here_as_well(
    bus: MemoryBus, table: Table, tmp_path: Path, clock: Clock
) -> None:
    publish(bus, decision("198.51.100.7/32"), decision("203.0.113.9/32"))
    settings = config(table, own=("203.0.113.0/24",))
    edge = Edge(settings, lambda: bus, tmp_path / "decisions.snapshot", clock=clock)
    until(edge, lambda: table.told)
    assert table.told == [{"198.51.100.7/32"}]
    edge.close()


def test_what_is_known_from_disk_is_spared_as_well(
    bus: MemoryBus, table: Table, tmp_path: Path, clock: Clock, start: Start
) -> None:
    publish(bus, decision("198.51.100.7/32"), decision("203.0.113.9/32"))
    until(start(), (tmp_path / "decisions.snapshot").exists)
    later = Table()
    settings = config(later, own=("203.0.113.0/24",))
    edge = Edge(settings, away, tmp_path / "decisions.snapshot", clock=clock)
    until(edge, lambda: later.told)
    assert later.told == [{"198.51.100.7/32"}]
    edge.close()


def test_a_reload_enforces_the_same_by_other_gateways(
    bus: MemoryBus, table: Table, start: Start
) -> None:
    publish(bus, decision("198.51.100.7/32"))
    edge = start()
    until(edge, lambda: table.told)
    other = Table()
    edge.reload(config(other))
    until(edge, lambda: other.told)
    assert other.told == table.told


def test_it_reports_what_it_has_applied_and_how_late(
    bus: MemoryBus, table: Table, start: Start
) -> None:
    publish(bus, decision("198.51.100.7/32"))
    edge = start()
    until(edge, lambda: table.told)
    publish(bus, decision("198.51.100.8/32"))
    until(edge, lambda: any(state.decisions == 2 and state.lag for state in reports(bus)))
    state = reports(bus)[-1]
    assert state == GatewayState(
        gateway="edge1",
        at=NOW,
        complete=True,
        decisions=2,
        enforced=2,
        applied_at=NOW,
        lag=1.0,
        programs=["table"],
        generation=2,
    )


def test_a_gateway_that_fails_is_reported_and_asked_again(
    bus: MemoryBus, table: Table, start: Start
) -> None:
    table.broken = "table.cidr: Permission denied"
    publish(bus, decision("198.51.100.7/32"))
    edge = start()
    until(edge, lambda: any(state.troubles for state in reports(bus)))
    state = reports(bus)[-1]
    assert state.troubles == {"table": "table.cidr: Permission denied"}
    assert state.applied_at == 0.0
    assert edge.pulse.health().degraded == ("gateway table: table.cidr: Permission denied",)
    table.broken = ""
    until(edge, lambda: table.told)


def test_a_broker_that_comes_back_is_read_from_the_beginning(
    bus: MemoryBus, table: Table, start: Start
) -> None:
    gone = [True]

    def connect() -> Bus:
        return away() if gone else bus

    publish(bus, decision("198.51.100.7/32"))
    edge = start(connect)
    until(edge, lambda: edge.pulse.health().degraded)
    gone.clear()
    until(edge, lambda: table.told and not edge.pulse.health().degraded)


def test_a_report_that_was_not_safe_is_sent_on_a_new_connection(
    bus: MemoryBus, table: Table, start: Start
) -> None:
    failures = [BusError("not safe")]
    flush = bus.flush

    def fail(timeout: float) -> None:
        if failures:
            raise failures.pop()
        flush(timeout)

    edge = start()
    until(edge, lambda: table.told)
    bus.flush = fail  # type: ignore[method-assign]
    publish_again = decision("198.51.100.9/32")
    bus.publish("mail.decisions", publish_again.id.encode(), wire.encode(publish_again))
    until(edge, lambda: any(state.decisions == 1 for state in reports(bus)) and not failures)


def test_what_gateways_saw_and_did_goes_on_to_the_site_though_the_broker_stumbles(
    bus: MemoryBus, table: Table, start: Start
) -> None:
    failures: list[str] = []
    flush = bus.flush

    def fail(timeout: float) -> None:
        if failures:
            failures.pop()
            raise BusError("not safe")
        flush(timeout)

    bus.flush = fail  # type: ignore[method-assign]
    edge = start()
    until(edge, lambda: table.told)
    failures[:] = ["events", "audit"]
    edge.publish([Auth(at=NOW, gateway="edge1", client="192.0.2.1")])
    edge.record([entry("done", decision("198.51.100.7/32"), at=NOW, by="mailwarden")])
    events = bus.subscribe(["mail.events"], None)
    trail = bus.subscribe(["mail.audit"], None)
    found: list[bytes] = []

    def arrived() -> bool:
        found.extend(message.value or b"" for message in (*events.poll(0), *trail.poll(0)))
        return any(b'"done"' in one for one in found) and any(b'"auth"' in one for one in found)

    until(edge, arrived)


# -- as a process, on a real broker -----------------------------------------------------------


@pytest.mark.broker
def test_a_table_of_postfix_follows_the_decisions_on_kafka(
    own_broker: Broker, tmp_path: Path
) -> None:
    kafka = KafkaSettings(bootstrap=(own_broker.bootstrap,), prefix="edge.", partitions=2)
    bus = KafkaBus(kafka)
    make(bus, kafka)
    table, settings = tmp_path / "clients.cidr", tmp_path / "mailwarden.toml"
    settings.write_text(
        f'[site]\nhost = "edge1"\n[http]\nlisten = ""\n'
        f'[storage]\npath = "{tmp_path / "mailwarden.db"}"\n[response]\nenforce = true\n'
        f'[gateways.postfix]\nclients = "{table}"\npostfix = "true"\nreload_interval = 0.1\n'
        f'[kafka]\nbootstrap = ["{own_broker.bootstrap}"]\nprefix = "edge."\npartitions = 2\n'
    )
    command = [sys.executable, str(ROOT / "mailwarden.py"), "gateway", "-c", str(settings)]
    with (tmp_path / "said").open("wb") as said:
        edge = subprocess.Popen(command, stderr=said)
    try:
        until_table = _Reader(table)
        soon = time.time() + 600
        publish(bus, decision("198.51.100.7/32", until=soon))
        until_table("198.51.100.7/32 521")
        own_broker.kill()  # what is known stays
        own_broker.start()
        bus.close()
        bus = KafkaBus(kafka)
        publish(bus, decision("198.51.100.8/32", until=soon))
        until_table("198.51.100.8/32 521")
        assert "198.51.100.7/32" in table.read_text()
        os.kill(edge.pid, signal.SIGTERM)
        assert edge.wait(SECONDS) == 0
        assert "198.51.100.7/32" in table.read_text()  # a restart must not open the door
        assert [state.gateway for state in reports_on(bus)][-1] == "edge1"
    finally:
        edge.kill()
        edge.wait()
        bus.close()


class _Reader:
    def __init__(self, table: Path) -> None:
        self._table = table

    def __call__(self, text: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not (self._table.exists() and text in self._table.read_text()):
            assert time.monotonic() < deadline, text


def reports_on(bus: KafkaBus) -> list[GatewayState]:
    subscription = bus.subscribe(["mail.gateways"], None)
    found = subscription.poll(1.0)
    while not subscription.caught_up():
        found += subscription.poll(1.0)
    return [msgspec.json.decode(message.value or b"", type=GatewayState) for message in found]
