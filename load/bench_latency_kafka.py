"""From the line in the log to the line in Postfix's table, over Kafka: ship, one worker, gateway.

As load/bench_latency.py, with the broker and the three programs as processes of their own.

    python -m load.bench_latency_kafka [--count 60]
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from load.bench_latency import ROOT, SETTINGS, line, until_there
from tools.kafka import Broker, free_ports

KAFKA = """
[storage]
path = "{folder}/{program}/mailwarden.db"
[kafka]
bootstrap = ["{bootstrap}"]
"""
WARM = 3  # lines that are not counted: the first ones meet programs that still start
START = 60.0  # seconds
RESULT = ROOT / "load" / "results" / "latency_kafka.json"
COMMAND = "python -m load.bench_latency_kafka --count {}"
HEAD = ("p50", "p95", "max", "goal")


@contextlib.contextmanager
def site(folder: Path, log: Path) -> Iterator[None]:
    """Broker, topics, shipper, worker and gateway, all idle."""
    broker = Broker(folder / "kafka", *free_ports(2), bound=True)
    broker.start()
    running = []
    try:
        for program in ("topics", "worker", "gateway", "ship"):
            (folder / program).mkdir()
            settings = folder / program / "mailwarden.toml"
            more = KAFKA.format(folder=folder, program=program, bootstrap=broker.bootstrap)
            settings.write_text(SETTINGS.format(folder=folder) + more)
            command = [sys.executable, str(ROOT / "mailwarden.py"), program]
            command += ["create"] if program == "topics" else []
            command += ["-c", str(settings), *([str(log)] if program == "ship" else [])]
            with (folder / program / "said").open("wb") as said:
                started = subprocess.Popen(
                    command,
                    cwd=folder / program,
                    stdout=said,
                    stderr=said,
                    env={**os.environ, "STATE_DIRECTORY": str(folder / program)},
                )
            if program == "topics":
                started.wait()
            else:
                running.append(started)
        yield
    finally:
        for process in running:
            process.terminate()
            process.wait()
        broker.stop()


def measure(folder: Path, count: int) -> list[float]:
    """Seconds from line to table, one for each address."""
    log, table = folder / "mail.log", folder / "clients.cidr"
    log.touch()
    dice = random.Random(1)
    found = []
    with site(folder, log):
        begun = time.monotonic()
        while not (table.exists() and "203.0.113.0/32" in table.read_text()):
            if time.monotonic() - begun > START:
                sys.exit(f"nothing is blocked after {START:.0f} s; see {folder}/*/said")
            with log.open("a") as file:
                file.write(line("203.0.113.0"))
            time.sleep(0.5)
        for number in range(1, WARM + count + 1):
            time.sleep(0.5 + dice.random())
            client = f"203.0.113.{number}" if number < 256 else f"198.51.100.{number - 256}"
            with log.open("a") as file:
                file.write(line(client))
            begun = time.perf_counter()
            until_there(table, f"{client}/32 ")
            found.append(time.perf_counter() - begun)
    return found[WARM:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=60, choices=range(1, 401), metavar="N")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = sorted(measure(Path(folder), options.count))
    result = {
        "command": COMMAND.format(options.count),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": round(os.getloadavg()[0], 1),
        "what": "log line to Postfix table, ship + worker + gateway on Kafka, idle",
        "count": len(found),
        "p50_ms": round(statistics.median(found) * 1000, 1),
        "p95_ms": round(found[int(len(found) * 0.95)] * 1000, 1),
        "max_ms": round(found[-1] * 1000, 1),
        "goal_p50_ms": 1500,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if options.json:
        print(json.dumps(result))
        return
    row = (result["p50_ms"], result["p95_ms"], result["max_ms"], "< 1500")
    print(f"{'log line -> Postfix table (Kafka)':40}" + "".join(f"{n:>10}" for n in HEAD))
    print(f"{'milliseconds':40}" + "".join(f"{value:>10}" for value in row))


if __name__ == "__main__":
    main()
