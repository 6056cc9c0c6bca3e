"""How fast a worker is, whether two are faster, and how soon one takes over from another.

Drained: a topic is filled with the demo's traffic first, then one worker drains it, and then two
drain an equal one. An event counts once for each partition that it is delivered to; all
detectors are on. The rate is that of the time in which all workers folded, from their own
metrics; `us of CPU` is what the operating system charged them for one event.

Takeover: two workers share many subjects, one is killed with -9; how long until every partition
moves on? The session timeout is part of it. ``python -m load.bench_worker``
"""

import json
import os
import platform
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from agents.demo.traffic import DAY, SETTINGS, Plan, Traffic
from load.cluster import Batch, Cluster, guesses, packed, wait
from schemas.events import Fact
from streams.reader import Reader, ReadOptions
from tools.kafka import Broker, free_ports

PACKED = 200  # events of a message: what a busy shipper collects in 50 ms
WORKER = ("-m", "mailwarden", "worker")
SCALE = 4.0  # of the company: a worker in need of speed has much to do in each minute
TICKS = os.sysconf("SC_CLK_TCK")
RESULTS = Path(__file__).parent / "results" / "worker.json"


class Watched:
    """A worker with its counter of folded events and its processor time."""

    def __init__(self, cluster: Cluster) -> None:
        self._port = free_ports(1)[0]
        self.process = cluster.start(listen=f"127.0.0.1:{self._port}")
        self.seen: list[tuple[float, float, float]] = []  # time, events, CPU seconds

    def look(self) -> None:
        events = self.folded()
        if events and (not self.seen or events > self.seen[-1][1]):
            self.seen.append((time.monotonic(), events, self.processor()))

    def folded(self) -> float:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._port}/metrics", timeout=5
            ) as page:
                text = page.read().decode()
        except OSError:
            return 0.0
        line = next(x for x in text.splitlines() if x.startswith("mailwarden_folded_events_total"))
        return float(line.split()[1])

    def processor(self) -> float:
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]  # proc(5), utime and stime
        return (int(user) + int(system)) / TICKS


def traffic() -> Iterator[Fact]:
    """The demo's days, one after the other, without end."""
    for day in count():
        reader = Reader(ReadOptions())
        lines = enumerate(Traffic(Plan(seed=day + 1, scale=SCALE, past=1)).lines())
        for _, event in reader.read([("mail.log", lines)]):
            yield msgspec.structs.replace(event, at=event.at + day * DAY)
        yield from (
            msgspec.structs.replace(event, at=event.at + day * DAY) for _, event in reader.close()
        )


def batches(cluster: Cluster, deliveries: int) -> list[Batch]:
    found: list[Batch] = []
    for batch in packed(traffic(), cluster.config, cluster.partitions, PACKED):
        found.append(batch)
        deliveries -= batch.events
        if deliveries <= 0:
            break
    return found


def drain(cluster: Cluster, filled: list[Batch], workers: int) -> tuple[float, float]:
    """Deliveries a second of all workers together, and microseconds of CPU for each."""
    cluster.feed(filled)
    watched = [Watched(cluster) for _ in range(workers)]

    def done() -> bool:
        for each in watched:
            each.look()
        return sum(each.seen[-1][1] for each in watched if each.seen) >= sum(
            batch.events for batch in filled
        )

    if not wait(done, 600, 0.5):  # to be asked costs a worker time
        raise SystemExit("the workers did not drain the topic")
    begin = max(each.seen[0][0] for each in watched)
    end = min(each.seen[-1][0] for each in watched)
    rate = cost = total = 0.0
    for each in watched:
        seen = [point for point in each.seen if begin <= point[0] <= end]
        events = seen[-1][1] - seen[0][1]
        rate += events / (seen[-1][0] - seen[0][0])
        total += events
        cost += seen[-1][2] - seen[0][2]
        each.process.end()
    return rate, 1e6 * cost / total


