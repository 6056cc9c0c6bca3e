"""Workers on the real broker: every count and every finding as in one shard."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.configuration import build_shard
from agents.detectors import DETECTORS
from load.cluster import Cluster, Process, essence, expected, guesses, packed, wait
from load.tally import Tally
from schemas import wire
from schemas.events import Auth, Fact
from tools.kafka import Broker

pytestmark = pytest.mark.broker

SECONDS = 180.0  # no test waits longer for anything; clients of a broker that died wait long

Start = Callable[[Broker], Cluster]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Makes a site with the tally as its only detector."""
    monkeypatch.setitem(DETECTORS, Tally.name, Tally)
    for name in [name for name in DETECTORS if name != Tally.name]:
        monkeypatch.delitem(DETECTORS, name)
    made: list[Cluster] = []

    def begin(broker: Broker) -> Cluster:
        made.append(Cluster(broker.bootstrap, tmp_path, partitions=4))
        return made[-1]

    yield begin
    for cluster in made:
        cluster.close()


def assert_right(cluster: Cluster, events: list[Auth]) -> None:
    """Records and alerts are those of one shard that folded the same events."""
    records, alerts = expected(build_shard(cluster.config), events)
    assert cluster.drained(SECONDS), cluster.told()
    assert cluster.records() == records
    assert essence(cluster.alerts()) == essence(alerts)


def serves(process: Process) -> bool:
    return wait(lambda: process.said("partitions assigned"), SECONDS)


def feed(cluster: Cluster, events: list[Auth], rate: float) -> threading.Thread:
    batches = list(packed(events, cluster.config, cluster.partitions))
    thread = threading.Thread(target=cluster.feed, args=(batches, rate))
    thread.start()
    return thread


def test_one_worker_finds_what_one_shard_finds_and_ends_in_order(
    broker: Broker, start: Start
) -> None:
    cluster, events = start(broker), guesses(20_000, 1_000)
    worker = cluster.start()
    cluster.feed(packed(events, cluster.config, cluster.partitions))
    assert_right(cluster, events)
    assert worker.end() == 0
    assert not worker.said('"level":"error"')


def test_a_second_worker_joins_and_the_first_one_is_killed(broker: Broker, start: Start) -> None:
    cluster, events = start(broker), guesses(30_000, 1_000)
    first = cluster.start()
    assert serves(first)
    feeding = feed(cluster, events, rate=6_000)
    second = cluster.start()
    assert serves(second)
    first.kill()
    feeding.join()
    assert_right(cluster, events)
    assert second.end() == 0


def test_partitions_that_go_and_come_back_are_complete(broker: Broker, start: Start) -> None:
    cluster, events = start(broker), guesses(30_000, 1_000)
    first = cluster.start()
    assert serves(first)
    feeding = feed(cluster, events, rate=6_000)
    second = cluster.start()
    assert serves(second)
    assert second.end() == 0
    third = cluster.start()
    assert serves(third)
    feeding.join()
    assert_right(cluster, events)


def test_workers_that_die_between_two_steps_of_a_flush_are_followed_by_others(
    broker: Broker, start: Start
) -> None:
    cluster, events = start(broker), guesses(10_000, 500)
    batches = list(packed(events, cluster.config, cluster.partitions))
    steps = ["say", "half", "keep", "free", "ack"]
    share = len(batches) // len(steps) + 1
    for number, step in enumerate(steps):
        dying = cluster.start("--die", f"{step}:2")
        assert serves(dying), step
        cluster.feed(batches[number * share : (number + 1) * share], rate=2_000)
        assert wait(lambda dying=dying: dying.ended() is not None, SECONDS), step  # type: ignore[misc]
    cluster.start()
    assert_right(cluster, events)


def test_a_worker_whose_send_fails_begins_anew_by_itself(broker: Broker, start: Start) -> None:
    cluster, events = start(broker), guesses(10_000, 500)
    worker = cluster.start("--die", "fail:2")
    feeding = feed(cluster, events, rate=4_000)
    assert wait(lambda: worker.said("the worker begins anew"), SECONDS)
    feeding.join()
    assert_right(cluster, events)
    assert worker.end() == 0


def test_a_broker_that_dies_and_comes_back_costs_nothing(own_broker: Broker, start: Start) -> None:
    cluster, events = start(own_broker), guesses(30_000, 1_000)
    worker = cluster.start()
    assert serves(worker)
    feeding = feed(cluster, events, rate=10_000)
    assert wait(lambda: bool(cluster.alerts()), SECONDS)
    own_broker.kill()
    own_broker.start()
    feeding.join()
    assert_right(cluster, events)
    assert worker.end() == 0


def test_batches_that_are_sent_again_count_once(broker: Broker, start: Start) -> None:
    cluster, events = start(broker), guesses(5_000, 300)
    batches = list(packed(events, cluster.config, cluster.partitions))
    again = list(packed(events, cluster.config, cluster.partitions, size=7))
    first = cluster.start()
    cluster.feed(batches)
    cluster.feed(batches[: len(batches) // 2])
    assert cluster.drained(SECONDS)
    assert first.end() == 0
    cluster.start()
    cluster.feed(again)
    assert_right(cluster, events)


def test_events_that_others_publish_are_routed_and_folded_once(
    broker: Broker, start: Start
) -> None:
    cluster, events = start(broker), guesses(3_000, 200)
    first = cluster.start()
    assert serves(first)
    cluster.publish(map(wire.encode, events[:1500]))
    assert wait(lambda: bool(cluster.records()), SECONDS)
    first.kill()
    cluster.publish(map(wire.encode, events[1500:]))
    cluster.start()
    assert_right(cluster, events)


def test_poison_becomes_dead_letters_and_stops_nothing(broker: Broker, start: Start) -> None:
    cluster, events = start(broker), guesses(500, 50)
    worker = cluster.start()
    cluster.publish([b"\xff\x00", b"[", b'{"type":"auth","at":1e300}', b'{"type":"nobody"}'])
    ahead: list[Fact] = [Auth(at=events[-1].at + 7200, client="192.0.2.1")]
    odd: list[Fact] = [Auth(at=events[-1].at, account="anna", client="", count=2**70)]
    cluster.feed(packed(ahead, cluster.config, cluster.partitions))
    cluster.feed(packed(odd, cluster.config, cluster.partitions))
    cluster.publish(map(wire.encode, events))
    assert cluster.drained(SECONDS)
    records, _ = expected(build_shard(cluster.config), events)
    assert {key: found for key, found in cluster.records().items() if key in records} == records
    assert len(cluster.dead()) >= 5
    assert worker.end() == 0


def test_topics_that_are_missing_end_the_worker_with_the_cure(
    broker: Broker, start: Start, tmp_path: Path
) -> None:
    cluster = start(broker)
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace("partitions = 4", "partitions = 5"),
        encoding="utf-8",
    )
    worker = cluster.start()
    assert wait(lambda: worker.ended() is not None, SECONDS)
    assert worker.ended() == 2
    assert worker.said("kafka.partitions: the settings say 5")
