"""How many alerts a second each sink tells, and what an hour without the receiver does.

Each sink tells alerts of incidents of their own (nothing is gathered) to a stand-in on loopback
that takes everything at once, as `run` does it: put into the queue of its thread, counted when all
are told. The outage: an hour's alerts of a heavy flood, 10 a second, come while the receiver's port
is closed, as fast as the store takes them; then it opens. The hour itself is not waited for, and
the pauses between attempts are at most a second instead of five minutes. Counted: alerts that never
came, that came twice, that came out of order, and the memory of the process in the course of it.
``python -m load.bench_sinks``
"""

import json
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
from rich.console import Console
from rich.table import Table

from agents import configuration
from agents.single.delivery import HELD, Delivery
from agents.single.embedded import Embedded
from agents.single.store import Store
from load import desks
from schemas.findings import Alert, Evidence, Sample, Subject
from schemas.settings import Settings, convert
from streams.sink import Sink
from streams.sinks import SINKS
from streams.sources.follow import Follow

RESULTS = Path(__file__).parent / "results" / "sinks.json"
HOUR = 36_000  # alerts: 10 a second
STEP = 1000
PAGE = os.sysconf("SC_PAGE_SIZE")
SMALL = ("email", "chat", "jira", "servicenow", "thehive")  # a tenth of the alerts is enough


def alert(number: int, at: float) -> Alert:
    client = f"203.0.{number // 256 % 256}.{number % 256}"
    return Alert(
        id=f"{number:016x}",
        detector="auth_dictionary",
        shape="dictionary",
        severity="high",
        subject=Subject("client", client),
        first=at - 60,
        last=at + number / 1000,
        at=at,
        summary=f"{client}: 15 wrong passwords at 15 accounts",
        technique="T1110.001",
        clients=[client],
        clients_count=1,
        accounts=[f"user{n}@example.org" for n in range(15)],
        accounts_count=15,
        evidence=[Evidence("accounts", 15, 5)],
        samples=[Sample(at, '{"type":"auth","client":"203.0.113.9","account":"anna"}')] * 5,
        domains=["example.org"],
        incident=f"{number:016x}",
        events=15,
    )


class Receiver:
    """The stand-ins, in a process of their own."""

    def __init__(self, http: int = 0) -> None:
        here, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=desks.serve, args=(http, there), daemon=True)
        self._process.start()
        there.close()  # so that its end is seen here
        self._pipe: Connection = here
        self.ports: dict[str, int] = here.recv()

    def counted(self) -> tuple[int, list[str]]:
        self._pipe.send("count")
        found: tuple[int, list[str]] = self._pipe.recv()
        return found

    def close(self) -> None:
        self._pipe.send("end")
        self._process.join(10)


