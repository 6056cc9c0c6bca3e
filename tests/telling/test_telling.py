"""Readers on a bus in memory, with receivers that are down, slow, and choosy."""

import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from agents import configuration
from agents.commands import cli
from agents.commands.topics import make
from agents.configuration import Config
from agents.telling.telling import Telling, group
from schemas import wire
from schemas.findings import Alert
from schemas.settings import KafkaSettings, Settings
from streams import metrics
from streams.bus import Bus, BusError, Message
from streams.memory_bus import MemoryBus, MemorySubscription
from streams.sink import Sink, SinkError, SinkSettings
from tests.sinks.alerts import alert
from tests.waiting import wait_for

NOW = 1_800_000_000.0


class Siem(Sink):
    def __init__(self, name: str = "siem", settings: SinkSettings | None = None) -> None:
        super().__init__(settings or SinkSettings(gather=0.0), name)
        self.got: list[tuple[str, int]] = []
        self.down = ""
        self.tries = 0
        self.open = threading.Event()
        self.open.set()

    def deliver(self, alerts: Sequence[Alert]) -> None:
        self.tries += 1
        self.open.wait(20)
        if self.down:
            raise SinkError(self.down)
        self.got += [(one.id, one.revision) for one in alerts]


class Site:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.bus = MemoryBus(clock=lambda: self.now)
        make(self.bus, KafkaSettings(partitions=2))
        self.broken = ""
        self.running: list[Telling] = []

    def connect(self) -> Bus:
        if self.broken:
            raise BusError(self.broken)
        return self.bus

    def config(self, *sinks: Sink) -> Config:
        return msgspec.structs.replace(configuration.build(Settings()), sinks=list(sinks))

    def start(self, *sinks: Sink) -> Telling:
        config = self.config(*sinks)
        made = Telling(config, self.connect, self.folder, lambda: self.now, (0.01, 0.02))
        self.running.append(made)
        return made

    def publish(self, *alerts: Alert) -> None:
        for one in alerts:
            self.bus.publish("mail.alerts", one.id.encode(), wire.encode(one))

    def committed(self, sink: str = "siem") -> int:
        """Of all partitions together."""
        found = self.bus._groups[f"mailwarden-sink-{sink}"].committed
        return sum(found.values())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "sinks")
    yield made
    for telling in made.running:
        telling.close()


def until(done: Callable[[], object]) -> None:
    wait_for(done)


def test_every_alert_is_told_and_committed(site: Site) -> None:
    siem = Siem()
    site.start(siem)
    site.publish(*(alert(f"a{number}") for number in range(50)))
    until(lambda: len(siem.got) == 50)
    until(lambda: site.committed() == 50)
    assert sorted(siem.got) == sorted((f"a{number}", 1) for number in range(50))


def test_alerts_on_trial_deletions_and_rubbish_are_passed_over(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    siem = Siem()
    site.start(siem)
    before = metrics.DEAD._value.get()
    site.publish(alert("trial", stage="observe"))
    site.bus.publish("mail.alerts", b"gone", None)
    site.bus.publish("mail.alerts", b"rubbish", b"{")
    site.publish(alert("a1"))
    until(lambda: site.committed() == 4)
    assert siem.got == [("a1", 1)]
    assert metrics.DEAD._value.get() == before + 1
    assert "alert unreadable sink=siem" in caplog.text


def test_a_receiver_that_is_down_holds_up_no_other_and_misses_nothing(site: Site) -> None:
    up, down = Siem("up"), Siem("down")
    down.down = "no route to host"
    telling = site.start(up, down)
    site.publish(*(alert(f"a{number}") for number in range(300)))
    until(lambda: len(up.got) == 300)
    until(lambda: down.tries > 3)
    until(lambda: telling.health().degraded == ("sink down: no route to host",))
    assert telling.health().status == "degraded"
    assert site.committed("down") == 0
    down.down = ""
    until(lambda: site.committed("down") == 300)
    assert sorted(down.got) == sorted(up.got)
    until(lambda: telling.health().status == "ok")


def test_what_was_not_told_is_read_again_by_the_next_process(site: Site) -> None:
    siem = Siem()
    first = site.start(siem)
    site.publish(alert("a1"))
    until(lambda: site.committed() == 1)
    siem.down = "no route to host"
    site.publish(alert("a2"), alert("a3"))
    until(lambda: siem.tries > 2)
    first.close()
    site.running.remove(first)
    after = Siem()
    site.start(after)
    until(lambda: site.committed() == 3)
    assert sorted(after.got) == [("a2", 1), ("a3", 1)]


@pytest.mark.parametrize("known", [True, False])
def test_what_the_sink_knows_to_have_arrived_is_not_told_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    def received(alerts: Sequence[Alert]) -> set[tuple[str, int]]:
        if known:
            return {("a1", 1)}
        raise SinkError("unreadable")

    siem = Siem()
    monkeypatch.setattr(siem, "received", received)
    site.publish(alert("a1"), alert("a2"))
    site.start(siem)
    until(lambda: site.committed() == 2)
    assert sorted(siem.got) == ([("a2", 1)] if known else [("a1", 1), ("a2", 1)])


def test_what_a_sink_does_not_want_is_done_with(site: Site) -> None:
    siem = Siem(settings=SinkSettings(least="critical", gather=0.0))
    site.start(siem)
    site.publish(alert("a1"), alert("a2", "critical"))
    until(lambda: site.committed() == 2)
    assert siem.got == [("a2", 1)]


def one_partition(site: Site, prefix: str, count: int) -> list[str]:
    """Names of alerts that lie in the same partition."""
    names = (f"{prefix}{number}" for number in range(1000))
    return [name for name in names if zlib.crc32(name.encode()) % 2 == 0][:count]


def test_what_is_held_for_a_summary_is_not_committed_before_that(site: Site) -> None:
    names = one_partition(site, "a", 20)
    siem = Siem(settings=SinkSettings(gather=3600.0))
    first = site.start(siem)
    site.publish(*(alert(name, incident="i1") for name in names))
    until(lambda: siem.got)
    first.close()
    site.running.remove(first)
    assert siem.got == [(names[0], 1)]
    after = Siem(settings=SinkSettings(gather=0.2))
    site.start(after)
    until(lambda: site.committed() == 20)
    assert [name in names for name, _ in after.got] == [True, False]  # one as itself, one summary


@pytest.mark.parametrize("how", ["restarted", "on another machine", "connected again"])
def test_what_was_told_beyond_what_is_held_is_not_told_again(site: Site, how: str) -> None:
    names = one_partition(site, "a", 30)
    siem = Siem(settings=SinkSettings(gather=3600.0))
    telling = site.start(siem)
    held, others = names[:2], names[2:]
    site.publish(*(alert(name, incident="i1") for name in held))
    site.publish(*(alert(name) for name in others))  # each an incident of its own
    until(lambda: len(siem.got) == 29)  # the second waits for its summary
    until(lambda: site.committed() == 1)  # so it keeps the place
    again = siem
    if how == "connected again":
        [reader] = telling._readers
        poll = MemorySubscription.poll
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MemorySubscription, "poll", broken)
            until(lambda: reader.bus_trouble)
        assert MemorySubscription.poll is poll
    else:
        telling.close()
        site.running.remove(telling)
        if how == "on another machine":
            site.folder = site.folder.with_name("other")
        again = Siem(settings=SinkSettings(gather=3600.0))
        site.start(again)
    site.publish(alert("last"))
    until(lambda: ("last", 1) in again.got)
    told = Counter(siem.got if again is siem else siem.got + again.got)
    repeated = {name for (name, _), count in told.items() if count > 1}
    assert repeated == (set(others) if how == "on another machine" else set())


