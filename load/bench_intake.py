"""How many raw lines a second one `mailwarden intake` takes, from a foreign topic to mail.facts.

Topics are filled with the demo's log first, in the envelope of rsyslog's usual template, then one
process drains them on a real broker: many lines in a message, and one. A line counts when it was
joined, behind both topics. The rate is that of the time between the first and the last look at
the process's own metrics at which lines had come; `us of CPU` is what the operating system
charged it for one. ``python -m load.bench_intake``; with ``--profile`` it shows where the time
of the first goes instead, in load/results/intake_profile.md.
"""

import json
import os
import platform
import pstats
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path

import click
from kafka import KafkaProducer
from rich.console import Console
from rich.table import Table

from agents.commands.topics import make
from agents.demo.traffic import Plan, Traffic
from load.cluster import ROOT, wait
from load.hot import rows_of, table_of
from schemas.settings import KafkaSettings
from streams.kafka_bus import KafkaBus
from tools.kafka import Broker, free_ports

RESULTS = Path(__file__).parent / "results" / "intake.json"
PROFILE = RESULTS.with_name("intake_profile.md")
WAITS = (
    "'acquire' of '_thread.lock'",
    "'poll' of 'select",
    "time.sleep",
)  # time that nobody spends
GOALS = {"many lines a message": 30_000, "one line a message": 8_000}
PACKED = 100
SCALE = 4.0
TICKS = os.sysconf("SC_CLK_TCK")
METRIC = 'mailwarden_lines_total{source="kafka"} '


def envelopes() -> Iterator[bytes]:
    """The demo's days, line by line, as rsyslog puts them into JSON."""
    for seed in count(1):
        for line in Traffic(Plan(seed=seed, scale=SCALE, past=1)).lines():
            head, _, text = line.decode().partition(": ")
            host, _, tag = head[33:].partition(" ")
            stamp = head[:32]
            yield json.dumps(
                {"@timestamp": stamp, "host": host, "syslogtag": f"{tag}:", "message": text.strip()}
            ).encode()


def fill(broker: Broker, topic: str, lines: int, packed: int) -> None:
    producer = KafkaProducer(
        bootstrap_servers=broker.bootstrap, compression_type="lz4", linger_ms=50, batch_size=400_000
    )
    source = envelopes()
    for number in range(0, lines, packed):
        many = b"\n".join(islice(source, packed))
        producer.send(topic, many, partition=number // packed % 4)
    producer.flush(120)
    producer.close()


class Running:
    """An intake process with its counter and its processor time."""

    def __init__(self, home: Path, settings: Path, port: int, profile: Path | None) -> None:
        watched = ["-m", "cProfile", "-o", str(profile)] if profile else []
        command = ["-m", "mailwarden", "intake", "-c", str(settings)]
        with (home / "intake.log").open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, *watched, *command],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "STATE_DIRECTORY": str(home)},
            )
        self._port = port
        self.seen: list[tuple[float, float, float]] = []  # time, lines, CPU seconds

    def look(self) -> float:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._port}/metrics", timeout=5
            ) as page:
                text = page.read().decode()
        except OSError:
            return 0.0
        lines = next((float(x[len(METRIC) :]) for x in text.splitlines() if METRIC in x), 0.0)
        if lines and (not self.seen or lines > self.seen[-1][1]):
            stat = Path(f"/proc/{self._child.pid}/stat").read_text(encoding="ascii")
            user, system = stat.rpartition(")")[2].split()[11:13]  # proc(5), utime and stime
            self.seen.append((time.monotonic(), lines, (int(user) + int(system)) / TICKS))
        return lines

    def end(self) -> None:
        self._child.terminate()
        self._child.wait(60)


def measure(
    broker: Broker, home: Path, lines: int, packed: int, profile: Path | None = None
) -> dict[str, float]:
    home.mkdir()
    kafka = KafkaSettings(bootstrap=(broker.bootstrap,), prefix=f"{home.name}.", partitions=4)
    bus = KafkaBus(kafka)
    make(bus, kafka)
    bus.close()
    fill(broker, f"{home.name}.mail.raw", lines, packed)
    port = free_ports(1)[0]
    settings = home / "mailwarden.toml"
    settings.write_text(
        f"[kafka]\nbootstrap = ['{broker.bootstrap}']\nprefix = '{home.name}.'\npartitions = 4\n"
        f"[http]\nlisten = '127.0.0.1:{port}'\n",
        encoding="utf-8",
    )
    running = Running(home, settings, port, profile)
    done = wait(lambda: running.look() >= lines, 600, 0.1)
    running.end()
    if not done:
        raise click.ClickException((home / "intake.log").read_text()[-2000:])
    (begun, before, spent), (ended, after, total) = running.seen[0], running.seen[-1]
    return {
        "lines": lines,
        "lines_a_second": round((after - before) / (ended - begun)),
        "us_of_cpu": round((total - spent) / (after - before) * 1e6, 1),
    }


def profile(broker: Broker, folder: Path, lines: int) -> None:
    kept = folder / "profile"
    measure(broker, folder / "many", lines, PACKED, kept)
    found = [
        row
        for row in rows_of(pstats.Stats(str(kept)))
        if not any(wait in row.function for wait in WAITS)
    ]
    text = ["# Where the time of the intake goes", ""]
    text += [f"`python -m load.bench_intake --profile --lines {lines}`, its main thread.", ""]
    PROFILE.write_text("\n".join([*text, *table_of("Many lines a message", found)]))
    Console().print(PROFILE.read_text())


@click.command()
@click.option("--lines", default=400_000, help="Many in a message; one a message: a quarter.")
@click.option("--profile", "profiled", is_flag=True, help="Show where the time goes instead.")
def main(lines: int, profiled: bool) -> None:
    """Measure, and keep the result in load/results/intake.json."""
    with tempfile.TemporaryDirectory(prefix="bench-intake-") as folder:
        broker = Broker(Path(folder) / "kafka", *free_ports(2), bound=True)
        broker.start()
        try:
            if profiled:
                profile(broker, Path(folder), lines)
                return
            found = {
                "many lines a message": measure(broker, Path(folder) / "many", lines, PACKED),
                "one line a message": measure(broker, Path(folder) / "one", lines // 4, 1),
            }
        finally:
            broker.stop()
    table = Table("", "lines/s", "goal", "us of CPU a line")
    for name, row in found.items():
        table.add_row(name, f"{row['lines_a_second']:,}", f"{GOALS[name]:,}", str(row["us_of_cpu"]))
    Console().print(table)
    about = {
        "command": "python -m load.bench_intake",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[1],
        "packed": PACKED,
    }
    RESULTS.write_text(json.dumps({**about, "goals": GOALS, **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
