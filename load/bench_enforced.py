"""From a decision on Kafka to the gateway that acts on it: ``python -m load.bench_enforced``.

A real broker and one `mailwarden gateway`, which serves Postfix's policy questions, CrowdSec's
bouncers and Postfix's tables, and fills the kernel's sets in a network namespace. Decisions are
published one at a time, beside many that hold already; each interface is asked all the time until
it gives the new one. Asking the kernel means to start nft, which is part of what is shown.
"""

import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from agents.commands.topics import make
from load.bench_edge import ROOT, decisions
from schemas import wire
from schemas.findings import Decision, Target, decision_id
from schemas.settings import KafkaSettings
from streams.kafka_bus import KafkaBus
from tools.kafka import Broker, free_ports
from tools.namespaces import Namespace

RESULT = Path(__file__).parent / "results" / "enforced.json"
GOALS = {"policy": 100, "lapi": 100, "nftables": 300, "postfix": 3000}  # milliseconds
PAUSE = 0.001  # seconds between two questions
DEADLINE = 60.0
KEY = "bench-0123456789abcdef0123456789abcdef"
SETTINGS = """
[http]
listen = ""
[storage]
path = "{folder}/mailwarden.db"
[kafka]
bootstrap = ["{bootstrap}"]
[gateways.policy]
listen = "127.0.0.1:{policy}"
[gateways.lapi]
listen = "127.0.0.1:{lapi}"
key_file = "{folder}/keys"
[gateways.postfix]
clients = "{folder}/clients.cidr"
postfix = "true"
[gateways.nftables]
nft = {nft}
"""

Look = Callable[[str], bool]


class Postmaster:
    """Asks for one client at a time, on a connection that is kept, as smtpd does."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self._file = self._socket.makefile("rb")

    def refuses(self, client: str) -> bool:
        """The name of the sender keeps the tarpits and grey lists out of it."""
        text = (
            "request=smtpd_access_policy\nprotocol_state=CONNECT\nprotocol_name=ESMTP\n"
            f"client_address={client}\nclient_name=unknown\n\n"
        )
        self._socket.sendall(text.encode())
        action = self._file.readline()
        self._file.readline()
        return not action.lower().startswith(b"action=dunno")


def bouncer(port: int) -> Look:
    def blocks(client: str) -> bool:
        address = f"http://127.0.0.1:{port}/v1/decisions?ip={client}"
        request = urllib.request.Request(address, headers={"X-Api-Key": KEY})
        with urllib.request.urlopen(request, timeout=DEADLINE) as reply:
            return bytes(reply.read()).strip() not in (b"null", b"[]", b"")

    return blocks


def kernel(namespace: Namespace) -> Look:
    def has(client: str) -> bool:
        element = f"{{ {client} }}"
        command = [*namespace.command, "nft", "get", "element", "inet", "mailwarden", "drop_host4"]
        return not subprocess.run([*command, element], capture_output=True, check=False).returncode

    return has


def table(path: Path) -> Look:
    return lambda client: path.exists() and f"{client}/32 " in path.read_text()


@contextmanager
def site(folder: Path, namespace: Namespace) -> Iterator[tuple[KafkaBus, dict[str, Look]]]:
    broker = Broker(folder / "kafka", *free_ports(2), bound=True)
    broker.start()
    policy, lapi = free_ports(2)
    (folder / "keys").write_text(f"bench {KEY}\n")
    (folder / "keys").chmod(0o600)
    settings = folder / "mailwarden.toml"
    settings.write_text(
        SETTINGS.format(
            folder=folder,
            bootstrap=broker.bootstrap,
            policy=policy,
            lapi=lapi,
            nft=json.dumps([*namespace.command, "nft"]),
        )
    )
    kafka = KafkaSettings(bootstrap=(broker.bootstrap,))
    bus = KafkaBus(kafka)
    make(bus, kafka)
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "mailwarden.py"), "gateway", "-c", str(settings)],
            stderr=said,
            cwd=folder,
        )
    try:
        yield (
            bus,
            {
                "policy": lambda client: Postmaster(policy).refuses(client),
                "lapi": bouncer(lapi),
                "nftables": kernel(namespace),
                "postfix": table(folder / "clients.cidr"),
            },
        )
    finally:
        process.terminate()
        process.wait()
        bus.close()
        broker.stop()


def publish(bus: KafkaBus, found: list[Decision]) -> None:
    for one in found:
        bus.publish("mail.decisions", one.id.encode(), wire.encode(one))
    bus.flush(DEADLINE)


def new(client: str) -> Decision:
    target = Target("network", client)
    now = time.time()
    return Decision(
        id=decision_id(target, "drop"),
        target=target,
        action="drop",
        reason="15 wrong passwords at 15 accounts",
        since=now,
        until=now + 3600,
        enforced=True,
    )


def waited(look: Look, client: str, begun: float) -> float:
    """Seconds until the client is refused."""
    while True:
        try:
            if look(client):
                return time.perf_counter() - begun
        except OSError:  # it is not there yet
            time.sleep(0.05)
        if time.perf_counter() - begun > DEADLINE:
            sys.exit(f"{client} is not refused after {DEADLINE:.0f} s")
        time.sleep(PAUSE)


def measure(folder: Path, held: int, count: int) -> dict[str, list[float]]:
    """Seconds from the broker's word that it has a decision, of each interface. One interface is
    asked at a time, so that they do not take each other's time."""
    namespace = Namespace()
    dice = random.Random(1)
    try:
        with site(folder, namespace) as (bus, looks):
            before = decisions(held)
            publish(bus, before)
            for look in looks.values():
                waited(look, before[-1].target.value, time.perf_counter())
            found: dict[str, list[float]] = {}
            for number, (name, look) in enumerate(looks.items()):
                found[name] = []
                for turn in range(count):
                    time.sleep(0.3 + dice.random() * 0.4)
                    client = f"203.0.{113 + number}.{turn + 1}"
                    begun = time.perf_counter()
                    thread = threading.Thread(target=publish, args=(bus, [new(client)]))
                    thread.start()
                    found[name].append(waited(look, client, begun))
                    thread.join()
            return found
    finally:
        namespace.remove()


@click.command()
@click.option("--held", default=1000, show_default=True, help="Decisions that hold already.")
@click.option("--count", type=click.IntRange(4, 250), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(held: int, count: int, *, as_json: bool) -> None:
    """Measure how long a decision needs from Kafka to each gateway."""
    command = f"python -m load.bench_enforced --held {held} --count {count}"
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), held, count)
    result: dict[str, object] = {
        "command": command,
        "load": round(os.getloadavg()[0], 1),
        "what": "milliseconds from the publication of a decision until a gateway acts on it",
        "held": held,
        "count": count,
    }
    for name, seconds in found.items():
        cuts = statistics.quantiles(seconds, n=100, method="inclusive")
        result[name] = {
            "p50_ms": round(1000 * statistics.median(seconds), 1),
            "p99_ms": round(1000 * cuts[98], 1),
            "goal_ms": GOALS[name],
        }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if as_json:
        print(json.dumps(result))
        return
    print(f"{'gateway':12}{'p50 ms':>10}{'p99 ms':>10}{'goal':>10}")
    for name in found:
        row = result[name]
        assert isinstance(row, dict)
        print(f"{name:12}{row['p50_ms']:>10}{row['p99_ms']:>10}{row['goal_ms']:>10}")


if __name__ == "__main__":
    main()
