"""Questions of Postfix's a second, and how long each waits for its answer.

A server in a process and on a core of its own, as `mailwarden gateway` runs it, holds the
decisions; connections on another core each ask one question after the other, as smtpd does, with
all the attributes that Postfix 3.7 sends. A part of the clients is refused. Each connection asks
again at once, so the waiting time is mostly that of the others before it: with C connections and
R answers a second it is C/R on average. `a core` is what one core of this machine would answer:
answers by the processor time that the server took, whatever else ran; `bare` is the same of a
server that gives one answer to whatever comes.

    python -m load.bench_policy [--connections 50] [--decisions 100000] [--seconds 10] [--unix]
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

from load.site import Site
from schemas.findings import Decision, Target
from streams.blocklist import Blocklist
from streams.gateways.policy import Policy, PolicySettings

RESULTS = Path(__file__).parent / "results" / "policy.json"
COMMAND = "python -m load.bench_policy"
WARM = 1.0  # seconds that are not counted
ASKERS = 20_000  # distinct questions
GOAL, SLOWEST = 20_000, 0.005  # answers a second, seconds of the slowest hundredth

QUESTION = """\
request=smtpd_access_policy
protocol_state=RCPT
protocol_name=ESMTP
client_address={client}
client_name=host.{number}.example.net
client_port=41022
reverse_client_name=host.{number}.example.net
server_address=192.0.2.25
server_port=25
helo_name=host.{number}.example.net
sender=someone.{number}@example.net
recipient=user.{number}@example.org
recipient_count=0
queue_id=
instance=7a1f.6a2b3c4d.{number:x}.0
size=48211
etrn_domain=
stress=
sasl_method=
sasl_username={login}
sasl_sender=
ccert_subject=
ccert_issuer=
ccert_fingerprint=
ccert_pubkey_fingerprint=
encryption_protocol=TLSv1.3
encryption_cipher=TLS_AES_256_GCM_SHA384
encryption_keysize=256
policy_context=

"""


class Standing(Site):
    """A block list of random addresses, networks, accounts."""

    def __init__(self, count: int) -> None:
        dice = random.Random(1)
        self._blocklist = Blocklist()
        while len(self._blocklist) < count:
            self._blocklist.put(decision(dice, len(self._blocklist)))

    def ruling(
        self,
        address: str = "",
        account: str = "",
        *,
        mailboxes: Iterable[str] = (),
        domains: Iterable[str] = (),
        ours: str = "",
    ) -> Decision | None:
        return self._blocklist.lookup(
            time.time(), address, account, mailboxes=mailboxes, domains=domains, ours=ours
        )


def address(dice: random.Random) -> str:
    return ".".join(str(dice.randrange(1, 224)) for _ in range(4))


def decision(dice: random.Random, number: int) -> Decision:
    """Nine of ten against an address; the others against networks and accounts."""
    kind = number % 40
    target = Target("network", address(dice))
    if kind == 0:
        target = Target("network", f"{address(dice).rpartition('.')[0]}.0/24")
    elif kind == 1:
        target = Target("network", f"2001:db8:{dice.randrange(1 << 16):x}:{number & 65535:x}::/64")
    elif kind == 2:
        target = Target("account", f"user{number}@example.org")
    return Decision(
        id=f"{target.kind}:{target.value}:drop",
        target=target,
        action="drop",
        until=time.time() + 86400,
        enforced=True,
    )


def serve(count: int, listen: str, core: int, said: Connection) -> None:
    """The server's process."""
    os.sched_setaffinity(0, {core})
    policy = Policy(PolicySettings(listen=listen))
    site = Standing(count)
    policy.connect(site)
    policy.apply([])
    said.send(policy.address)
    while said.recv():
        said.send(time.process_time())