def takeover(cluster: Cluster, subjects: int) -> tuple[float, float]:
    """Seconds from kill -9 until the last partition moves on, and until the first one does."""
    clients = subjects // 3  # each with its network and its account
    known = [
        msgspec.structs.replace(
            event, client=_address(index), account=f"user{index}@lindhafen.example"
        )
        for index, event in enumerate(guesses(clients, clients, pace=0.0001))
    ]
    cluster.feed(packed(known, cluster.config, cluster.partitions, PACKED))
    first, second = cluster.start(), cluster.start()
    wait(lambda: second.said("partitions assigned"), 60, 0.1)
    cluster.drained(120)
    stop = threading.Event()
    flow = threading.Thread(target=_trickle, args=(cluster, stop))
    flow.start()
    time.sleep(5)
    said = len(second.log.read_text(encoding="utf-8"))
    first.kill()
    killed = time.time()
    taken: list[float] = []

    def all_taken() -> bool:
        """A partition's records are loaded for its first event."""
        log = second.log.read_text(encoding="utf-8")[said:].splitlines()
        lines = [msgspec.json.decode(line) for line in log if '"partition taken"' in line]
        taken[:] = [line["at"] - killed for line in lines]
        return len(taken) == cluster.partitions

    wait(all_taken, 120, 0.1)
    stop.set()
    flow.join()
    second.end()
    return max(taken), min(taken)


def _address(index: int) -> str:
    """Each in a network of its own."""
    return f"{11 + index // 65536 % 200}.{index // 256 % 256}.{index % 256}.7"


def _trickle(cluster: Cluster, stop: threading.Event) -> None:
    position = 10_000_000
    while not stop.is_set():
        some = guesses(400, 1000, seed=position)
        for batch in packed(some, cluster.config, cluster.partitions, 1):
            headers = [("origin", b"trickle")]
            cluster.feed([msgspec.structs.replace(batch, headers=headers)])
        position += 1


@click.command()
@click.option("--deliveries", default=1_000_000, show_default=True, help="That are drained.")
@click.option("--subjects", default=100_000, show_default=True, help="That are taken over.")
def main(deliveries: int, subjects: int) -> None:
    """Events a second of one worker and of two, and seconds of a takeover."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        home = Path(name)
        broker = Broker(home / "kafka", *free_ports(2), bound=True)
        broker.start()
        try:
            found = measure(broker, home, deliveries, subjects)
        finally:
            broker.stop()
    table = Table("what", "measured", "goal")
    for what, measured, goal in (
        ("one worker, deliveries/s", f"{found['one']:,.0f}", "80,000"),
        ("one worker, us of CPU a delivery", f"{found['one_cost']:.1f}", ""),
        ("two workers, deliveries/s", f"{found['two']:,.0f}", ""),
        ("two workers, times one", f"{found['two'] / found['one']:.2f}", "1.5"),
        ("two workers, us of CPU a delivery", f"{found['two_cost']:.1f}", ""),
        (f"takeover with {subjects:,} subjects, s", f"{found['takeover']:.1f}", "15"),
    ):
        table.add_row(what, measured, goal)
    Console().print(table)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def loop() -> float:
    """CPU seconds of ten million additions: about 0.5 on an idle machine of the 2020s."""
    began, total = time.process_time(), 0
    for number in range(10**7):
        total += number
    return time.process_time() - began


def measure(broker: Broker, home: Path, deliveries: int, subjects: int) -> dict[str, Any]:
    def cluster(name: str, session: float = 10.0) -> Cluster:
        (home / name).mkdir()
        return Cluster(broker.bootstrap, home / name, 8, session, WORKER, SETTINGS)

    one, two, three = cluster("one"), cluster("two"), cluster("takeover")
    filled = batches(one, deliveries)
    rate, cost = drain(one, filled, 1)
    both, both_cost = drain(two, filled, 2)
    last, first = takeover(three, subjects)
    for each in (one, two, three):
        each.close()
    return {
        "command": f"python -m load.bench_worker --deliveries {deliveries} --subjects {subjects}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}",
        "load_average": round(os.getloadavg()[0], 1),
        "loop_seconds": round(loop(), 2),  # tells how busy the machine was with others
        "one": round(rate),
        "one_cost": round(cost, 2),
        "two": round(both),
        "two_cost": round(both_cost, 2),
        "takeover": round(last, 1),
        "takeover_first_partition": round(first, 1),
    }


if __name__ == "__main__":
    main()
