"""What tests of many parts share: a real Kafka broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tools.kafka import Broker, KafkaError, free_ports

# How busy the machine is says nothing about the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

TRIES = 3  # another program may take a port between the look for it and the start


def start(home: Path, more: str = "") -> Broker:
    for attempt in range(1, TRIES + 1):
        broker = Broker(home / str(attempt), *free_ports(2), bound=True, more=more)
        try:
            broker.start()
        except KafkaError:
            broker.stop()
            if attempt == TRIES:
                raise
        else:
            return broker
    raise AssertionError("unreachable")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The Kafka broker of this test session, at `broker.bootstrap`. It creates no topics by
    itself. Tests share it: let each use a prefix (KafkaSettings.prefix) and a group of its own.
    """
    running = start(tmp_path_factory.mktemp("kafka"))
    yield running
    running.stop()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker for one test, which may `kill` and `start` it."""
    running = start(tmp_path / "kafka")
    yield running
    running.stop()
