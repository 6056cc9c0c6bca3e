"""Memory under an attack that never shows the same face twice: ``python -m load.bench_memory``.

Every event comes from an address not seen before and names an account not seen before. Shown is
how many records are kept, what the process holds, and what one record weighs when it is packed.
"""

import gc
import json
import resource
import time
from pathlib import Path
from random import Random

import click
from rich import box
from rich.console import Console
from rich.table import Table

from agents import configuration
from agents.record import pack
from agents.shard import Shard
from schemas.events import Auth, Recipient
from schemas.settings import Settings

RESULTS = Path(__file__).parent / "results"
STEPS = 10
SAMPLE = 2000  # records that are packed to know their mean


def resident() -> float:
    """Megabytes that this process holds now (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def packed(shard: Shard, random: Random) -> float:
    """Mean bytes of a record: as it is kept where it is frozen, packed where it is not."""
    live = random.sample(sorted(shard.records), min(SAMPLE, len(shard.records)))
    mean = sum(len(pack(shard.records[key])) for key in live) / max(1, len(live))
    return (shard.frozen.size() + mean * len(shard.records)) / max(1, len(shard))


def attack(shard: Shard, number: int) -> None:
    """One event of each kind from a client nobody has seen."""
    ip = f"{240 + (number >> 20) % 14}.{number >> 12 & 255}.{number >> 4 & 255}.{number & 15}"
    at = 1_800_000_000.0 + number * 0.02
    shard.fold(Auth(at=at, gateway="mx1", client=ip, account=f"u{number}@example.org"))
    shard.fold(
        Recipient(
            at=at,
            gateway="mx1",
            client=ip,
            sender=f"s{number}@d{number}.example",
            recipient=f"r{number}@example.org",
            verdict="unknown",
            code=550,
        )
    )


def row(shard: Shard, random: Random, speed: float) -> dict[str, int]:
    return {
        "keys": len(shard) + shard.evicted,
        "records": len(shard),
        "evicted": shard.evicted,
        "resident_mb": round(resident()),
        "packed_bytes": round(packed(shard, random)),
        "events_per_second": round(speed),
    }


def table(rows: list[dict[str, int]]) -> Table:
    shown = Table(box=box.MARKDOWN)
    for head in ("keys seen", "records", "evicted", "resident MB", "packed bytes", "events/s"):
        shown.add_column(head, justify="right")
    for counts in rows:
        shown.add_row(*(f"{value:,}" for value in counts.values()))
    return shown


@click.command()
@click.option("--keys", type=click.IntRange(1000), default=1_000_000, show_default=True)
def main(keys: int) -> None:
    """Show that memory stays flat under so many hostile keys (clients, accounts, domains)."""
    shard, random = configuration.build_shard(configuration.build(Settings())), Random(1)
    gc.disable()  # as a replay does: records have no cycles
    rows: list[dict[str, int]] = []
    number, events, begun = 0, 0, time.process_time()
    while not rows or rows[-1]["keys"] < keys:
        attack(shard, number)
        number, events = number + 1, events + 2
        if len(shard) + shard.evicted >= (len(rows) + 1) * keys // STEPS:
            shard.take()
            rows.append(row(shard, random, events / (time.process_time() - begun)))
            click.echo(" ".join(f"{name}={value:,}" for name, value in rows[-1].items()), err=True)
            events, begun = 0, time.process_time()
    Console().print(table(rows))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "memory.json").write_text(json.dumps(rows, indent=1) + "\n")
    with (RESULTS / "memory.md").open("w") as file:
        what = f"# Memory\n\n`python -m load.bench_memory --keys {keys}`: keys never seen again\n"
        Console(file=file, width=120).print(what, table(rows))


if __name__ == "__main__":
    main()
