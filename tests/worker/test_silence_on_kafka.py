"""A gateway whose lines stop, seen through shipper, broker and worker."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from load.cluster import Cluster, Process, wait
from schemas.findings import Alert
from tools.kafka import Broker

pytestmark = pytest.mark.broker

SECONDS = 25.0
SITE = """
[site]
host = "mx1"
gateways = ["mx1", "mx2"]
silent_after = 4.0
[logs]
journal = "no"
files = ["{log}"]
"""
LINES = """\
2026-03-02T08:00:00+00:00 mx1 postfix/smtpd[7]: connect from unknown[192.0.2.7]
2026-03-02T08:00:00+00:00 mx1 postfix/smtpd[7]: lost connection after AUTH from unknown[192.0.2.7]
"""


class Site:
    def __init__(self, broker: Broker, home: Path) -> None:
        self.log = home / "mail.log"
        self.log.touch()
        self.cluster = Cluster(
            broker.bootstrap,
            home,
            partitions=4,
            worker=("-m", "mailwarden", "worker"),
            more=SITE.format(log=self.log),
        )
        settings = str(home / "mailwarden.toml")
        self.shipper = Process(
            (sys.executable, "-m", "mailwarden", "ship", "-c", settings), home / "ship.log"
        )

    def alerts(self) -> dict[str, Alert]:
        """By gateway."""
        return {alert.subject.value: alert for alert in self.cluster.alerts().values()}

    def state(self, gateway: str) -> str:
        alert = self.alerts().get(gateway)
        return alert.state if alert is not None else ""


@pytest.fixture
def site(broker: Broker, tmp_path: Path) -> Iterator[Site]:
    made = Site(broker, tmp_path)
    yield made
    if made.shipper.ended() is None:
        made.shipper.kill()
    made.cluster.close()


def test_a_gateway_falls_silent_and_speaks_again(site: Site) -> None:
    worker = site.cluster.start()
    assert wait(lambda: site.state("mx1") == site.state("mx2") == "open", SECONDS)
    before = site.alerts()
    assert before["mx1"].summary.endswith("its shipper lives")
    assert not before["mx2"].summary.endswith("its shipper lives")
    with site.log.open("a", encoding="utf-8") as log:
        log.write(LINES)
    revision = before["mx1"].revision
    assert wait(lambda: site.alerts()["mx1"].revision > revision, SECONDS)
    after = site.alerts()
    assert after.keys() == before.keys()
    assert after["mx1"].id == before["mx1"].id
    assert after["mx2"].state == "open"
    assert worker.end() == 0
