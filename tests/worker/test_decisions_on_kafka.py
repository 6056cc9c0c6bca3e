"""What a real worker decides is signed and in the trail; a gateway that falls silent is told."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.operator.ledger import BusLedger
from load.cluster import Cluster, Process, wait
from schemas import wire
from schemas.gateways import GatewayState
from streams.bus import Message
from streams.kafka_bus import KafkaBus
from streams.signing import load
from tools.kafka import Broker

pytestmark = pytest.mark.broker

SECONDS = 40.0
SITE = """
[site]
host = "mx1"
honeypots = ["trap@example.org"]
[logs]
journal = "no"
files = ["{log}"]
[response]
enforce = true
approve = ["drop"]
overdue = 3.0
signing_key_file = "{keys}"
[detectors.auth_dictionary]
stage = "enforce"
"""


class Site:
    def __init__(self, broker: Broker, home: Path) -> None:
        self.log, self.keys = home / "mail.log", home / "keys"
        self.log.touch()
        self.keys.write_text("a key that is long enough for everybody\n")
        self.cluster = Cluster(
            broker.bootstrap,
            home,
            partitions=4,
            worker=("-m", "mailwarden", "worker"),
            more=SITE.format(log=self.log, keys=self.keys),
        )
        settings = str(home / "mailwarden.toml")
        ship = (sys.executable, "-m", "mailwarden", "ship", "-c", settings)
        self.shipper = Process(ship, home / "ship.log")
        self.bus = KafkaBus(self.cluster.settings)

    def say(self, name: str, at: float) -> None:
        state = GatewayState(gateway=name, at=at, complete=True, decisions=0, enforced=0)
        self.bus.publish("mail.gateways", name.encode(), wire.encode(state))
        self.bus.flush(SECONDS)

    def gateway_alert(self, name: str) -> str:
        for alert in self.cluster.alerts().values():
            if alert.detector == "gateway_behind" and alert.subject.value == name:
                return f"{alert.shape} {alert.state}"
        return ""

    def guess(self) -> None:
        stamp = datetime.now(UTC).isoformat()
        with self.log.open("a") as log:
            log.write(
                f"{stamp} mx1 postfix/smtpd[7]: warning: unknown[203.0.113.5]: SASL LOGIN"
                " authentication failed: UGFzc3dvcmQ6, sasl_username=trap@example.org\n"
            )

    def decided(self) -> list[Message]:
        subscription = self.bus.subscribe(["mail.decisions"], None)
        found = subscription.poll(1.0)
        subscription.close()
        return found

    def close(self) -> None:
        self.bus.close()
        if self.shipper.ended() is None:
            self.shipper.kill()
        self.cluster.close()


@pytest.fixture
def site(broker: Broker, tmp_path: Path) -> Iterator[Site]:
    made = Site(broker, tmp_path)
    yield made
    made.close()


def test_what_a_worker_decides_is_signed_and_whom_it_misses_is_told(site: Site) -> None:
    worker = site.cluster.start()
    site.say("mx7", time.time())
    found: list[Message] = []

    def decided() -> bool:
        site.guess()  # the shipper begins at the end of the log, whenever it is there
        found.extend(site.decided())
        return bool(found)

    assert wait(decided, SECONDS)
    keys = load(site.keys)
    assert keys.verify("mail.decisions", found[0].key, found[0].value, found[0].headers) > 0
    decision = wire.decode_decision(found[0].value or b"")
    assert (decision.target.value, decision.action) == ("203.0.113.5", "drop")
    assert (decision.enforced, decision.needs) == (False, 2)  # it waits for two persons
    ledger = BusLedger(site.bus, keys=keys)
    assert [(one.what, one.by) for one in ledger.audit()] == [("decided", "mailwarden")]

    assert wait(lambda: site.gateway_alert("mx7") == "gone open", SECONDS)
    site.say("mx7", time.time())
    assert wait(lambda: site.gateway_alert("mx7") == "gone withdrawn", SECONDS)
    assert worker.end() == 0
