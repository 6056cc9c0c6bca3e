"""Two gateways as processes, on a real broker: signed decisions, the kill switch, a restart."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.commands import cli
from agents.commands.topics import make
from agents.operator.ledger import BusLedger
from schemas import wire
from schemas.gateways import GatewayState
from schemas.settings import KafkaSettings
from streams.kafka_bus import KafkaBus
from tests.edge.conftest import decision
from tests.waiting import wait_for
from tools.kafka import Broker

pytestmark = pytest.mark.broker

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 40.0
SETTINGS = """
[site]
host = "{name}"
[http]
listen = ""
[storage]
path = "{folder}/{name}/mailwarden.db"
[response]
enforce = true
signing_key_file = "{folder}/keys"
[gateways.postfix]
clients = "{folder}/{name}/clients.cidr"
postfix = "true"
[kafka]
bootstrap = ["{bootstrap}"]
prefix = "{prefix}"
partitions = 2
"""


class Cluster:
    def __init__(self, broker: Broker, folder: Path) -> None:
        self.folder = folder
        self.kafka = KafkaSettings(
            bootstrap=(broker.bootstrap,), prefix=f"{folder.name}.", partitions=2
        )
        self.bus = KafkaBus(self.kafka)
        make(self.bus, self.kafka)
        (folder / "keys").write_text("a key that is long enough for everybody\n")
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def settings(self, name: str) -> Path:
        path = self.folder / name / "mailwarden.toml"
        path.parent.mkdir(exist_ok=True)
        bootstrap, prefix = self.kafka.bootstrap[0], self.kafka.prefix
        path.write_text(
            SETTINGS.format(name=name, folder=self.folder, bootstrap=bootstrap, prefix=prefix)
        )
        return path

    def start(self, name: str) -> None:
        command = [sys.executable, ROOT / "mailwarden.py", "gateway", "-c", self.settings(name)]
        with (self.folder / f"{name}.log").open("ab") as said:
            self._running[name] = subprocess.Popen(command, stderr=said, cwd=ROOT)

    def kill(self, name: str) -> None:
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def call(self, *arguments: str) -> Result:
        command, *rest = arguments
        names = [command, rest.pop(0)] if command == "decisions" else [command]
        options = ["-c", str(self.settings("desk")), "--kafka"]
        return CliRunner().invoke(cli, [*names, *options, *rest])

    def table(self, name: str) -> str:
        path = self.folder / name / "clients.cidr"
        return path.read_text() if path.exists() else ""

    def states(self) -> dict[str, GatewayState]:
        return {state.gateway: state for state in BusLedger(self.bus).gateways()}

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def close(self) -> None:
        for process in self._running.values():
            os.kill(process.pid, signal.SIGTERM)
        for process in self._running.values():
            assert process.wait(SECONDS) == 0
        self.bus.close()


@pytest.fixture
def cluster(broker: Broker, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(broker, tmp_path)
    yield made
    made.close()


def test_signed_decisions_and_the_kill_switch_reach_every_gateway(cluster: Cluster) -> None:
    for name in ("mx1", "mx2"):
        cluster.start(name)
    forged = decision("198.51.100.66/32", since=time.time(), until=time.time() + 600)
    cluster.bus.publish("mail.decisions", forged.id.encode(), wire.encode(forged))
    cluster.bus.flush(SECONDS)
    result = cluster.call("decisions", "add", "198.51.100.7", "--reason", "scans us")
    assert result.exit_code == 0, result.output
    for name in ("mx1", "mx2"):
        wait_for(lambda name=name: "198.51.100.7/32 521" in cluster.table(name), f"{name} blocks")
        wait_for(
            lambda name=name: cluster.states()[name].refused == {"unsigned": 1}, f"{name} refuses"
        )
        assert "198.51.100.66" not in cluster.table(name)
        assert "without a valid signature" in cluster.log(name)

    result = cluster.call("panic", "--reason", "the partner is locked out")
    assert result.exit_code == 0, result.output
    assert result.output.count("✓ mx") == 2
    for name in ("mx1", "mx2"):
        assert "198.51.100.7" not in cluster.table(name)
    assert {name: state.lifted for name, state in cluster.states().items()} == {
        "mx1": True,
        "mx2": True,
    }
    cluster.kill("mx2")
    for name in ("mx2", "mx3"):  # one after kill -9, and one that was not there
        cluster.start(name)
        wait_for(lambda name=name: f"{name}" in cluster.states(), f"{name} speaks")
    before = cluster.states()
    wait_for(
        lambda: cluster.states()["mx2"].at > before["mx2"].at and cluster.states()["mx3"].complete,
        "both have read the topics",
    )
    assert all(state.lifted for state in cluster.states().values())
    assert "198.51.100.7" not in cluster.table("mx2") + cluster.table("mx3")

    result = cluster.call("resume", "--reason", "they are back")
    assert result.exit_code == 0, result.output
    assert result.output.count("enforces again") == 3
    for name in ("mx1", "mx2", "mx3"):
        assert "198.51.100.7/32 521" in cluster.table(name)

    result = cluster.call("decisions", "remove", "198.51.100.7", "--reason", "a mistake")
    assert result.exit_code == 0, result.output
    for name in ("mx1", "mx2", "mx3"):
        wait_for(lambda name=name: "198.51.100.7" not in cluster.table(name), f"{name} lifts it")
    result = cluster.call("gateways")
    assert result.exit_code == 0, result.output
    trail = BusLedger(cluster.bus).audit()
    assert [entry.what for entry in trail] == ["removed", "resumed", "panic", "added"]
