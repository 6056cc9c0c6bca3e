"""Attempts that a gateway reports on mail.events and a shipper's log lines tell of on mail.facts,
in the partitions of a site: each counts once, whichever way is faster, also after a crash."""

from collections.abc import Iterable

import pytest

from agents.detectors import DETECTORS
from agents.engine import Engine
from agents.shard import Shard
from agents.worker.partition import Partition, Topic
from agents.worker.router import Router
from schemas import keys, wire
from schemas.events import Auth
from schemas.findings import Finding
from streams.shipping.packer import Packer
from tests.detectors.stories import DAY, SITE, START, Heard
from tests.test_reporters import Attempt, attempts, line, report

PARTITIONS = 4
TOPIC = Topic("topic id", PARTITIONS)


class Cluster:
    """mail.facts and its partitions, without a broker."""

    def __init__(self) -> None:
        self.router = Router(SITE, PARTITIONS, 600.0)
        self.packer = Packer(SITE, PARTITIONS, "mx1", {})
        self.heard = Heard()
        self.slots: list[dict[int, bytes]] = [{} for _ in range(PARTITIONS)]
        self.offsets = [0] * PARTITIONS
        self.sent = 0
        self.begin()

    def begin(self) -> None:
        """The partitions are taken up, from what earlier workers made safe of them."""
        self.partitions = []
        for number, slots in enumerate(self.slots):
            engine = Engine([kind() for kind in DETECTORS.values()], SITE)

            def mine(key: str, number: int = number) -> bool:
                return keys.partition(key, PARTITIONS) == number

            shard = Shard(engine, self.heard, mine)
            partition = Partition(number, shard, TOPIC, slots.items())
            shard.begun = shard.begun or START - 40 * DAY
            self.partitions.append(partition)

    def flush(self, now: float) -> None:
        for number, partition in enumerate(self.partitions):
            _, write = partition.flush(now)
            if write is not None:
                for gone in (*write.spoilt, *write.free):
                    self.slots[number].pop(gone, None)
                self.slots[number].update(write.put)

    def report(self, event: Auth) -> None:
        assert not self.router.add(0, self.sent, wire.encode(event), event.at, event.at)
        self.sent += 1
        for batch in self.router.take():
            self._fold(batch.partition, batch.value, batch.headers, event.at)

    def ship(self, event: Auth) -> None:
        self.packer.add("mail.log", event)
        for batch in self.packer.take():
            headers = {"origin": batch.origin.encode(), "positions": batch.positions}
            assert batch.partition is not None
            self._fold(batch.partition, batch.value, headers, event.at)

    def _fold(self, number: int, value: bytes, headers: dict[str, bytes], now: float) -> None:
        offset = self.offsets[number]
        self.offsets[number] += 1
        assert not self.partitions[number].fold(offset, value, headers, now, now)

    def findings(self) -> dict[str, Finding]:
        for partition in self.partitions:
            partition.shard.drain()
        return {finding.id: finding for finding in self.heard.findings}


def told(cluster: Cluster) -> dict[str, tuple[str, str, dict[str, float]]]:
    return {
        name: (one.detector, one.subject.value, {e.sign: e.count for e in one.evidence})
        for name, one in cluster.findings().items()
    }


def by_logs(tries: Iterable[Attempt]) -> Cluster:
    cluster = Cluster()
    for at, client, account, outcome in tries:
        cluster.ship(line(at, account, client, outcome=outcome))
    return cluster


@pytest.mark.parametrize("first", ["report", "line", "either"])
def test_with_reports_everything_is_counted_as_without(first: str) -> None:
    tries = attempts(4)
    both = Cluster()
    for number, (at, client, account, outcome) in enumerate(tries):
        ways = [
            (both.report, report(at, account, client, outcome=outcome)),
            (both.ship, line(at, account, client, outcome=outcome)),
        ]
        if first == "line" or (first == "either" and number % 2):
            ways.reverse()
        for send, event in ways:
            send(event)
    assert told(both) == told(by_logs(tries)) != {}


def test_a_crash_between_report_and_line_counts_nothing_twice() -> None:
    tries = attempts(5)
    both = Cluster()
    for at, client, account, outcome in tries:
        both.report(report(at, account, client, outcome=outcome))
        both.flush(at)
        both.begin()
        both.ship(line(at, account, client, outcome=outcome))
    assert told(both) == told(by_logs(tries))
