"""What bouncers and readers of lists wait for: ``python -m load.bench_lapi``.

The servers run in this process, as in `mailwarden run`; the client beside them asks by loopback
and reads all of the answer. `take` is what a change of the decisions costs before anybody asks.
The best of a few turns is shown.
"""

import http.client
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from load.site import Site
from schemas.findings import Decision, Target, decision_id
from streams.gateways.feeds import Feeds, FeedsSettings
from streams.gateways.lapi import FRESH, Lapi, LapiSettings

RESULTS = Path(__file__).parent / "results"
TURNS = 3
STREAM = "/v1/decisions/stream"
COLUMNS = (
    "take ms",
    "first pull ms",
    "MB",
    "packed ms",
    "packed MB",
    "one more ms",
    "nothing new ms",
    "one address ms",
    "cidr.txt ms",
    "stix.json ms",
    "304 ms",
)


def decided(number: int) -> Decision:
    """Four of five are IPv4 hosts, the others /64."""
    if number % 5:
        spread = number * 2_654_435_761 % (1 << 32)  # Knuth's: all over the address space
        value = f"{spread >> 24 | 1}.{spread >> 16 & 255}.{spread >> 8 & 255}.{spread & 255}"
    else:
        value = f"2001:db8:{number >> 16:x}:{number & 65535:x}::/64"
    target = Target("network", value)
    return Decision(
        id=decision_id(target, "drop"),
        target=target,
        action="drop",
        reason="57 failed logins at 41 accounts in 5 min",
        until=time.time() + 3600 + number % 600,
        enforced=True,
        detector="auth_dictionary",
        severity="high",
    )


class Standing(Site):
    """Rules whoever is asked about by the first of all decisions."""

    def __init__(self, decisions: list[Decision]) -> None:
        self._ruling = decisions[0]

    def ruling(self, *_: Any, **__: Any) -> Decision:
        return self._ruling


class Client:
    """Keeps its connection, as bouncers do."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def ask(self, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", path, headers=named)
        reply = self._connection.getresponse()
        body = reply.read()
        if reply.status not in (200, 304):
            raise click.ClickException(f"{path}: {reply.status}")
        return reply, body

    def close(self) -> None:
        self._connection.close()


def best(work: Callable[[], object]) -> float:
    """Milliseconds."""
    found = []
    for _ in range(TURNS):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return 1000 * min(found)


def pulled(client: Client, **headers: str) -> tuple[float, float]:
    """Milliseconds of a first pull, and the megabytes that came."""
    size = 0
    times = []
    for _ in range(TURNS):
        time.sleep(FRESH)  # else the last answer is given again
        began = time.perf_counter()
        size = len(client.ask(f"{STREAM}?startup=true", **headers)[1])
        times.append(time.perf_counter() - began)
    return 1000 * min(times), size / 1e6


def lapi(decisions: list[Decision]) -> tuple[float, ...]:
    gateway = Lapi(LapiSettings(listen="127.0.0.1:0", memory=""))
    gateway.connect(Standing(decisions))
    gateway.apply(decisions[:-1])
    client = Client(gateway.port)
    turn = 0

    def change() -> None:
        nonlocal turn
        turn += 1
        gateway.apply(decisions if turn % 2 else decisions[:-1])

    def change_and_poll() -> None:
        change()
        client.ask(STREAM)

    try:
        taken = best(change)
        plain, size = pulled(client)
        packed, packed_size = pulled(client, Accept_Encoding="gzip")
        more = best(change_and_poll) - taken
        nothing = best(lambda: client.ask(STREAM))
        one = best(lambda: client.ask("/v1/decisions?ip=192.0.2.1"))
        return taken, plain, size, packed, packed_size, max(more, 0.0), nothing, one
    finally:
        client.close()
        gateway.close()


def feeds(decisions: list[Decision]) -> tuple[float, ...]:
    gateway = Feeds(FeedsSettings(listen="127.0.0.1:0"))
    turn = 0

    def fetched(name: str) -> None:
        nonlocal turn
        turn += 1
        gateway.apply(decisions[turn % 2 :])
        client.ask(f"/feeds/{name}", Accept_Encoding="gzip")

    gateway.apply(decisions)
    client = Client(gateway.port)
    try:
        plain, stix = (best(lambda name=name: fetched(name)) for name in ("cidr.txt", "stix.json"))  # type: ignore[misc]
        tag = client.ask("/feeds/cidr.txt")[0].headers["ETag"]
        known = best(lambda: client.ask("/feeds/cidr.txt", If_None_Match=tag))
        return plain, stix, known
    finally:
        client.close()
        gateway.close()


def rows(counts: tuple[int, ...]) -> Iterator[tuple[str, ...]]:
    for count in counts:
        decisions = [decided(number) for number in range(count)]
        found = (*lapi(decisions), *feeds(decisions))
        yield (f"{count:,}", *(f"{each:,.1f}" for each in found))


@click.command()
@click.option("--counts", default="100,10000,100000", show_default=True, help="Decisions.")
@click.option("--keep", is_flag=True, help="Keep the table in load/results/.")
def main(counts: str, keep: bool) -> None:
    shown = Table(box=box.MARKDOWN)
    shown.add_column("decisions", justify="right")
    for head in COLUMNS:
        shown.add_column(head, justify="right")
    numbers = tuple(int(count) for count in counts.split(","))
    for row in rows(numbers):
        shown.add_row(*row)
    Console(width=160).print(shown)
    if keep:
        with (RESULTS / "lapi.md").open("w", encoding="utf-8") as file:
            file.write(f"# Bouncers and lists\n\n`python -m load.bench_lapi --counts {counts}`\n")
            Console(file=file, width=160).print(shown)


if __name__ == "__main__":
    main()
