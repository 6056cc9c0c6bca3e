"""One log, three ways: `replay`, `run` and Kafka find the same, under the same ids."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from load.same import Site
from tools.kafka import Broker

pytestmark = pytest.mark.broker

DETECTORS = {
    "account_burst",
    "auth_breach",
    "auth_dictionary",
    "auth_distributed",
    "backscatter_made",
    "backscatter_received",
    "directory_harvest",
}


@pytest.fixture
def site(broker: Broker, tmp_path: Path) -> Iterator[Site]:
    made = Site(broker, tmp_path)
    yield made
    made.cluster.close()


def test_replay_run_and_kafka_find_the_same(site: Site) -> None:
    replayed = site.replayed()
    assert {name for name, *_ in replayed.values()} >= DETECTORS
    assert site.ran() == replayed
    worker = site.cluster.start()
    site.command("ship", "--once")
    assert site.published() == replayed
    assert worker.end() == 0


def test_two_workers_of_which_one_joins_late_and_one_is_killed_find_the_same(site: Site) -> None:
    assert site.disturbed() == site.replayed()