def settings(ports: dict[str, int], folder: Path) -> dict[str, dict[str, Any]]:
    """The section of each sink that is measured."""
    http = f"http://127.0.0.1:{ports['http']}"
    mail = {"sender": "mailwarden@example.org", "recipients": ["soc@example.net"], "single": "info"}
    return {
        "jsonl": {"path": str(folder / "alerts.jsonl")},
        "webhook": {"url": f"{http}/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
        "elasticsearch": {"url": http},
        "alertmanager": {"url": http},
        "syslog, tcp": {"server": f"127.0.0.1:{ports['tcp']}", "transport": "tcp"},
        "syslog, udp": {"server": f"127.0.0.1:{ports['udp']}", "transport": "udp"},
        "email": {"server": f"127.0.0.1:{ports['smtp']}", "transport": "plain", **mail},
        "chat": {"url": f"json://127.0.0.1:{ports['http']}/chat"},
        "jira": {"url": http, "project": "SOC", "token": "x"},
        "servicenow": {"url": http, "token": "x"},
        "thehive": {"url": http, "key": "x"},
    }


def built(name: str, section: dict[str, Any], folder: Path) -> Sink:
    kind = name.partition(",")[0]
    table = {"gather": 0.0, "least": "info", **section}
    chosen = convert(table, SINKS[kind].Settings, "bench", kind)
    sink = SINKS[kind](chosen, kind)
    sink.folder = folder
    return sink


def rate(name: str, count: int) -> float:
    """Alerts a second."""
    receiver = Receiver()
    try:
        with tempfile.TemporaryDirectory() as folder:
            section = settings(receiver.ports, Path(folder))[name]
            delivery = Delivery(built(name, section, Path(folder)))
            now = time.time()
            alerts = [alert(number, now) for number in range(count)]
            begun = time.perf_counter()
            delivery.put(alerts)
            while not delivery.idle():
                assert not delivery.trouble, f"{name}: {delivery.trouble}"
                time.sleep(0.005)
            took = time.perf_counter() - begun
            delivery.close()
            came, ids = receiver.counted()
            if name not in ("jsonl", "syslog, udp"):  # the one sends nothing, the other may lose
                assert came + len(ids) == count, f"{name}: {came + len(ids)} of {count} came"
            return count / took
    finally:
        receiver.close()


# -- an hour without the receiver ---------------------------------------------------------------


@contextmanager
def running(folder: Path, port: int) -> Iterator[Embedded]:
    table = {
        "logs": {"files": [str(folder / "mail.log")]},
        "response": {"panic": str(folder / "panic")},
        "sinks": {"webhook": {"url": f"http://127.0.0.1:{port}/hook", "gather": 0.0}},
    }
    config = configuration.build(convert(table, Settings, "bench"))
    quick = partial(Delivery, patience=(0.1, 1.0))
    with (
        patch("agents.single.embedded.Delivery", quick),
        Store(folder / "mailwarden.db") as store,
    ):
        made = Embedded(
            config,
            store,
            lambda config, positions: Follow(config.settings.logs.files, positions=positions),
        )
        try:
            yield made
        finally:
            made.close()


def resident() -> int:
    """MiB that this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE >> 20


def outage(count: int) -> dict[str, Any]:
    port = desks.free_port()
    memory: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as name, running(Path(name), port) as program:
        before, now = resident(), time.time()
        for begin in range(0, count, STEP):
            program._alerts += [alert(n, now) for n in range(begin, begin + STEP)]
            program.flush()
            program._refill()
            memory[begin + STEP] = resident()
        tries = program._deliveries[0].trouble
        receiver = Receiver(port)
        begun = time.perf_counter()
        [delivery] = program._deliveries
        while not (delivery.idle() and not program._store.owed("webhook", 1)):
            program._refill()
            program.flush()
            time.sleep(0.2)
        took = time.perf_counter() - begun
        after = resident()
        _, ids = receiver.counted()
        receiver.close()
    numbers = [int(one.partition("-")[0], 16) for one in ids]
    full = memory[min(HELD, count)]
    return {
        "alerts": count,
        "trouble meanwhile": tries.partition(": ")[2][:60],
        "lost": count - len(set(numbers)),
        "twice": len(numbers) - len(set(numbers)),
        "out of order": sum(b < a for a, b in pairwise(numbers)),
        "seconds to catch up": round(took, 1),
        "MiB before": before,
        f"MiB at {min(HELD, count):,} alerts": full,
        "MiB at the end of the outage": memory[max(memory)],
        "MiB after it": after,
    }


@click.command()
@click.option("--alerts", default=5000, help="For each sink; a tenth for those that are slow.")
@click.option("--outage", "hour", default=HOUR, help="Alerts that come meanwhile; 0: none.")
@click.option("--only-outage", is_flag=True, help="Keep the rates that were measured last.")
def main(alerts: int, hour: int, *, only_outage: bool) -> None:
    """Measure, print a table, keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        names = list(settings(dict.fromkeys(("http", "tcp", "udp", "smtp"), 1), Path(folder)))
    if only_outage:
        rates = json.loads(RESULTS.read_text())["alerts a second"]
    else:
        rates = {n: round(rate(n, alerts // 10 if n in SMALL else alerts)) for n in names}
    table = Table(title="alerts a second")
    table.add_column("sink")
    table.add_column("told", justify="right")
    for name, found in rates.items():
        table.add_row(name, f"{found:,}")
    Console().print(table)
    down = outage(hour) if hour else {}
    for key, value in down.items():
        click.echo(f"{key:<32}{value}")
    RESULTS.write_text(
        json.dumps(
            {
                "command": "python -m load.bench_sinks",
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "python": platform.python_version(),
                "cores": os.cpu_count(),
                "load": round(os.getloadavg()[0], 1),
                "alerts a second": rates,
                "an hour without the receiver": down,
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
