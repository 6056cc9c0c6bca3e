"""The shipper: from log files to the bus, each line once, whatever happens on the way."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents import configuration
from agents.commands import cli
from agents.commands.topics import make
from agents.configuration import Config
from agents.ship import Shipper
from schemas import keys, wire
from schemas.events import Fact, Signal
from schemas.settings import KafkaSettings, LogSettings, Settings, SiteSettings
from streams.bus import Bus, BusError, Message
from streams.kafka_bus import KafkaBus
from streams.memory_bus import MemoryBus
from streams.shipping.outbox import Outbox, OutboxError
from streams.sources.follow import Follow
from tests.waiting import wait_for
from tools.kafka import Broker

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 40.0
PARTITIONS = 4
MOST = 40_000  # lines of one day
numbers = count(1)


def line(number: int) -> str:
    """A failed login, at its own second, of its own account."""
    minutes, seconds = divmod(number, 60)
    return (
        f"2026-03-02T{8 + minutes // 60:02}:{minutes % 60:02}:{seconds:02}+00:00 mx1 "
        f"postfix/submission/smtpd[{1000 + number}]: warning: unknown[192.0.2.{number % 250}]: "
        f"SASL PLAIN authentication failed: authentication failure, "
        f"sasl_username=u{number}@example.org\n"
    )


def lines(first: int, last: int) -> str:
    return "".join(map(line, range(first, last)))


def told(messages: list[Message]) -> list[str]:
    """What a worker would fold: the accounts of the logins, a repeated position passed over."""
    absorbed: dict[tuple[bytes, int], int] = defaultdict(int)
    found: set[tuple[int, str]] = set()
    for message in messages:
        lane = (message.headers["origin"], message.partition)
        events = wire.decode_events(message.value or b"")
        positions = wire.decode_positions(message.headers["positions"])
        for position, event in zip(positions, events, strict=True):
            if position > absorbed[lane]:
                assert position == absorbed[lane] + 1, "an event was overtaken"
                absorbed[lane] = position
                fresh = (message.partition, account(event))
                assert fresh not in found, "an event was told twice under two positions"
                found.add(fresh)
    return sorted({name for _, name in found}, key=lambda name: int(name[1:].split("@")[0]))


def account(event: Fact) -> str:
    return str(getattr(event, "account", ""))


def accounts(first: int, last: int) -> list[str]:
    return [f"u{number}@example.org" for number in range(first, last)]


class Calm:
    """Nobody asks for anything, until `turns` turns are over."""

    def __init__(self, turns: int = 10**9) -> None:
        self.turns = turns
        self.config: Config | None = None

    def stopped(self) -> bool:
        self.turns -= 1
        return self.turns < 0

    def reloaded(self) -> Config | None:
        config, self.config = self.config, None
        return config


def config(log: Path, *, history: bool = False, **kafka: object) -> Config:
    settings = Settings(
        site=SiteSettings(host="mx1", domains=("example.org",), zone="UTC"),
        logs=LogSettings(files=(str(log),), journal="no", history=history),
        kafka=KafkaSettings(partitions=PARTITIONS, **kafka),  # type: ignore[arg-type]
    )
    return configuration.build(settings)


def open_sources(config: Config, places: dict[str, bytes]) -> Follow:
    return Follow(config.settings.logs.files, positions=places, begin=True)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "mail.log"


@pytest.fixture
def bus() -> MemoryBus:
    bus = MemoryBus()
    make(bus, KafkaSettings(partitions=PARTITIONS))
    return bus


Start = Callable[..., Shipper]


@pytest.fixture
def start(tmp_path: Path, log: Path, bus: MemoryBus) -> Iterator[Start]:
    """Starts shippers one after the other: each ends the one before, as if it were killed."""
    open_ones: list[tuple[Shipper, Outbox]] = []

    def end() -> None:
        while open_ones:
            shipper, outbox = open_ones.pop()
            shipper.close()
            outbox.close()

    def begin(connect: Callable[[], Bus] = lambda: bus, **kafka: object) -> Shipper:
        end()
        outbox = Outbox(tmp_path / "outbox.db", PARTITIONS, "mx1")
        open_ones.append((Shipper(config(log, **kafka), outbox, open_sources, connect), outbox))
        return open_ones[-1][0]

    yield begin
    end()


def read(bus: Bus, topic: str = "mail.facts") -> list[Message]:
    """What was published, but for heartbeats."""
    return [m for m in read_all(bus, topic) if not m.headers["origin"].endswith(b":heartbeat")]


def heartbeats(bus: Bus) -> list[tuple[str, str]]:
    """Gateway and detail of each heartbeat, in the partition of its gateway."""
    found = []
    for message in read_all(bus, "mail.facts"):
        if message.headers["origin"].endswith(b":heartbeat"):
            assert "positions" not in message.headers
            for event in wire.decode_events(message.value or b""):
                assert isinstance(event, Signal)
                assert message.partition == keys.partition(event.about, PARTITIONS)
                found.append((event.gateway, event.detail))
    return found


def read_all(bus: Bus, topic: str) -> list[Message]:
    subscription = bus.subscribe([topic], None)
    found = subscription.poll(0.2)
    while not subscription.caught_up():
        found += subscription.poll(0.2)
    subscription.close()
    return found


def test_all_that_lies_there_is_read_and_sent(log: Path, bus: MemoryBus, start: Start) -> None:
    log.write_text(lines(0, 500))
    assert start().run(Calm(), once=True)
    assert told(read(bus)) == accounts(0, 500)


def test_gateways_whose_lines_came_have_a_heartbeat(
    log: Path, bus: MemoryBus, start: Start
) -> None:
    log.write_text(lines(0, 5) + line(5).replace(" mx1 ", " mx2 "))
    assert start().run(Calm(), once=True)
    assert sorted(heartbeats(bus)) == [("mx1", ""), ("mx2", "")]


def test_a_shipper_that_has_no_lines_to_send_says_that_it_lives(
    log: Path, bus: MemoryBus, start: Start
) -> None:
    log.write_text("")
    assert start().run(Calm(), once=True)
    assert heartbeats(bus) == [("mx1", "alive, no lines")]


def test_there_are_no_heartbeats_of_gateways_whose_lines_nobody_reads(
    log: Path, bus: MemoryBus, start: Start
) -> None:
    shipper = start(outbox_bytes=1)
    shipper._outbox.waiting = 2  # more than there is room for
    shipper.run(Calm(turns=3))
    assert heartbeats(bus) == []


def test_a_second_start_sends_nothing_twice(log: Path, bus: MemoryBus, start: Start) -> None:
    log.write_text(lines(0, 20))
    start().run(Calm(), once=True)
    before = len(read(bus))
    start().run(Calm(), once=True)
    assert len(read(bus)) == before


def test_what_was_not_committed_is_read_again_and_told_once(
    log: Path, bus: MemoryBus, start: Start
) -> None:
    log.write_text(lines(0, 20))
    shipper = start()
    shipper.run(Calm(turns=1))
    with log.open("a") as file:
        file.write(lines(20, 40))
    shipper = start()
    shipper.turn()  # reads, and is killed before or after it commits
    start().run(Calm(), once=True)
    assert told(read(bus)) == accounts(0, 40)


def test_what_waits_for_other_lines_survives_a_restart(
    log: Path, bus: MemoryBus, start: Start
) -> None:
    queued = "2026-03-02T08:00:00+00:00 mx1 postfix/{}: 4XyzAb0001: {}\n"
    log.write_text(
        queued.format("smtpd[7]", "client=mail.example.net[198.51.100.1]")
        + queued.format("cleanup[8]", "message-id=<1@example.net>")
    )
    start().run(Calm(turns=3))
    with log.open("a") as file:
        file.write(queued.format("qmgr[9]", "from=<a@example.net>, size=9, nrcpt=1 (queue active)"))
    start().run(Calm(), once=True)
    events = [e for m in read(bus) for e in wire.decode_events(m.value or b"")]
    (message,) = {e.at: e for e in events if e.type == "message"}.values()
    assert (getattr(message, "client"), getattr(message, "message_id")) == (  # noqa: B009
        "198.51.100.1",
        "1@example.net",
    )


def test_reading_goes_on_while_the_broker_is_away(log: Path, bus: MemoryBus, start: Start) -> None:
    away = [True]

    def connect() -> Bus:
        if away:
            raise BusError("no Kafka broker answers at 192.0.2.1:9092")
        return bus

    log.write_text(lines(0, 50))
    shipper = start(connect)
    wait_for(lambda: shipper.turn() == 0 and shipper.commit())
    assert read(bus) == []
    wait_for(lambda: shipper.turn() == 0 and shipper.pulse.health().degraded)
    away.clear()
    assert shipper.run(Calm(), once=True)
    assert told(read(bus)) == accounts(0, 50)


def test_reading_waits_while_the_outbox_is_full(log: Path, bus: MemoryBus, start: Start) -> None:
    away = [True]

    def connect() -> Bus:
        if away:
            raise BusError("away")
        return bus

    log.write_text(lines(0, 50))
    shipper = start(connect, outbox_bytes=100)
    wait_for(lambda: shipper.turn() == 0 and shipper.commit())
    with log.open("a") as file:
        file.write(lines(50, 90))
    assert shipper.turn() == 0
    wait_for(lambda: shipper.turn() == 0 and "full" in str(shipper.pulse.health().failing))
    away.clear()
    assert shipper.run(Calm(), once=True)
    assert told(read(bus)) == accounts(0, 90)


def test_an_outbox_that_cannot_be_written_stops_reading_and_loses_nothing(
    log: Path, bus: MemoryBus, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write_text(lines(0, 10))
    shipper = start()
    commit, broken = Outbox.commit, [True]

    def fail(self: Outbox, *changes: object) -> None:
        if broken:
            raise OutboxError("outbox.db: database or disk is full")
        commit(self, *changes)  # type: ignore[arg-type]

    monkeypatch.setattr(Outbox, "commit", fail)
    shipper.turn()
    assert not shipper.commit()
    with log.open("a") as file:
        file.write(lines(10, 20))
    assert shipper.turn() == 0
    wait_for(lambda: shipper.turn() == 0 and "disk is full" in str(shipper.pulse.health().failing))
    broken.clear()
    assert shipper.commit()
    assert shipper.run(Calm(), once=True)
    assert told(read(bus)) == accounts(0, 20)


def test_a_reload_goes_on_where_reading_was(log: Path, bus: MemoryBus, start: Start) -> None:
    log.write_text(lines(0, 10))
    shipper = start()
    control = Calm(turns=3)
    control.config = config(log)
    shipper.run(control)
    with log.open("a") as file:
        file.write(lines(10, 20))
    control = Calm()
    control.config = config(log)
    shipper.run(control, once=True)
    assert told(read(bus)) == accounts(0, 20)


def test_a_line_that_is_ours_and_broken_goes_to_the_dead_letters(
    log: Path, bus: MemoryBus, start: Start
) -> None:
    log.write_text(
        line(1) + line(2).replace("2026-03-02T08:00:02+00:00", "2026-13-99T08:00:02+00:00")
    )
    assert start().run(Calm(), once=True)
    assert told(read(bus)) == accounts(1, 2)
    (letter,) = read(bus, "mail.dead")
    assert b"2026-13-99" in (letter.value or b"")
    assert letter.headers["origin"].endswith(str(log).encode())


@pytest.mark.parametrize("crashes", [0, 3])
def test_history_is_read_once_however_often_it_was_begun(
    log: Path, bus: MemoryBus, start: Start, monkeypatch: pytest.MonkeyPatch, crashes: int
) -> None:
    monkeypatch.setattr("agents.ship.SPILL", 30)
    log.with_name("mail.log.2").write_text(lines(0, 100))
    log.with_name("mail.log.1").write_text(lines(100, 200))
    log.write_text(lines(200, 220))
    for turns in range(crashes):
        shipper = start(history=True)
        assert not shipper.run(Calm(turns=2 * turns))
    assert start(history=True).run(Calm(), once=True)
    assert told(read(bus)) == accounts(0, 220)
    before = len(read(bus))
    assert start(history=True).run(Calm(), once=True)
    assert len(read(bus)) == before


def test_history_waits_while_the_outbox_cannot_take_it(
    log: Path, bus: MemoryBus, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.ship.SPILL", 30)
    commit, broken = Outbox.commit, [True, True]

    def fail(self: Outbox, *changes: object) -> None:
        if broken:
            broken.pop()
            raise OutboxError("outbox.db: database or disk is full")
        commit(self, *changes)  # type: ignore[arg-type]

    log.with_name("mail.log.1").write_text(lines(0, 100))
    log.write_text(lines(100, 120))
    shipper = start(history=True, outbox_bytes=100)
    monkeypatch.setattr(Outbox, "commit", fail)
    assert shipper.run(Calm(), once=True)
    assert told(read(bus)) == accounts(0, 120)


# -- as a process, on a real broker -----------------------------------------------------------


@pytest.fixture
def kafka(broker: Broker) -> KafkaSettings:
    return KafkaSettings(
        bootstrap=(broker.bootstrap,), partitions=PARTITIONS, prefix=f"ship{next(numbers)}."
    )


@pytest.fixture
def settings(tmp_path: Path, log: Path, kafka: KafkaSettings) -> Path:
    file = tmp_path / "mailwarden.toml"
    file.write_text(
        f'[site]\nhost = "mx1"\ndomains = ["example.org"]\nzone = "UTC"\n'
        f'[http]\nlisten = ""\n[storage]\npath = "{tmp_path / "mailwarden.db"}"\n'
        f'[logs]\nfiles = ["{log}"]\njournal = "no"\n'
        f'[kafka]\nbootstrap = ["{kafka.bootstrap[0]}"]\nprefix = "{kafka.prefix}"\n'
        f"partitions = {PARTITIONS}\n"
    )
    return file


def created(kafka: KafkaSettings) -> KafkaBus:
    bus = KafkaBus(kafka)
    make(bus, kafka)
    return bus


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """What the processes write to standard error."""
    return tmp_path / "said"


Spawn = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def spawn(settings: Path, said: Path) -> Iterator[Spawn]:
    """Starts `mailwarden ship` processes, and ends those that a test leaves behind."""
    children: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(ROOT / "mailwarden.py"), "ship", "-c", str(settings)]
        with said.open("ab") as log:
            children.append(subprocess.Popen([*command, *arguments], stderr=log))
        return children[-1]

    yield begin
    for child in children:
        child.kill()
        child.wait()


def rotate(log: Path) -> None:
    """As logrotate does: the newest part is .1."""
    parts = [log, *(log.with_name(f"{log.name}.{number}") for number in range(1, 99))]
    there = [part.exists() for part in parts].index(False)
    for number in range(there, 0, -1):
        parts[number - 1].rename(parts[number])
    log.touch()


@pytest.mark.broker
def test_killed_at_any_moment_it_loses_nothing_and_tells_nothing_twice(
    log: Path, kafka: KafkaSettings, spawn: Spawn
) -> None:
    bus = created(kafka)
    chance = random.Random(5)
    log.write_text("")
    assert spawn("--once").wait(SECONDS) == 0
    written = 0
    arrivals = bus.subscribe(["mail.facts"], None)
    for _ in range(4):
        shipper = spawn()
        deadline = time.monotonic() + SECONDS
        while not (arrivals.poll(0.01) and chance.random() < 0.3):
            assert time.monotonic() < deadline
            more = min(written + 20, MOST)
            with log.open("a") as file:
                file.write(lines(written, more))
            written = more
            if chance.random() < 0.05:
                rotate(log)
        shipper.kill()
        shipper.wait()
    assert spawn("--once").wait(SECONDS) == 0
    assert told(read(bus)) == accounts(0, written)
    bus.close()


@pytest.mark.broker
def test_the_broker_may_go_and_come_back(
    log: Path, own_broker: Broker, tmp_path: Path, start: Start
) -> None:
    kafka = KafkaSettings(bootstrap=(own_broker.bootstrap,), partitions=PARTITIONS)
    bus = created(kafka)
    log.write_text(lines(0, 100))
    shipper = start(lambda: KafkaBus(kafka))
    shipper.run(Calm(turns=5))
    own_broker.kill()
    with log.open("a") as file:
        file.write(lines(100, 300))
    shipper.run(Calm(turns=20))
    own_broker.start()
    assert shipper.run(Calm(), once=True)
    bus.close()
    bus = KafkaBus(kafka)
    assert told(read(bus)) == accounts(0, 300)
    bus.close()


@pytest.mark.broker
def test_sigterm_ends_it_in_order(log: Path, kafka: KafkaSettings, spawn: Spawn) -> None:
    bus = created(kafka)
    log.write_text("")
    assert spawn("--once").wait(SECONDS) == 0
    shipper = spawn()
    with log.open("a") as file:
        file.write(lines(0, 30))
    wait_for(lambda: read(bus))
    os.kill(shipper.pid, signal.SIGTERM)
    assert shipper.wait(SECONDS) == 0
    assert told(read(bus)) == accounts(0, 30)
    bus.close()


@pytest.mark.broker
def test_a_hangup_with_wrong_settings_changes_nothing(
    log: Path, kafka: KafkaSettings, spawn: Spawn, settings: Path, said: Path
) -> None:
    bus = created(kafka)
    log.write_text("")
    assert spawn("--once").wait(SECONDS) == 0
    shipper = spawn()
    with log.open("a") as file:
        file.write(lines(0, 5))
    wait_for(lambda: read(bus))
    settings.write_text(settings.read_text() + "nonsense = 1\n")
    os.kill(shipper.pid, signal.SIGHUP)
    with log.open("a") as file:
        file.write(lines(5, 10))
    wait_for(lambda: len(told(read(bus))) == 10)
    os.kill(shipper.pid, signal.SIGTERM)
    assert shipper.wait(SECONDS) == 0
    assert "kafka.nonsense: no such setting" in said.read_text()
    bus.close()


def run(settings: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["ship", "-c", str(settings), *arguments])
    return result.exit_code, result.output


def test_wrong_settings_and_missing_files_are_exit_2(tmp_path: Path) -> None:
    file = tmp_path / "mailwarden.toml"
    file.write_text("[kafka]\nbroker = 1\n")
    code, output = run(file)
    assert code == 2
    assert "kafka.broker: no such setting" in output
    file.write_text("")
    code, output = run(file, "--once", str(tmp_path / "missing.log"))
    assert code == 2
    assert "missing.log" in output


def test_once_says_what_it_could_not_send(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.ship.PATIENCE", 0.5)
    log.write_text(lines(0, 5))
    file = tmp_path / "mailwarden.toml"
    file.write_text(
        f'[http]\nlisten = ""\n[storage]\npath = "{tmp_path / "mailwarden.db"}"\n'
        '[kafka]\nbootstrap = ["127.0.0.1:1"]\n'
    )
    code, output = run(file, "--once", str(log))
    assert code == 1
    assert "the next start sends what waits in the outbox" in output
    code, output = run(file.with_name("other.toml"), "--once", str(log))
    assert code == 2


def test_an_outbox_in_use_is_a_clear_word(tmp_path: Path, log: Path) -> None:
    log.write_text("")
    outbox = Outbox(tmp_path / "outbox.db", 8, "mx1")
    file = tmp_path / "mailwarden.toml"
    file.write_text(f'[storage]\npath = "{tmp_path / "mailwarden.db"}"\n[http]\nlisten = ""\n')
    code, output = run(file, "--once", str(log))
    outbox.close()
    assert code == 1
    assert "another shipper runs on it" in output
