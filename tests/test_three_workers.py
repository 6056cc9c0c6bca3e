"""One shard that holds all subjects, and three that share them: the same findings."""

from collections import deque
from collections.abc import Iterable
from functools import partial

import pytest

from agents import configuration
from agents.demo.traffic import SETTINGS, Plan, Traffic
from agents.shard import Shard
from schemas.events import Fact
from schemas.findings import Alert
from schemas.keys import Key, partition
from streams.reader import Reader, ReadOptions

PARTITIONS = 3


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> configuration.Config:
    path = tmp_path_factory.mktemp("three") / "mailwarden.toml"
    path.write_text(SETTINGS)
    return configuration.load(path)


@pytest.fixture(scope="module")
def days() -> list[Fact]:
    """A day with every attack."""
    reader = Reader(ReadOptions())
    lines = enumerate(Traffic(Plan(scale=0.3, past=1)).lines())
    return [event for _, event in [*reader.read([("mail.log", lines)]), *reader.close()]]


def holds(number: int, key: Key) -> bool:
    return partition(key, PARTITIONS) == number


class Shared:
    """Shards that pass on what they have to tell each other, as workers do by the bus."""

    def __init__(self, shards: list[Shard]) -> None:
        self.shards = shards
        self.alerts: dict[str, Alert] = {}
        self.passed = 0

    def fold(self, event: Fact) -> None:
        waiting = deque([event])
        while waiting:
            told = waiting.popleft()
            for shard in self.shards:
                shard.fold(told)
                waiting += self._taken(shard)

    def end(self) -> dict[str, Alert]:
        for shard in self.shards:
            shard.drain()
            self._taken(shard)
        return self.alerts

    def _taken(self, shard: Shard) -> list[Fact]:
        outcome = shard.take()
        self.alerts.update((alert.id, alert) for alert in outcome.alerts)
        self.passed += len(outcome.signals)
        return list(outcome.signals)


def concluded(shared: Shared, events: Iterable[Fact]) -> dict[str, tuple[str, ...]]:
    for event in events:
        shared.fold(event)
    return {
        name: (alert.detector, alert.shape, alert.severity, alert.state, alert.incident)
        for name, alert in shared.end().items()
    }


def test_three_find_what_one_finds(days: list[Fact], settings: configuration.Config) -> None:
    alone = Shared([configuration.build_shard(settings)])
    three = Shared(
        [
            configuration.build_shard(settings, mine=partial(holds, number))
            for number in range(PARTITIONS)
        ]
    )
    found = concluded(alone, days)
    assert {detector for detector, *_ in found.values()} >= {
        "auth_campaign",
        "auth_breach",
        "auth_distributed",
        "account_burst",
    }
    assert concluded(three, days) == found
    assert three.passed > 100
