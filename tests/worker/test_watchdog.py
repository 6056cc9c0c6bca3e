from types import SimpleNamespace
from typing import Any

import pytest

from agents.worker.watchdog import END, STUCK, Watchdog, lag
from streams import metrics

FACTS = "mail.facts"


class Coordinator:
    def __init__(self) -> None:
        self.dead = False
        self._pending_exception: Exception | None = None
        self._coordination_task = SimpleNamespace(done=lambda: self.dead)
        self.coordinator_id: int | None = 1

    def check_errors(self) -> None:
        error, self._pending_exception = self._pending_exception, None
        if error is not None:
            raise error


class Site:
    """A worker, its consumer, and a clock that stands."""

    def __init__(self) -> None:
        self.coordinator = Coordinator()
        self.now = 0.0
        self.reasons: list[str] = []
        self.states: dict[Any, Any] = {}
        assignment = SimpleNamespace(tps=self.states, state_value=self.states.get)
        subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))
        self.searches = {"consumer": False, "producer": False}  # whether each has ended
        self.consumer = SimpleNamespace(
            _coordinator=self.coordinator,
            _subscription=subscription,
            _client=self._client("consumer"),
        )
        producer = SimpleNamespace(_producer=SimpleNamespace(client=self._client("producer")))
        loop = SimpleNamespace(call_soon_threadsafe=lambda call, *given: call(*given))
        thread = SimpleNamespace(_consumer=self.consumer, thread_loop=loop)
        self.worker: Any = SimpleNamespace(
            app=SimpleNamespace(
                should_stop=False, consumer=SimpleNamespace(_thread=thread), producer=producer
            ),
            folded=0,
            reached=False,
            sources=frozenset({FACTS}),
            behind=lambda place, end: place.behind,
        )
        self.ended = 0
        self.answers = True
        self.watchdog = Watchdog(
            self.worker,
            self.reasons.append,
            self._end,
            lambda: self.answers,
            lambda: self.now,
        )

    def _client(self, name: str) -> Any:
        return SimpleNamespace(_sync_task=SimpleNamespace(done=lambda: self.searches[name]))

    def _end(self) -> None:
        self.ended += 1

    def put(
        self,
        topic: str,
        position: int,
        highwater: int | None,
        valid: bool = True,
        behind: int | None = None,
    ) -> None:
        self.states[_Place(topic, behind)] = SimpleNamespace(
            position=position, highwater=highwater, has_valid_position=valid
        )


class _Place:
    def __init__(self, topic: str, behind: int | None) -> None:
        self.topic = topic
        self.behind = behind  # by the count of the worker


def test_a_worker_without_messages_is_left_alone() -> None:
    site = Site()
    for site.now in (0.0, STUCK + 1, 10 * STUCK):
        site.watchdog.look()
    assert site.reasons == []


def test_a_dead_coordination_is_a_reason() -> None:
    site = Site()
    site.coordinator.dead = True
    site.watchdog.look()
    assert site.reasons == ["the consumer group's coordination ended"]


@pytest.mark.parametrize("name", ["consumer", "producer"])
def test_a_client_that_looks_for_brokers_no_more_is_a_reason(name: str) -> None:
    site = Site()
    site.searches[name] = True
    site.watchdog.look()
    assert site.reasons == [f"the {name}'s search for brokers ended"]


def test_a_broker_that_answers_and_is_not_found_is_a_reason_after_a_minute() -> None:
    site = Site()
    site.watchdog.look()
    site.coordinator.coordinator_id = None
    for site.now in (1.0, STUCK):
        site.watchdog.look()
    assert site.reasons == []
    site.now = STUCK + 1
    site.watchdog.look()
    assert len(site.reasons) == 1


def test_a_broker_that_is_away_for_long_is_no_reason() -> None:
    site = Site()
    site.answers = False
    site.coordinator.coordinator_id = None
    for site.now in (1.0, 10 * STUCK):
        site.watchdog.look()
    assert site.reasons == []


def test_an_error_that_aiokafka_has_parked_is_consumed(caplog: pytest.LogCaptureFixture) -> None:
    site = Site()
    site.coordinator._pending_exception = RuntimeError("not our generation")
    site.watchdog.look()
    assert site.coordinator._pending_exception is None
    assert "not our generation" in caplog.text
    assert site.reasons == []


def test_messages_that_wait_without_progress_are_a_reason_after_a_minute() -> None:
    site = Site()
    site.put(FACTS, 5, 9)
    site.watchdog.look()
    site.now = STUCK
    site.watchdog.look()
    assert site.reasons == []
    site.now = STUCK + 1
    site.watchdog.look()
    assert len(site.reasons) == 1


def test_progress_begins_the_minute_anew() -> None:
    site = Site()
    site.put(FACTS, 5, 9)
    site.watchdog.look()
    site.now, site.worker.folded = STUCK, 1
    site.watchdog.look()
    site.now = 2 * STUCK
    site.watchdog.look()
    assert site.reasons == []


def test_a_worker_that_ends_is_left_alone() -> None:
    site = Site()
    site.coordinator.dead = True
    site.worker.app.should_stop = True
    site.watchdog.look()
    assert site.reasons == []


def test_a_worker_that_cannot_end_is_ended() -> None:
    site = Site()
    site.worker.app.should_stop = True
    for site.now in (1.0, 1.0 + END):
        site.watchdog.look()
    assert site.ended == 0
    site.now += 0.1
    site.watchdog.look()
    assert site.ended == 1


def test_it_says_once_that_no_broker_answers_and_once_that_one_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    site = Site()
    for brokers in (None, 1, 1, None, None, 1):
        site.coordinator.coordinator_id = brokers
        site.watchdog.look()
        assert site.worker.reached is (brokers is not None)
        assert metrics.BUS_UP._value.get() == (brokers is not None)
    said = [record.getMessage().partition(";")[0] for record in caplog.records]
    assert said == ["the brokers answer", "no broker answers", "the brokers answer"]


def test_a_worker_that_has_not_begun_is_left_alone() -> None:
    site = Site()
    site.worker.app.consumer = None
    site.watchdog.look()
    assert site.reasons == []


def test_lag_counts_what_was_not_fetched_of_the_topics_that_we_read() -> None:
    site = Site()
    site.put(FACTS, 5, 9)
    site.put(FACTS, 9, 9)
    site.put(FACTS, 0, 7, valid=False)
    site.put(FACTS, 3, None)
    site.put("changelog", 0, 100)
    assert lag(site.consumer, site.worker) == 4


def test_what_was_fetched_and_not_taken_lags_as_well() -> None:
    site = Site()
    site.put(FACTS, 9, 9, behind=4)
    site.put(FACTS, 5, 9, behind=0)
    assert lag(site.consumer, site.worker) == 4


@pytest.mark.parametrize("found", [None, SimpleNamespace(assignment=None)])
def test_lag_without_an_assignment_is_none(found: Any) -> None:
    consumer = SimpleNamespace(_subscription=SimpleNamespace(subscription=found))
    assert lag(consumer, Site().worker) == 0


def test_the_thread_looks_until_it_is_stopped_whatever_it_finds(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.worker.watchdog.EVERY", 0.001)
    site = Site()
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            site.watchdog.stop()
        raise RuntimeError("half closed")

    site.watchdog.look = look  # type: ignore[method-assign]
    site.watchdog.start()
    site.watchdog._thread.join(10)
    assert looks == 3
    assert "could not look" in caplog.text
