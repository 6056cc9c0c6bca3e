"""How many auth-policy requests a second one process answers, with 100,000 decisions in force.

Clients keep 50 connections open and send allow and report in turn, as Dovecot does, each as soon
as the last one is answered; one request in ten is about a client that is refused. The server is
a process of its own, with the gateway as `mailwarden gateway` runs it and a block list in memory;
what it reports goes nowhere. `a core` is what one core of this machine would answer: requests by
the processor time that the server was charged, whatever else ran; `bare` is the same of a server
that reads each request and answers without a look at it: what aiohttp takes. ``python -m
load.bench_auth_policy``
"""

import asyncio
import json
import multiprocessing
import os
import platform
import random
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import cycle
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.table import Table

from load.site import Site
from schemas.findings import Decision, Target, decision_id
from streams.blocklist import Blocklist
from streams.gateways.auth_policy import AuthPolicy, AuthPolicySettings
from streams.http_serving import HttpServing, HttpServingSettings, brief

RESULTS = Path(__file__).parent / "results" / "auth_policy.json"
GOAL = 8_000
DECISIONS = 100_000
TICKS = os.sysconf("SC_CLK_TCK")


def address(number: int) -> str:
    return (
        f"{11 + number // 16_777_216}.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}"
    )


class Standing(Site):
    """A block list, and nobody who hears of anything."""

    host = "mx1"

    def __init__(self, decisions: int) -> None:
        self._blocklist = Blocklist()
        for number in range(decisions):
            target = Target("network", address(number * 7))
            self._blocklist.put(
                Decision(
                    id=decision_id(target, "drop"),
                    target=target,
                    action="drop",
                    alert=f"{number:016x}",
                    until=9e9,
                    enforced=True,
                )
            )
        for number in range(100):  # networks of other lengths are looked up as well
            target = Target("network", f"10.{number}.0.0/24")
            self._blocklist.put(Decision(id=str(number), target=target, action="drop", until=9e9))

    def ruling(self, address: str = "", account: str = "", **more: Any) -> Decision | None:
        return self._blocklist.lookup(time.time(), address, account, **more)


def serve(decisions: int, parent: Connection) -> None:
    gateway = AuthPolicy(AuthPolicySettings(listen="127.0.0.1:0"))
    gateway.connect(Standing(decisions))
    gateway.apply([])
    parent.send(gateway.port)
    parent.recv()
    gateway.close()


class Bare(HttpServing):
    """One answer to all."""

    async def handle(self, request: Any, holder: str) -> Any:
        await self.body(request)
        return brief(b'{"status":0,"msg":""}')


def serve_bare(decisions: int, parent: Connection) -> None:
    gateway = Bare(HttpServingSettings(listen="127.0.0.1:0"), "bare")
    gateway.apply([])
    parent.send(gateway.port)
    parent.recv()
    gateway.close()


def requests(decisions: int) -> Iterable[bytes]:
    rng = random.Random(1)
    made = []
    for number in range(5_000):
        refused = number % 10 == 0
        client = address(rng.randrange(decisions) * 7 + (not refused))
        asked: dict[str, Any] = {
            "device_id": "",
            "host": "mx1",
            "login": f"user{rng.randrange(20_000)}@example.org",
            "mech": "PLAIN",
            "protocol": "imap",
            "pwhash": f"{rng.randrange(4096):04x}",
            "remote": client,
            "session_id": "Cs9zO9dg",
            "tls": False,
        }
        made.append(_post("allow", asked))
        success = not refused and rng.random() < 0.8
        made.append(_post("report", {**asked, "success": success, "policy_reject": refused}))
    return cycle(made)


def _post(command: str, asked: dict[str, Any]) -> bytes:
    body = json.dumps(asked, separators=(",", ":")).encode()
    return (
        f"POST /?command={command} HTTP/1.1\r\nHost: 127.0.0.1:4001\r\n"
        "Date: Sun, 22 Nov 2026 06:06:06 GMT\r\nUser-Agent: dovecot/auth-policy-client\r\n"
        f"Content-Length: {len(body)}\r\nConnection: Keep-Alive\r\n"
        "Content-Type: application/json\r\n\r\n"
    ).encode() + body


class Asker(asyncio.Protocol):
    """One connection: the next request goes out when the last one is answered."""

    def __init__(self, pending: Iterable[bytes], times: list[float]) -> None:
        self._pending = iter(pending)
        self._times = times
        self._sent = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._pending))

    def data_received(self, data: bytes) -> None:
        assert data.startswith(b"HTTP/1.1 200 "), data  # answers come in one piece
        self._times.append(time.perf_counter() - self._sent)
        self._ask()


async def ask(port: int, connections: int, seconds: float, decisions: int) -> list[float]:
    loop = asyncio.get_running_loop()
    times: list[float] = []
    pending = requests(decisions)
    made = [
        await loop.create_connection(lambda: Asker(pending, times), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds)
    for transport, _ in made:
        transport.abort()
    return times


def charged(pid: int | None) -> float:
    """Seconds of processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(
    server: Callable[[int, Connection], None], connections: int, seconds: float, decisions: int
) -> dict[str, float]:
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=server, args=(decisions, there), daemon=True)
    process.start()
    port = here.recv()
    asyncio.run(ask(port, connections, 1.0, decisions))  # warm
    before, begun = charged(process.pid), time.perf_counter()
    times = sorted(asyncio.run(ask(port, connections, seconds, decisions)))
    took, cpu = time.perf_counter() - begun, charged(process.pid) - before
    here.send("end")
    process.join(10)
    return {
        "requests a second": round(len(times) / took),
        "a core": round(len(times) / cpu),
        "us of CPU": round(cpu / len(times) * 1e6, 1),
        "p50 ms": round(times[len(times) // 2] * 1e3, 2),
        "p99 ms": round(times[len(times) * 99 // 100] * 1e3, 2),
    }


@click.command()
@click.option("--seconds", default=10.0)
@click.option("--connections", default=50)
@click.option("--decisions", default=DECISIONS)
def main(seconds: float, connections: int, decisions: int) -> None:
    """Measure, print a table, keep the figures."""
    uvloop.install()
    found = measure(serve, connections, seconds, decisions)
    found["bare a core"] = measure(serve_bare, connections, seconds, decisions)["a core"]
    table = Table(title=f"auth policy: {connections} connections, {decisions:,} decisions")
    for name in (*found, "goal a core"):
        table.add_column(name, justify="right")
    table.add_row(*map(str, found.values()), str(GOAL))
    Console().print(table)
    RESULTS.write_text(
        json.dumps(
            {
                "command": "python -m load.bench_auth_policy",
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "python": platform.python_version(),
                "cores": os.cpu_count(),
                "load": round(os.getloadavg()[0], 1),
                "connections": connections,
                "decisions": decisions,
                **found,
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