def broken(self: MemorySubscription, timeout: float) -> list[Message]:
    raise BusError("no broker answers")


def test_a_memory_that_cannot_be_kept_costs_repetitions_only(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.folder.write_text("in the way")
    siem = Siem()
    site.start(siem)
    site.publish(alert("a1"), alert("a2"))
    until(lambda: site.committed() == 2)
    assert caplog.text.count("state unusable") >= 1


def test_a_slow_receiver_stops_the_reading_not_the_memory(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.telling.reader.FULL", 10)
    siem = Siem()
    siem.open.clear()
    telling = site.start(siem)
    site.publish(*(alert(f"a{number}") for number in range(20)))
    until(lambda: siem.tries)
    [reader] = telling._readers
    until(lambda: reader._delivery.held() == 20)
    site.publish(*(alert(f"b{number}") for number in range(20)))
    polls: list[float] = []
    poll = MemorySubscription.poll

    def counted(self: MemorySubscription, timeout: float) -> list[Message]:
        polls.append(timeout)
        return poll(self, timeout)

    monkeypatch.setattr(MemorySubscription, "poll", counted)
    until(lambda: len(polls) > 4)
    assert reader._delivery.held() == 20
    siem.open.set()
    until(lambda: site.committed() == 40)
    assert len(siem.got) == 40


def test_a_partition_is_read_in_its_order_whatever_its_stamps_say(site: Site) -> None:
    site.publish(alert("a1"))
    site.now -= 60.0  # another worker's clock is behind
    site.publish(alert("a1", revision=2))
    siem = Siem()
    site.start(siem)
    until(lambda: site.committed() == 2)
    assert siem.got[-1] == ("a1", 2)


def test_a_new_sink_begins_with_the_alerts_of_the_last_day(site: Site) -> None:
    site.publish(alert("old"))
    site.now += 2 * 86400.0
    site.publish(alert("new"))
    siem = Siem()
    site.start(siem)
    until(lambda: site.committed() == 2)
    assert siem.got == [("new", 1)]


def test_a_bus_that_is_away_is_asked_again(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    siem = Siem()
    site.broken = "no broker answers"
    telling = site.start(siem)
    until(lambda: telling.health().degraded == ("no broker answers",))
    site.broken = ""
    site.publish(alert("a1"))
    until(lambda: siem.got)
    until(lambda: telling.health().status == "ok")
    assert caplog.text.count("no broker answers") == 1


class Control:
    def __init__(self, *reloads: Config) -> None:
        self.stops = False
        self.reloads = list(reloads)

    def stopped(self) -> bool:
        return self.stops

    def reloaded(self) -> Config | None:
        return self.reloads.pop() if self.reloads else None


def test_a_reload_goes_on_with_other_sinks(site: Site) -> None:
    before, after = Siem("before"), Siem("after")
    telling = site.start(before)
    site.publish(alert("a1"))
    until(lambda: site.committed("before") == 1)
    control = Control(site.config(after))
    loop = threading.Thread(target=telling.run, args=(control,))
    loop.start()
    until(lambda: after.got == [("a1", 1)])
    site.publish(alert("a2"))
    until(lambda: ("a2", 1) in after.got)
    control.stops = True
    loop.join()
    assert before.got == [("a1", 1)]
    assert telling.pulse.health().status == "ok"


def test_each_sink_has_a_group_of_its_own(site: Site) -> None:
    assert group(site.config(), "desk") == "mailwarden-sink-desk"


def test_without_a_sink_there_is_nothing_to_do(tmp_path: Path) -> None:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text('[http]\nlisten = ""\n')
    result = CliRunner().invoke(cli, ["sinks", "-c", str(settings)])
    assert result.exit_code == 2
    assert f"{settings}: no sink is configured: add [sinks.NAME]" in result.output
