"""Workers that die, again and again, while events flow: every count and every finding right?

Each round has topics of its own. One worker begins, a second one joins late, and the first dies
by kill -9 half-way: between two steps of the flush, in the midst of one, or at any moment. Then
a third joins, the second one ends in order, and in some rounds the broker itself is killed and
comes back. At the end each subject's count, the sum of the offsets that it saw and its alerts are
compared with those of one shard that folded the same events.

    python -m load.chaos [ROUNDS] [EVENTS] [CLIENTS]
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agents.configuration import build_shard
from agents.detectors import DETECTORS
from load.cluster import Cluster, Process, essence, expected, guesses, packed, wait
from load.tally import Tally
from tools.kafka import Broker, free_ports

SECONDS = 12.0  # for which the events of a round flow
DEATHS = ("any", "say:4", "half:4", "keep:5", "free:3", "ack:4", "say:1", "half:1", "ack:1", "any")


def main(rounds: int = 10, events: int = 100_000, clients: int = 5_000) -> int:
    DETECTORS.clear()
    DETECTORS[Tally.name] = Tally
    table = Table("round", "dies", "broker", "deliveries", "subjects", "wrong", "alerts", "wrong")
    for column in table.columns[3:]:
        column.justify = "right"
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="chaos-") as home:
        broker = Broker(Path(home) / "kafka", *free_ports(2), bound=True)
        broker.start()
        try:
            for number in range(rounds):
                death = DEATHS[number % len(DEATHS)]
                place = Path(home) / f"round{number}"
                place.mkdir()
                row = play(broker, place, death, events, clients, broken=number % 3 == 2)
                wrong += row[2] + row[4]
                away = "killed" if number % 3 == 2 else ""
                table.add_row(str(number + 1), death, away, *(f"{value:,}" for value in row))
                Console(stderr=True).print(f"round {number + 1} {death} {away}: {row}")
        finally:
            broker.stop()
    Console().print(table)
    return 1 if wrong else 0


def play(
    broker: Broker, home: Path, death: str, events: int, clients: int, *, broken: bool
) -> tuple[int, int, int, int, int]:
    """One round: deliveries, subjects, of them wrong, alerts, of them wrong."""
    cluster = Cluster(broker.bootstrap, home)
    told = guesses(events, clients, seed=len(home.name) * 1000 + events)
    batches = list(packed(told, cluster.config, cluster.partitions))
    deliveries = sum(batch.events for batch in batches)
    first = cluster.start(*(() if death == "any" else ("--die", death)))
    feeding = threading.Thread(target=cluster.feed, args=(batches, deliveries / SECONDS))
    feeding.start()
    began = time.monotonic()
    others: list[Process] = []

    def at(second: float, do: Callable[[], object]) -> None:
        time.sleep(max(0.0, began + second - time.monotonic()))
        do()

    at(3, lambda: others.append(cluster.start()))
    at(7, first.kill)
    if broken:
        at(8, broker.kill)
        at(11, broker.start)
    at(12, lambda: others.append(cluster.start()))
    feeding.join()
    wait(lambda: others[1].said("assigned="), 30)
    others[0].end()
    cluster.drained(90)
    right_records, right_alerts = expected(build_shard(cluster.config), told)
    records, alerts = cluster.records(), essence(cluster.alerts())
    right = essence(right_alerts)
    others[1].end()
    cluster.close()
    return (
        deliveries,
        len(right_records),
        sum(records.get(key) != value for key, value in right_records.items()),
        len(right),
        sum(alerts.get(key) != value for key, value in right.items()) + len(alerts.keys() - right.keys()),
    )


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