class Bare(asyncio.Protocol):
    """Looks at nothing: what the loop and the kernel take."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"action=DUNNO\n\n")  # type: ignore[attr-defined]


def serve_bare(count: int, listen: str, core: int, said: Connection) -> None:
    """The process of a server that looks at nothing."""
    os.sched_setaffinity(0, {core})
    loop = uvloop.new_event_loop()
    server: Any
    if listen.startswith("unix:"):
        path = f"{listen.removeprefix('unix:')}.bare"
        server = loop.run_until_complete(loop.create_unix_server(Bare, path))
    else:
        server = loop.run_until_complete(loop.create_server(Bare, "127.0.0.1", 0))
    said.send(server.sockets[0].getsockname())

    def asked() -> None:
        if said.recv():
            said.send(time.process_time())
        else:
            loop.stop()

    loop.add_reader(said.fileno(), asked)
    loop.run_forever()


class Asker(asyncio.Protocol):
    """One smtpd."""

    def __init__(self, questions: list[bytes], waits: list[float], number: int) -> None:
        self._questions = questions
        self._waits = waits
        self._next = number * 397
        self._begun = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._waits.append(time.perf_counter() - self._begun)
        self._ask()

    def _ask(self) -> None:
        self._next = (self._next + 1) % len(self._questions)
        self._begun = time.perf_counter()
        self._transport.write(self._questions[self._next])


def questions(count: int, known: int) -> list[bytes]:
    """A tenth of the clients is refused; a fifth has logged in."""
    dice = random.Random(1)
    refused = [
        one.target.value.removesuffix("/24")
        for one in (decision(dice, number) for number in range(min(known, count)))
        if one.target.kind == "network" and ":" not in one.target.value
    ]
    dice = random.Random(2)
    found = []
    for number in range(count):
        client = dice.choice(refused) if dice.random() < 0.1 else address(dice)
        login = f"user{number}" if dice.random() < 0.2 else ""
        found.append(QUESTION.format(client=client, number=number, login=login).encode())
    return found


async def ask(place: object, asked: list[bytes], connections: int, seconds: float) -> list[float]:
    """The waiting times of all questions, after the first moments."""
    loop = asyncio.get_running_loop()
    waits: list[float] = []
    open_to = []
    for number in range(connections):
        make = lambda number=number: Asker(asked, waits, number)  # noqa: E731
        if isinstance(place, str):
            transport, _ = await loop.create_unix_connection(make, place)
        else:
            transport, _ = await loop.create_connection(make, *place)  # type: ignore[misc]
        open_to.append(transport)
    await asyncio.sleep(WARM)
    waits.clear()
    await asyncio.sleep(seconds)
    found = waits.copy()
    for transport in open_to:
        transport.abort()
    return found


def measure(
    server: Callable[[int, str, int, Connection], None],
    listen: str,
    decisions: int,
    connections: int,
    seconds: float,
) -> dict[str, float]:
    cores = sorted(os.sched_getaffinity(0))
    ours, its = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=server, args=(decisions, listen, cores[0], its), daemon=True
    )
    process.start()
    os.sched_setaffinity(0, {cores[-1]})
    place = ours.recv()
    asked = questions(ASKERS, decisions)
    ours.send(True)
    before = ours.recv()
    waits = uvloop.run(ask(place, asked, connections, seconds))
    ours.send(True)
    busy = ours.recv() - before
    ours.send(False)
    process.join(10)
    waits.sort()
    return {
        "decisions": decisions,
        "connections": connections,
        "answers_per_second": round(len(waits) / seconds),
        "a_core": round(len(waits) / seconds * (seconds + WARM) / busy),
        "busy": round(busy / (seconds + WARM), 2),
        "p50_ms": round(1000 * waits[len(waits) // 2], 2),
        "p99_ms": round(1000 * waits[len(waits) * 99 // 100], 2),
        "max_ms": round(1000 * waits[-1], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--unix", action="store_true", help="over a unix socket")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        listen = f"unix:{Path(folder) / 'policy'}" if chosen.unix else "127.0.0.1:0"
        given = (listen, chosen.decisions, chosen.connections, chosen.seconds)
        found = measure(serve, *given)
        found["bare_a_core"] = measure(serve_bare, *given)["a_core"]
        found["load"] = round(os.getloadavg()[0], 1)
    RESULTS.write_text(json.dumps({"command": COMMAND, **found}, indent=1) + "\n")
    if chosen.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<20}{value:>12,}")
    good = found["a_core"] >= GOAL and found["p99_ms"] < 1000 * SLOWEST
    print(
        f"goal: {GOAL:,} a core, p99 below {1000 * SLOWEST:.0f} ms: {'met' if good else 'missed'}"
    )


if __name__ == "__main__":
    main()
