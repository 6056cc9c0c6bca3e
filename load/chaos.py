"""Workers that die, again and again, while events flow: every count and every finding right?

Each round has topics of its own. One worker begins, a second one joins late, and the first dies
by kill -9 half-way: between two steps of the flush, in the midst of one, or at any moment. Then
a third joins, the second one ends in order, and in some rounds the broker itself is killed and
comes back. At the end each subject's count, the sum of the offsets that it saw and its alerts are
compared with those of one shard that folded the same events. ``python -m load.chaos``
"""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from agents.configuration import build_shard
from agents.detectors import DETECTORS
from load.cluster import Cluster, Process, essence, expected, guesses, packed, wait
from load.tally import Tally
from tools.kafka import Broker, free_ports

SECONDS = 12.0  # for which the events of a round flow
COUNTED = ("deliveries", "subjects", "wrong subjects", "alerts", "wrong alerts")
RESULTS = Path(__file__).parent / "results" / "chaos.json"
DEATHS = ("any", "say:4", "half:4", "keep:5", "free:3", "ack:4", "say:1", "half:1", "ack:1", "any")


@click.command()
@click.option("--rounds", default=10, show_default=True)
@click.option("--events", default=60_000, show_default=True, help="Of each round.")
@click.option("--clients", default=3_000, show_default=True, help="That guess at as many accounts.")
def main(rounds: int, events: int, clients: int) -> None:
    """Kill workers while events flow; exit 1 where a count or a finding is wrong."""
    DETECTORS.clear()
    DETECTORS[Tally.name] = Tally
    table = Table("round", "dies", "broker", "deliveries", "subjects", "wrong", "alerts", "wrong")
    for column in table.columns[3:]:
        column.justify = "right"
    wrong = 0
    kept: list[dict[str, object]] = []
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
                kept.append({"dies": death, "broker": away} | dict(zip(COUNTED, row, strict=True)))
                click.echo(kept[-1], err=True)
        finally:
            broker.stop()
    Console().print(table)
    command = f"python -m load.chaos --rounds {rounds} --events {events} --clients {clients}"
    found = {"command": command, "date": datetime.now(UTC).isoformat(timespec="seconds")}
    RESULTS.write_text(json.dumps(found | {"rounds": kept}, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if wrong else 0)


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
    wait(lambda: others[1].said("partitions assigned"), 30)
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
        sum(alerts.get(key) != value for key, value in right.items())
        + len(alerts.keys() - right.keys()),
    )


if __name__ == "__main__":
    main()
