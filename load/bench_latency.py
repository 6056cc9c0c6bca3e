"""From the line in the log to the line in Postfix's table: how long `mailwarden run` takes.

An idle process follows a log; every half second one more address trips over a honeypot, and the
clock runs from the end of the write to the moment when the table names it. The reload is
`true`: what is measured is ours, and the table is what Postfix reads.

    python load/bench_latency.py [--count 60]
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEADLINE = 10.0
RESULT = ROOT / "load" / "results" / "latency.json"
COMMAND = "python load/bench_latency.py --count {}"

SETTINGS = """
[site]
honeypots = ["trap@example.org"]
[response]
enforce = true
budget = 1000
panic = "{folder}/panic"
[http]
listen = ""
[detectors.auth_dictionary]
enforce = true
[gateways.postfix]
clients = "{folder}/clients.cidr"
postfix = "true"
reload_interval = 0.0
"""


def line(client: str) -> str:
    return (
        f"{datetime.now(UTC).isoformat()} mx1 postfix/smtpd[7]: warning: unknown[{client}]: SASL"
        " LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=trap@example.org\n"
    )


def until_there(path: Path, text: str) -> None:
    """Wait, without rest, until the file has the text."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        if path.exists() and text in path.read_text():
            return
        time.sleep(0.001)
    sys.exit(f"{text!r} did not come into {path} within {DEADLINE:.0f} s")


def measure(folder: Path, count: int) -> list[float]:
    """Seconds from line to table, one for each address."""
    log, table, said = folder / "mail.log", folder / "clients.cidr", folder / "said"
    log.touch()
    (folder / "mailwarden.toml").write_text(SETTINGS.format(folder=folder))
    command = [sys.executable, str(ROOT / "mailwarden.py"), "run"]
    with said.open("wb") as out:
        process = subprocess.Popen(
            [*command, "-c", str(folder / "mailwarden.toml"), str(log)],
            env={**os.environ, "STATE_DIRECTORY": str(folder / "state")},
            stdout=out,
            stderr=out,
        )
    try:
        until_there(said, "metrics")
        dice = random.Random(1)
        found = []
        for number in range(count):
            time.sleep(0.5 + dice.random() / 10)
            client = f"203.0.113.{number}" if number < 256 else f"198.51.100.{number - 256}"
            with log.open("a") as file:
                file.write(line(client))
            begun = time.perf_counter()
            until_there(table, f"{client}/32 ")
            found.append(time.perf_counter() - begun)
        return found
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=60, choices=range(1, 501), metavar="N")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = sorted(measure(Path(folder), options.count))
    result = {
        "command": COMMAND.format(options.count),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": round(os.getloadavg()[0], 1),
        "what": "log line to Postfix table, run, idle",
        "count": len(found),
        "p50_ms": round(statistics.median(found) * 1000, 1),
        "p95_ms": round(found[int(len(found) * 0.95)] * 1000, 1),
        "max_ms": round(found[-1] * 1000, 1),
        "goal_p50_ms": 200,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if options.json:
        print(json.dumps(result))
        return
    print(
        f"{'log line -> Postfix table (run, idle)':40}{'p50':>10}{'p95':>10}{'max':>10}{'goal':>10}"
    )
    row = (result["p50_ms"], result["p95_ms"], result["max_ms"], "< 200")
    print(f"{'milliseconds':40}" + "".join(f"{value:>10}" for value in row))


if __name__ == "__main__":
    main()
