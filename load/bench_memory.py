"""Memory under an attack that never shows the same face twice: ``python -m load.bench_memory``.

Every event comes from an address not seen before and names an account not seen before. Shown is
how many records are kept, what the process holds, and what one record weighs when it is packed.
"""

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
SAMPLE = 2000  # records that are packed to know their mean


def resident() -> float:
    """Megabytes that this process holds now (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def packed(shard: Shard, random: Random) -> float:
    """Mean bytes of a packed record."""
    sizes = [len(record) for record in shard.frozen.values()]
    kept = random.sample(sorted(shard.records), min(SAMPLE, len(shard.records)))
    sizes += [len(pack(shard.records[key])) for key in kept]
    return sum(sizes) / max(1, len(sizes))


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


@click.command()
@click.option("--keys", type=click.IntRange(1000), default=1_000_000, show_default=True)
def main(keys: int) -> None:
    """Show that memory stays flat under so many hostile clients."""
    shard, random = configuration.build_shard(configuration.build(Settings())), Random(1)
    table = Table(box=box.MARKDOWN)
    for head in (
        "clients",
        "records",
        "evicted",
        "resident MB",
        "packed bytes a record",
        "events/s",
    ):
        table.add_column(head, justify="right")
    rows = []
    step = max(1, keys // 10)
    for begin in range(0, keys, step):
        begun = time.perf_counter()
        for number in range(begin, min(begin + step, keys)):
            attack(shard, number)
        speed = 2 * step / (time.perf_counter() - begun)
        shard.drain()
        shard.take()
        row = {
            "clients": begin + step,
            "records": len(shard),
            "evicted": shard.evicted,
            "resident_mb": round(resident()),
            "packed_bytes": round(packed(shard, random)),
            "events_per_second": round(speed),
        }
        rows.append(row)
        table.add_row(*(f"{value:,}" for value in row.values()))
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "memory.json").write_text(json.dumps(rows, indent=1) + "\n")
    with (RESULTS / "memory.md").open("w") as file:
        Console(file=file, width=120).print(f"# Memory, {keys:,} hostile clients\n", table)


if __name__ == "__main__":
    main()
