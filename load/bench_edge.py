"""How soon an edge that was killed knows the whole list again, and what a decision weighs there.

The gateway runs as a process and is killed with SIGKILL; then it starts again without a broker,
from its snapshot. "Known" is when it says so itself, on standard error: from then on its servers
answer; "written" is when the table of Postfix has the last line. With --kafka the same once more
on a real broker, without the snapshot: the topic read from its beginning.

    python -m load.bench_edge [--decisions 100000] [--runs 5] [--kafka] [--json]
"""

import argparse
import gc
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.commands.topics import make
from agents.configuration import build, build_blocklist
from agents.edge import snapshot
from schemas import wire
from schemas.findings import Decision, Target, decision_id
from schemas.gateways import GatewayState
from schemas.settings import KafkaSettings, Settings
from streams.kafka_bus import KafkaBus
from tools.kafka import Broker, free_ports

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "edge.json"
COMMAND = "python -m load.bench_edge"
DEADLINE = 120.0
SNAPSHOT = "decisions.snapshot"
SETTINGS = """
[http]
listen = ""
[storage]
path = "{folder}/mailwarden.db"
[gateways.postfix]
clients = "{folder}/clients.cidr"
postfix = "true"
[kafka]
bootstrap = ["{bootstrap}"]
"""


def decisions(count: int) -> list[Decision]:
    """As detectors make them: single addresses, a summary for a reason, an hour."""
    dice = random.Random(1)
    now = time.time()
    found = []
    for number in dice.sample(range(20 << 24, 100 << 24), count):
        address = ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
        target = Target("network", address)
        found.append(
            Decision(
                id=decision_id(target, "drop"),
                target=target,
                action="drop",
                reason=f"{address}: 15 wrong passwords at 15 accounts; opened none",
                alert=f"{number:016x}",
                since=now,
                until=now + 3600,
                enforced=True,
            )
        )
    return found


def keep(path: Path, found: list[Decision]) -> None:
    """As an edge with the settings of the benchmark keeps them."""
    blocklist = build_blocklist(build(Settings()))
    for decision in found:
        blocklist.put(decision)
    snapshot.write(path, blocklist.image({}))


@contextmanager
def gateway(folder: Path, bootstrap: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    settings = folder / "mailwarden.toml"
    settings.write_text(SETTINGS.format(folder=folder, bootstrap=bootstrap))
    said = folder / "said"
    said.unlink(missing_ok=True)
    command = [sys.executable, str(ROOT / "mailwarden.py"), "gateway", "-c", str(settings)]
    with said.open("wb") as log:
        process = subprocess.Popen(command, stderr=log, cwd=folder)
    try:
        yield process, said
    finally:
        process.kill()
        process.wait()


def wait(happened: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + DEADLINE
    while not happened():
        if time.monotonic() > until or process.poll() is not None:
            sys.exit("it did not come about; see the log of the gateway")
        time.sleep(0.002)


def restart(folder: Path, last: str) -> dict[str, float]:
    """Seconds from the start of the process."""
    table = folder / "clients.cidr"
    table.unlink(missing_ok=True)
    begun = time.monotonic()
    with gateway(folder, "127.0.0.1:1") as (process, said):
        wait(lambda: b"snapshot read" in said.read_bytes(), process)
        known, spent = time.monotonic() - begun, _processor(process.pid)
        wait(lambda: table.exists() and last in table.read_text(), process)
        written = time.monotonic() - begun
        processor = _processor(process.pid)
        os.kill(process.pid, signal.SIGKILL)
    return {
        "known": known,
        "known_processor": spent,
        "written": written,
        "written_processor": processor,
    }


def _processor(pid: int) -> float:
    """Seconds of processor time that a process has taken so far (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def from_topic(folder: Path, found: list[Decision], runs: int) -> list[float]:
    """Seconds from the start until all of the topic is applied."""
    broker = Broker(folder / "kafka", *free_ports(2), bound=True)
    broker.start()
    try:
        settings = KafkaSettings(bootstrap=(broker.bootstrap,))
        bus = KafkaBus(settings)
        make(bus, settings)
        for one in found:
            bus.publish("mail.decisions", one.id.encode(), wire.encode(one))
        bus.flush(DEADLINE)
        states = bus.subscribe(["mail.gateways"], None)
        times = []
        for _ in range(runs):
            (folder / SNAPSHOT).unlink(missing_ok=True)
            begun = time.monotonic()
            with gateway(folder, broker.bootstrap) as (process, _):
                said: list[GatewayState] = []

                def complete(said: list[GatewayState] = said) -> bool:
                    said += [wire.decode_state(m.value or b"") for m in states.poll(0.01)]
                    return any(one.complete and one.generation >= len(found) for one in said)

                wait(complete, process)
            times.append(time.monotonic() - begun)
        bus.close()
        return times
    finally:
        broker.stop()


def weight(folder: Path) -> dict[str, float]:
    """Bytes of a decision in memory, as it comes from a snapshot, and processor time of a list."""
    blocklist = build_blocklist(build(Settings()))
    gc.collect()
    before = _resident()
    blocklist.adopt(snapshot.read(folder / SNAPSHOT))
    gc.collect()
    size = (_resident() - before) / len(blocklist)
    begun = time.process_time()
    blocklist.in_force(time.time())
    return {"bytes": round(size), "list_s": round(time.process_time() - begun, 3)}


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--decisions", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--kafka", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = decisions(options.decisions)
    result: dict[str, object] = {"decisions": options.decisions, "runs": options.runs}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keep(folder / SNAPSHOT, found)
        result |= weight(folder)
        last = found[-1].target.value
        runs = [restart(folder, f"{last}/32 ") for _ in range(options.runs)]
        for what in ("known", "known_processor", "written", "written_processor"):
            result[f"{what}_s"] = round(statistics.median(run[what] for run in runs), 2)
        if options.kafka:
            result["topic_s"] = round(statistics.median(from_topic(folder, found, 3)), 2)
    result["goal_known_s"] = 1.0
    result["load"] = round(os.getloadavg()[0], 1)
    RESULTS.write_text(json.dumps({"command": COMMAND, **result}, indent=1) + "\n")
    if options.json:
        print(json.dumps(result))
        return
    for what, value in result.items():
        print(f"{what:20}{value:>10}")


if __name__ == "__main__":
    main()
