"""`mailwarden sinks` as a process on a real broker, its receiver down for a while."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agents.commands.topics import make
from schemas import wire
from schemas.findings import Alert
from schemas.settings import KafkaSettings
from streams.kafka_bus import KafkaBus
from tests.sinks.alerts import alert
from tests.waiting import wait_for
from tools.kafka import Broker, free_ports

pytestmark = pytest.mark.broker

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0
SETTINGS = """
[http]
listen = ""
[storage]
path = "{folder}/mailwarden.db"
[kafka]
bootstrap = ["{bootstrap}"]
prefix = "{prefix}"
group = "{prefix}"
partitions = 3
[sinks.jsonl]
path = "{folder}/alerts.jsonl"
[sinks.webhook]
url = "http://127.0.0.1:{port}/hook"
gather = 0.0
"""


class Receiver:
    """Is down until `start`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.got: list[tuple[str, int]] = []
        self.server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["content-length"])))["data"]
                receiver.got.append((told["id"], told["revision"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()
            self.server = None


class Site:
    def __init__(self, broker: Broker, folder: Path) -> None:
        self.folder = folder
        [port] = free_ports(1)
        self.receiver = Receiver(port)
        self.kafka = KafkaSettings(
            bootstrap=(broker.bootstrap,), prefix=f"{folder.name}.", partitions=3
        )
        self.bus = KafkaBus(self.kafka)
        make(self.bus, self.kafka)
        self.file = folder / "mailwarden.toml"
        values = {"folder": folder, "port": port, "prefix": self.kafka.prefix}
        self.file.write_text(SETTINGS.format(bootstrap=broker.bootstrap, **values))
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, ROOT / "mailwarden.py", "sinks", "-c", self.file]
        with (self.folder / "sinks.log").open("ab") as said:
            process = subprocess.Popen(command, stderr=said, cwd=ROOT)
        self.running.append(process)
        return process

    def publish(self, *alerts: Alert) -> None:
        for one in alerts:
            self.bus.publish("mail.alerts", one.id.encode(), wire.encode(one))
        self.bus.flush(SECONDS)

    def written(self) -> list[tuple[str, int]]:
        """What the sink that is never down has told."""
        path = self.folder / "alerts.jsonl"
        lines: list[dict[str, Any]] = []
        if path.exists():
            whole = path.read_bytes().rpartition(b"\n")[0]  # the last may not be written yet
            lines = [json.loads(line) for line in whole.splitlines()]
        return [(one["id"], one["revision"]) for one in lines]

    def log(self) -> str:
        return (self.folder / "sinks.log").read_text()

    def close(self) -> None:
        self.receiver.stop()
        for process in self.running:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGTERM)
                assert process.wait(SECONDS) == 0
        self.bus.close()


@pytest.fixture
def site(broker: Broker, tmp_path: Path) -> Iterator[Site]:
    made = Site(broker, tmp_path)
    yield made
    made.close()


def once(found: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Each the first time that it came: after a kill, the last may come twice."""
    return list(dict.fromkeys(found))


def grows(found: list[tuple[str, int]]) -> bool:
    """Whether no alert came in an older revision after a newer one."""
    newest: dict[str, int] = {}
    for name, revision in once(found):
        if revision < newest.get(name, 0):
            return False
        newest[name] = revision
    return True


def test_while_a_receiver_is_down_nothing_is_lost_and_nobody_else_waits(site: Site) -> None:
    first = site.start()
    names = [f"a{number:03}" for number in range(200)]
    site.publish(*(alert(name) for name in names))
    wait_for(lambda: len(site.written()) == 200, seconds=SECONDS)
    wait_for(lambda: "sink failed" in site.log(), seconds=SECONDS)
    site.publish(*(alert(name, revision=2) for name in names[:50]))
    wait_for(lambda: len(site.written()) == 250, seconds=SECONDS)
    first.kill()  # with all that the webhook is owed
    first.wait()
    site.publish(*(alert(name, revision=3) for name in names[:50]))
    second = site.start()
    wait_for(lambda: len(once(site.written())) == 300, seconds=SECONDS)
    site.receiver.start()
    newest = {(name, 3) for name in names[:50]} | {(name, 1) for name in names[50:]}
    wait_for(lambda: newest <= set(site.receiver.got), seconds=SECONDS)
    assert grows(site.receiver.got)
    assert grows(site.written())
    assert {name for name, _ in site.receiver.got} == set(names)
    site.publish(alert("last"))
    wait_for(lambda: ("last", 1) in site.receiver.got, seconds=SECONDS)
    second.terminate()
    assert second.wait(SECONDS) == 0
    before = len(site.receiver.got)
    third = site.start()  # what was told and committed is not told again
    site.publish(alert("after"))
    wait_for(lambda: ("after", 1) in site.receiver.got, seconds=SECONDS)
    assert site.receiver.got[before:] == [("after", 1)]
    third.terminate()
    assert third.wait(SECONDS) == 0


def test_two_processes_share_the_work_and_one_takes_over(site: Site) -> None:
    site.receiver.start()
    one, two = site.start(), site.start()
    names = [f"b{number:03}" for number in range(100)]
    site.publish(*(alert(name) for name in names))
    wait_for(lambda: {name for name, _ in site.receiver.got} == set(names), seconds=SECONDS)
    one.kill()
    one.wait()
    more = [f"c{number:03}" for number in range(100)]
    site.publish(*(alert(name) for name in more))
    wait_for(lambda: set(more) <= {name for name, _ in site.receiver.got}, seconds=SECONDS)
    two.terminate()
    assert two.wait(SECONDS) == 0
