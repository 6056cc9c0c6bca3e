"""A worker asks the DNS for a detector, and the answer comes back through mail.facts."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from load.cluster import Cluster, packed, wait
from schemas.events import Recipient
from schemas.findings import Alert
from tests.probing.dns import NameServer
from tools.kafka import Broker

pytestmark = pytest.mark.broker

CLIENT = "203.0.113.7"
SECONDS = 40.0
MORE = """
[detectors.sender_reputation]
dns = true
[listed]
resolvers = ["{resolver}"]
"""


@pytest.fixture
def names() -> Iterator[NameServer]:
    made = NameServer({})
    yield made
    made.close()


@pytest.fixture
def cluster(broker: Broker, names: NameServer, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(
        broker.bootstrap,
        tmp_path,
        partitions=4,
        worker=("-m", "mailwarden", "worker"),
        more=MORE.format(resolver=names.address),
    )
    yield made
    made.close()


def test_a_missing_name_completes_the_finding(cluster: Cluster) -> None:
    now = time.time()
    refused = [
        Recipient(
            at=now - 30 + number / 10,
            gateway="mx1",
            client=CLIENT,
            sender=f"a{number}@example.net",
            recipient="b@example.org",
            verdict="blocked",
            reason="listed",
        )
        for number in range(20)
    ]

    def found() -> Alert | None:
        alerts = cluster.alerts().values()
        return next((a for a in alerts if a.detector == "sender_reputation"), None)

    worker = cluster.start()
    cluster.feed(packed(refused, cluster.config, cluster.partitions))
    assert wait(found, SECONDS)
    alert = found()
    assert alert is not None
    assert "reputation of 7" in alert.summary
    assert "no reverse name (+2)" in alert.summary
    assert worker.end() == 0
