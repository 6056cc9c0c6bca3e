"""The worker around Faust, with everything of Faust that moves replaced."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import IllegalStateError, KafkaError
from faust.types import TP

from agents.configuration import Config, build
from agents.worker import app as module
from agents.worker import flush
from agents.worker import worker as tested
from agents.worker.order import IDLE, Order
from agents.worker.partition import Topic
from agents.worker.worker import Worker
from load.tally import Tally
from schemas import wire
from schemas.events import Auth
from schemas.findings import Finding, Subject
from schemas.gateways import GatewayState
from schemas.keys import partition
from schemas.settings import HttpSettings, KafkaSettings, Settings, SiteSettings
from streams import metrics
from streams.bus import BusError
from streams.kafka_lookup import Lookup

SETTINGS = KafkaSettings(prefix="site.", partitions=2)
GUESS = Auth(at=1000.0, client="192.0.2.1")
FROM_MX1 = Auth(at=1000.0, client="192.0.2.1", gateway="mx1")
FACTS, EVENTS = "site.mail.facts", "site.mail.events"


class Event:
    def __init__(self, offset: int, value: bytes, place: TP) -> None:
        self.value = value
        self.acked = False
        self.message = SimpleNamespace(
            offset=offset,
            partition=place.partition,
            tp=place,
            timestamp=2000.0,
            headers=[],
        )

    def ack(self) -> None:
        self.acked = True


class Stream:
    def __init__(self, events: list[Event], after: Callable[[], Awaitable[None]] | None) -> None:
        self._events = events
        self._after = after

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[Event]:
        for event in self._events:
            yield event
        if self._after is not None:
            await self._after()


class Broker:
    """What it has: every offset but those of `empty`, up to `end`."""

    def __init__(self) -> None:
        self.empty: set[int] = set()
        self.end = 100
        self.asked: list[tuple[str, int, int]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def first(self, topic: str, partition: int, offset: int) -> int | None:
        self.asked.append((topic, partition, offset))
        self.meanwhile()
        return next((found for found in range(offset, self.end) if found not in self.empty), None)


class Site:
    def __init__(self, *gateways: str) -> None:
        self.broker = Broker()
        self.app: Any = module.make(SETTINGS, Path("unused"))
        settings = Settings(
            kafka=SETTINGS, http=HttpSettings(listen=""), site=SiteSettings(gateways=gateways)
        )
        self.hangups: list[Config] = []
        self.worker = Worker(
            build(settings),
            self.app,
            Topic("id", 2),
            lambda: self.hangups.pop() if self.hangups else None,
            lambda _: cast(Lookup, self.broker),
        )
        self.sent: list[tuple[str, Any, Any, Any]] = []
        self.commits = 0
        self.refuses = False
        self.events: list[Event] = []
        self.app.producer = SimpleNamespace(send=self._send)
        self.coordinator = SimpleNamespace(coordinator_id=1)
        self.committed: dict[TP, int] = {}
        self.ends: dict[TP, int] = {}
        self.read_again: list[tuple[TP, int]] = []
        self.passed_over: list[tuple[TP, int]] = []
        assignment = SimpleNamespace(state_value=self._state)
        client = SimpleNamespace(
            _coordinator=self.coordinator,
            _subscription=SimpleNamespace(subscription=SimpleNamespace(assignment=assignment)),
            committed=self.committed.get,
        )
        self.app.consumer = SimpleNamespace(
            commit=self._commit,
            seek_wait=self._seek,
            resume_partitions=lambda _: None,
            pass_over=lambda place, offset: self.passed_over.append((place, offset)),
            _thread=SimpleNamespace(_consumer=client, call_thread=self._call),
        )
        self.app.rebalancing = False
        self.worker.reached = True
        self.take_up({0, 1})

    def take_up(self, partitions: set[int]) -> None:
        """They are assigned, and restored."""
        self.worker.assigned(places(partitions))
        asyncio.run(self.worker.restored())

    def _state(self, place: TP) -> Any:
        return SimpleNamespace(highwater=self.ends.get(place))

    async def _seek(self, offsets: dict[TP, int]) -> None:
        self.read_again += offsets.items()

    async def _call(self, call: Callable[..., Any], *given: Any) -> Any:
        return call(*given)

    async def _send(self, topic: str, key: Any, value: Any, partition: Any, *_: Any) -> Any:
        if self.refuses:
            raise ConnectionError("refused")
        self.sent.append((topic.removeprefix("site."), key, value, partition))
        return asyncio.sleep(0)

    async def _commit(self) -> None:
        self.commits += 1

    def stream(
        self,
        *offsets: int,
        value: bytes = wire.encode(GUESS),
        partition: int = 0,
        topic: str = FACTS,
        after: Callable[[], Awaitable[None]] | None = None,
    ) -> Any:
        self.events += [Event(offset, value, TP(topic, partition)) for offset in offsets]
        return Stream(self.events[-len(offsets) :], after)

    def topics(self) -> list[str]:
        return [topic for topic, *_ in self.sent]


def places(partitions: set[int]) -> list[TP]:
    return [TP(topic, number) for topic in (FACTS, EVENTS) for number in partitions]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr("agents.configuration.DETECTORS", {Tally.name: Tally})
    return Site()


def home() -> int:
    """The partition of the client that guesses."""
    return partition("c:192.0.2.1", 2)


def test_what_was_folded_is_acked_by_the_flush_and_not_before(site: Site) -> None:
    async def play() -> None:
        await site.worker.fold(site.stream(0, 1, partition=home()))
        assert [event.acked for event in site.events] == [False, False]
        await site.worker.tick()
        assert [event.acked for event in site.events] == [True, True]

    asyncio.run(play())
    assert site.topics() == ["mailwarden-records-changelog"]
    assert site.worker.folded == 2


def test_messages_of_partitions_that_are_not_ours_are_left_to_others(site: Site) -> None:
    asyncio.run(site.worker.fold(site.stream(0, partition=2)))
    asyncio.run(site.worker.route(site.stream(0, partition=2, topic=EVENTS)))
    assert site.worker.folded == 0
    assert site.read_again == []


def test_between_a_revocation_and_an_assignment_nothing_is_folded(site: Site) -> None:
    async def play() -> None:
        await site.worker.fold(site.stream(0, partition=home()))
        await site.worker.revoked()
        assert site.events[0].acked
        assert site.commits == 1
        await site.worker.fold(site.stream(1, partition=home()))
        await site.worker.tick()
        assert not site.events[1].acked
        site.worker.assigned(places({home()}))
        await site.worker.restored()
        await site.worker.fold(site.stream(1, partition=home()))
        await site.worker.tick()
        assert site.events[2].acked

    asyncio.run(play())
    assert [value is None for *_, value, _ in site.sent] == [False, False, True]


@pytest.mark.parametrize("of", ["fold", "route"])
def test_after_a_failed_send_nothing_is_sent_and_acked_any_more(site: Site, of: str) -> None:
    async def play() -> None:
        agent = getattr(site.worker, of)
        await agent(site.stream(0, partition=home()))
        site.refuses = True
        with pytest.raises(ConnectionError):
            await (site.worker.flush() if of == "fold" else site.worker.send_routed())
        site.refuses = False
        await agent(site.stream(1, partition=home()))
        await site.worker.revoked()

    asyncio.run(play())
    assert [event.acked for event in site.events] == [False, False]
    assert site.sent == []


def test_a_partition_is_restored_with_what_was_kept(site: Site) -> None:
    async def play() -> None:
        await site.worker.fold(site.stream(0, 1, partition=home()))
        await site.worker.revoked()
        site.worker.assigned(places({home()}))
        await site.worker.restored()
        await site.worker.tick()

    asyncio.run(play())
    assert site.worker._partitions[home()].offset == 1


def test_partitions_are_taken_up_when_they_are_restored_whatever_faust_says(site: Site) -> None:
    async def play() -> None:
        await site.worker.revoked()
        site.worker.assigned(places({0, 1}))
        site.app.rebalancing = False  # the recovery of an earlier rebalance has ended
        await site.worker.tick()
        await site.worker.fold(site.stream(0, partition=home()))
        assert site.worker._partitions == {}
        await site.worker.restored()
        await site.worker.tick()
        assert sorted(site.worker._partitions) == [0, 1]

    asyncio.run(play())


def test_a_recovery_that_a_revocation_has_overtaken_counts_for_nothing(site: Site) -> None:
    async def play() -> None:
        await site.worker.revoked()
        await site.worker.restored()
        await site.worker.fold(site.stream(0, partition=home()))

    asyncio.run(play())
    assert site.worker.folded == 0


def test_where_messages_are_missing_they_are_read_again(site: Site) -> None:
    asyncio.run(site.worker.fold(site.stream(0, 3, 4, 1, 2, 3, 4)))
    assert [event.acked for event in site.events] == 7 * [False]
    assert site.read_again == [(TP(FACTS, 0), 1)]
    assert site.worker.folded == 5


def test_a_message_that_comes_twice_before_those_that_are_missing_costs_none(site: Site) -> None:
    """Faust gave it twice around a rebalance: what was read again came only then."""
    asyncio.run(site.worker.fold(site.stream(0, 3, 3, 1, 2, 3)))
    assert site.read_again == [(TP(FACTS, 0), 1)]
    assert site.worker._partitions[0].offset == 3
    assert site.worker._partitions[0].counts.replayed == 0


def test_offsets_at_which_the_broker_has_nothing_are_passed_over(site: Site) -> None:
    site.broker.empty = {1, 2}
    asyncio.run(site.worker.fold(site.stream(0, 3, 4)))
    assert site.broker.asked == [(FACTS, 0, 1)]
    assert site.passed_over == [(TP(FACTS, 0), 3)]
    assert site.read_again == []
    assert site.worker.folded == 3


def test_a_gap_of_which_only_a_part_is_empty_is_read_from_there(site: Site) -> None:
    site.broker.empty = {1}
    asyncio.run(site.worker.fold(site.stream(0, 3, 2, 3)))
    assert site.passed_over == [(TP(FACTS, 0), 2)]
    assert site.read_again == [(TP(FACTS, 0), 2)]
    assert site.worker.folded == 3


def test_partitions_that_go_while_the_broker_is_asked_are_left_alone(site: Site) -> None:
    site.broker.meanwhile = site.worker._order.forget
    asyncio.run(site.worker.fold(site.stream(0, 3)))
    assert (site.read_again, site.passed_over, site.worker.folded) == ([], [], 1)


def test_while_no_broker_says_what_lies_in_a_gap_nothing_beyond_is_taken(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> None:
        raise BusError("no broker")

    site.broker.meanwhile = away
    asyncio.run(site.worker.fold(site.stream(0, 3)))
    assert (site.read_again, site.passed_over, site.worker.folded) == ([], [], 1)
    assert 'cannot be looked at topic=site.mail.facts partition=0 reason="no broker' in caplog.text


def test_messages_that_are_missing_at_the_beginning_are_read_as_well(site: Site) -> None:
    site.committed[TP(FACTS, 0)] = 7
    site.take_up({0})
    asyncio.run(site.worker.fold(site.stream(9)))
    assert site.read_again == [(TP(FACTS, 0), 7)]
    asyncio.run(site.worker.route(site.stream(2, topic=EVENTS)))
    assert site.read_again[1:] == [(TP(EVENTS, 0), 0)]


def test_what_is_safe_counts_more_than_what_was_committed(site: Site) -> None:
    async def play() -> None:
        await site.worker.fold(site.stream(0, 1, partition=home()))
        await site.worker.revoked()
        site.committed[TP(FACTS, home())] = 1
        site.worker.assigned(places({home()}))
        await site.worker.restored()
        await site.worker.fold(site.stream(4, partition=home()))

    asyncio.run(play())
    assert site.read_again == [(TP(FACTS, home()), 2)]


def test_where_nothing_comes_although_there_is_more_it_is_read_again(site: Site) -> None:
    clock = Clock()
    site.worker._order = Order(clock.time)
    site.take_up({0, 1})
    site.ends[TP(FACTS, 0)] = 5

    async def play() -> None:
        await site.worker.fold(site.stream(0))
        await site.worker.tick()
        assert site.read_again == []
        clock.now += IDLE + 1
        await site.worker.tick()

    asyncio.run(play())
    assert site.read_again == [(TP(FACTS, 0), 1)]


def test_an_end_that_no_message_will_reach_is_asked_about_once(site: Site) -> None:
    """The mark of a transaction is the last that lies there."""
    clock = Clock()
    site.worker._order = Order(clock.time)
    site.take_up({0, 1})
    site.ends[TP(FACTS, 0)] = 2
    site.broker.end = 1

    async def play() -> None:
        await site.worker.fold(site.stream(0))
        for _ in range(3):
            clock.now += IDLE + 1
            await site.worker.tick()

    asyncio.run(play())
    assert site.broker.asked == [(FACTS, 0, 1)]
    assert site.read_again == []


def test_brokers_that_do_not_tell_what_is_committed_are_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.worker.client.RETRY", 0.0)
    answers = [KafkaError("no coordinator"), 3]

    async def call(*_: Any) -> int:
        answer = answers.pop(0) if answers else 0
        if isinstance(answer, Exception):
            raise answer
        return answer

    site.app.consumer._thread.call_thread = call
    site.worker.assigned([TP(FACTS, 0)])
    asyncio.run(site.worker.restored())
    assert site.worker.behind(TP(FACTS, 0), 5) == 2


def test_a_partition_that_goes_meanwhile_is_not_read_again(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async def gone(_: Any) -> None:
        raise IllegalStateError("not assigned")

    site.app.consumer.seek_wait = gone
    asyncio.run(site.worker.fold(site.stream(2)))
    assert "cannot be read again" in caplog.text


def test_an_offset_that_comes_again_is_none(site: Site) -> None:
    asyncio.run(site.worker.fold(site.stream(0, 1, 0, 1, 2)))
    assert site.worker.folded == 5
    assert site.read_again == []


def test_the_stream_waits_for_a_flush_when_much_was_folded(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tested, "UNFLUSHED", 1)
    asyncio.run(site.worker.fold(site.stream(0, 1, 2, partition=home())))
    assert [event.acked for event in site.events] == [True, True, False]


def test_dead_letters_are_sent_with_the_flush(site: Site) -> None:
    async def play() -> None:
        await site.worker.fold(site.stream(0, value=b"{"))
        await site.worker.route(site.stream(0, value=b"[", topic=EVENTS))
        await site.worker.flush()

    asyncio.run(play())
    assert [(topic, key) for topic, key, *_ in site.sent] == [
        ("mail.dead", b"mail.facts/0"),
        ("mail.dead", b"mail.events/0"),
        ("mailwarden-records-changelog", b"0/0"),
    ]
    assert site.events[0].acked


def test_events_of_others_are_routed_after_a_moment_and_then_acked(site: Site) -> None:
    async def play() -> None:
        await site.worker.route(site.stream(0, 1, topic=EVENTS))
        for _ in range(200):
            if site.events[1].acked:
                break
            await asyncio.sleep(0.01)

    asyncio.run(play())
    assert [event.acked for event in site.events] == [True, True]
    ((topic, _, value, partition),) = site.sent
    assert (topic, partition) == ("mail.facts", home())
    assert wire.decode_events(value) == [GUESS, GUESS]


def test_many_events_of_others_are_routed_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tested, "UNROUTED", 2)

    async def acked() -> None:
        assert [event.acked for event in site.events] == [True, True, False]

    asyncio.run(site.worker.route(site.stream(0, 1, 2, after=acked, topic=EVENTS)))


def test_the_signals_and_the_timer_of_faust_lead_here(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []

    async def note(*_: Any) -> None:
        called.append("flush")

    monkeypatch.setattr(site.worker, "flush", note)

    async def play() -> None:
        await site.app.on_partitions_revoked.send({TP("site.mail.facts", 0)})
        await site.app.on_partitions_assigned.send(
            {TP("site.mail.facts", 1), TP("site.mailwarden-records-changelog", 0)}
        )
        await site.app.on_before_shutdown.send()

    asyncio.run(play())
    assert called == ["flush", "flush"]
    assert site.worker._assigned == {TP(FACTS, 1)}


def test_health_says_what_is_missing_first(site: Site) -> None:
    site.worker.reached = False
    assert site.worker._health().degraded == ("no broker answers",)
    site.worker.reached = True
    assert site.worker._health().degraded == ()
    site.worker._live = False
    assert site.worker._health().degraded == ("it has no partitions yet",)


def test_the_lag_is_the_age_of_what_was_folded_last(site: Site) -> None:
    async def play() -> None:
        await site.worker.tick()
        partition = site.worker._partitions[0]
        partition.shard.clock = time.time() - 500.0
        partition.counts.events = 1
        site.worker._count()
        partition.shard.clock = time.time()
        site.worker._count()

    asyncio.run(play())
    assert metrics.LAG._value.get() >= 500.0


def test_what_was_evicted_or_late_is_counted_once(site: Site) -> None:
    before, late = metrics.EVICTIONS._value.get(), metrics.LATE._value.get()

    async def play() -> None:
        await site.worker.tick()
        site.worker._partitions[0].shard.evicted = 3
        site.worker._partitions[0].shard.late = 2
        await site.worker.tick()
        await site.worker.tick()

    asyncio.run(play())
    assert metrics.EVICTIONS._value.get() - before == 3
    assert metrics.LATE._value.get() - late == 2


class Clock:
    """Instead of the module time."""

    def __init__(self) -> None:
        self.now = 2000.0

    def time(self) -> float:
        return self.now

    monotonic = time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(tested, "time", made)
    monkeypatch.setattr(flush, "time", made)
    return made


def silent(site: Site) -> list[tuple[str, str]]:
    """Who is said to be silent, and who to speak again."""
    alerts = [
        wire.decode_alert(value) for topic, _, value, _ in site.sent if topic == "mail.alerts"
    ]
    return [(alert.subject.value, alert.state) for alert in alerts]


@pytest.mark.usefixtures("site")
def test_an_expected_gateway_that_falls_silent_is_an_alert_of_one_partition(clock: Clock) -> None:
    site = Site("mx1", "mx2")

    async def play() -> None:
        await site.worker.tick()
        clock.now += 600
        await site.worker.tick()
        await site.worker.tick()

    asyncio.run(play())
    assert sorted(silent(site)) == [("mx1", "open"), ("mx2", "open")]
    assert sorted(site.worker._health().degraded) == ["mx1 is silent", "mx2 is silent"]
    assert metrics.GATEWAYS_SILENT._value.get() == 2


@pytest.mark.usefixtures("site")
def test_a_broker_that_is_away_is_no_silence_of_gateways(clock: Clock) -> None:
    site = Site("mx1")

    async def play() -> None:
        await site.worker.tick()
        site.coordinator.coordinator_id = None
        clock.now += 600
        await site.worker.tick()
        site.coordinator.coordinator_id = 1
        clock.now += 599
        await site.worker.tick()
        assert silent(site) == []
        clock.now += 1
        await site.worker.tick()

    asyncio.run(play())
    assert silent(site) == [("mx1", "open")]


class Heard:
    """What the gateways told."""

    def __init__(self) -> None:
        self.states: dict[str, GatewayState] = {}
        self.complete = True
        self.below = 0

    def expected(self, now: float) -> int:
        return self.below

    def say(self, name: str, at: float, generation: int = 0) -> None:
        self.states[name] = GatewayState(
            gateway=name, at=at, complete=True, decisions=0, enforced=0, generation=generation
        )


@pytest.mark.usefixtures("site")
def test_a_gateway_that_enforces_nothing_more_is_an_alert_of_one_partition(clock: Clock) -> None:
    site = Site()
    site.worker._hearing = heard = Heard()  # type: ignore[assignment]
    heard.say("mx1", clock.now)
    heard.say("mx2", clock.now)

    async def play() -> None:
        await site.worker.tick()
        clock.now += 50
        heard.say("mx2", clock.now)
        await site.worker.tick()
        clock.now += 11
        await site.worker.tick()
        await site.worker.tick()
        assert silent(site) == [("mx1", "open")]
        assert site.worker._health().degraded == ("gateway mx1: gone",)
        heard.below = 5
        heard.say("mx2", clock.now, generation=5)
        del heard.states["mx1"]  # forgotten by a person
        await site.worker.tick()
        assert silent(site) == [("mx1", "open"), ("mx1", "withdrawn")]
        heard.below = 6
        await site.worker.tick()

    asyncio.run(play())
    assert silent(site)[2:] == [("mx2", "open")]


@pytest.mark.usefixtures("site")
def test_nobody_is_gone_while_the_gateways_cannot_be_heard(clock: Clock) -> None:
    site = Site()
    site.worker._hearing = heard = Heard()  # type: ignore[assignment]
    heard.say("mx1", clock.now)

    async def play() -> None:
        await site.worker.tick()
        heard.complete = False
        clock.now += 600
        await site.worker.tick()
        heard.complete = True
        clock.now += 60
        await site.worker.tick()

    asyncio.run(play())
    assert silent(site) == []


def test_gateways_of_the_events_of_others_have_heartbeats(site: Site, clock: Clock) -> None:
    async def play() -> None:
        await site.worker.route(site.stream(0, value=wire.encode(FROM_MX1), topic=EVENTS))
        await site.worker.send_routed()
        site.sent.clear()
        await site.worker.tick()

    asyncio.run(play())
    ((topic, _, value, target),) = site.sent
    assert (topic, target) == ("mail.facts", partition("g:mx1", 2))
    assert [event.gateway for event in wire.decode_events(value)] == ["mx1"]


def test_after_a_failed_send_there_are_no_heartbeats_either(site: Site) -> None:
    async def play() -> None:
        await site.worker.route(site.stream(0, value=wire.encode(FROM_MX1), topic=EVENTS))
        site.refuses = True
        with pytest.raises(ConnectionError):
            await site.worker.send_routed()
        site.refuses = False
        await site.worker.tick()

    asyncio.run(play())
    assert site.sent == []


def test_other_settings_are_taken_up_with_the_same_memory(site: Site, clock: Clock) -> None:
    async def play() -> None:
        await site.worker.fold(site.stream(*range(39), partition=home()))
        await site.worker.tick()
        site.hangups.append(
            build(
                Settings(
                    kafka=KafkaSettings(prefix="other.", partitions=9),
                    site=SiteSettings(gateways=("mx1",), silent_after=30.0),
                    detectors={"tally": {"many": 40}},
                )
            )
        )
        await site.worker.fold(site.stream(39, partition=home()))
        await site.worker.tick()
        await site.worker.fold(site.stream(40, partition=home()))
        clock.now += 30
        await site.worker.tick()

    asyncio.run(play())
    assert ("mx1", "open") in silent(site)
    assert site.worker._router.heartbeats.silent_after == 30.0
    alerts = [
        wire.decode_alert(value) for topic, _, value, _ in site.sent if topic == "mail.alerts"
    ]
    assert {a.evidence[0].count for a in alerts if a.detector == "tally"} >= {41}
    assert not any(topic.startswith("other.") for topic in site.topics())


def test_what_a_domain_has_of_its_own_is_taken_up(site: Site) -> None:
    finding = Finding(
        id="1",
        detector="tally",
        shape="many",
        severity="high",
        subject=Subject("client", "192.0.2.1"),
        first=1.0,
        last=1.0,
        at=1.0,
        summary="",
        targets=["anna@shop.example.org"],
    )

    def stages() -> list[str]:
        return [
            partition.shard.response.answer(finding, {}, 1.0)[0].stage
            for partition in site.worker._partitions.values()
        ]

    assert stages() == ["alert", "alert"]
    domains = {"example.org": {"stage": "observe"}}
    site.hangups.append(build(Settings(kafka=SETTINGS, domains=domains)))
    asyncio.run(site.worker.tick())
    assert stages() == ["observe", "observe"]
