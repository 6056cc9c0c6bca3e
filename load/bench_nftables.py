"""What sets of the kernel cost, in a network namespace: ``python -m load.bench_nftables``.

Each kind of target is loaded in full, as at every change: the commands are written, one
transaction takes the place of all that was there. `look` reads the counters while all of it is
loaded. Shown is the best of a few turns; processor time (CPU) says more where others work, too.
"""

import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from schemas.findings import Decision, Target
from streams.gateways.nftables import Nftables, NftablesSettings, ruleset
from tools.namespaces import Namespace

RESULTS = Path(__file__).parent / "results"
TURNS = 3

KINDS: dict[str, Callable[[int], str]] = {
    "IPv4 hosts": lambda n: f"{n >> 16 & 255 | 16}.{n >> 8 & 255}.{n & 255}.{7 * n & 255}",
    "IPv4 /24": lambda n: f"{16 + (n >> 15)}.{n >> 7 & 255}.{2 * n & 255}.0/24",
    "IPv6 /64": lambda n: f"2001:db8:{n >> 16:x}:{n & 65535:x}::/64",
}


def decisions(text: Callable[[int], str], count: int) -> list[Decision]:
    until = time.time() + 3600
    return [
        Decision(id=str(n), target=Target("network", text(n)), action="drop", until=until + n % 600)
        for n in range(count)
    ]


def spent() -> float:
    """Processor seconds of this process and of the nft that it called."""
    own, called = (
        resource.getrusage(resource.RUSAGE_SELF),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    return own.ru_utime + own.ru_stime + called.ru_utime + called.ru_stime


def timed(work: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    work()
    return clock() - began


def _written(given: list[Decision]) -> list[ruleset.Command]:
    now = time.time()
    return ruleset.elements("mailwarden", ruleset.content(given, now), now)


def measured(gateway: Nftables, given: list[Decision]) -> tuple[float, ...]:
    """Seconds to write, to write and load, and to look at, the best of a few turns."""
    work = (
        (lambda: _written(given), spent),
        (lambda: gateway.enforce(given), spent),
        (lambda: gateway.enforce(given), time.perf_counter),
        (gateway._look, time.perf_counter),
    )
    return tuple(min(timed(each, clock) for _ in range(TURNS)) for each, clock in work)


def rows(counts: tuple[int, ...]) -> Iterator[tuple[str, ...]]:
    namespace = Namespace()
    try:
        settings = NftablesSettings(nft=(*namespace.command, "nft"))
        for kind, text in KINDS.items():
            for count in counts:
                gateway = Nftables(settings, ticks=lambda: 0.0)
                seconds = measured(gateway, decisions(text, count))
                yield (kind, f"{count:,}", *(f"{1000 * each:,.0f}" for each in seconds))
    finally:
        namespace.remove()


@click.command()
@click.option("--counts", default="1,100,10000,100000", show_default=True, help="Decisions.")
@click.option("--keep", is_flag=True, help="Keep the table in load/results/.")
def main(counts: str, keep: bool) -> None:
    busy = os.getloadavg()[0]
    shown = Table(box=box.MARKDOWN)
    shown.add_column("decisions about")
    for head in ("number", "write, CPU ms", "with load, CPU ms", "with load, ms", "look, ms"):
        shown.add_column(head, justify="right")
    numbers = tuple(int(count) for count in counts.split(","))
    for row in rows(numbers):
        shown.add_row(*row)
    Console().print(shown)
    if keep:
        with (RESULTS / "nftables.md").open("w", encoding="utf-8") as file:
            file.write(f"# nftables\n\n`python -m load.bench_nftables --counts {counts}`\n")
            file.write(f"\nLoad average {busy:.1f} on {os.cpu_count()} processors at the start.\n")
            Console(file=file, width=100).print(shown)


if __name__ == "__main__":
    main()
