"""What it costs to find an address among many networks: ``python -m load.bench_lookup``.

`Networks` is what own, allowed and trusted networks are kept in, `Blocklist` what is asked for
each question of a server. Half of the addresses lie in one of the networks; no address is asked
about twice, so that nothing is answered from memory. Beside them the standard library's way:
`ipaddress` objects in sets, one for each length of prefix.
"""

import ipaddress
import json
import os
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import click

from agents.configuration import build, build_blocklist
from schemas.findings import Decision, Target, decision_id
from schemas.net import Networks
from schemas.settings import Settings

RESULT = Path(__file__).parent / "results" / "lookup.json"
GOAL_US = 2.0
TURNS = 5
LENGTHS = (16, 20, 22, 23, 24, 24, 24, 26, 28, 32, 32, 32)  # of prefixes, as lists have them


def networks(count: int, dice: random.Random) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        length = dice.choice(LENGTHS)
        first = dice.randrange(1 << 32) >> (32 - length) << (32 - length)
        found[f"{ipaddress.IPv4Address(first)}/{length}"] = None
    return list(found)


def addresses(among: list[str], count: int, dice: random.Random) -> list[str]:
    """Half of them in one of the networks."""
    inside = [ipaddress.ip_network(text) for text in dice.sample(among, count // 2)]
    found = [str(net[dice.randrange(net.num_addresses)]) for net in inside]
    found += [str(ipaddress.IPv4Address(dice.randrange(1 << 32))) for _ in range(count // 2)]
    dice.shuffle(found)
    return found


def each(look: Callable[[str], object], asked: list[str]) -> float:
    """Microseconds of processor time of one look."""
    begun = time.process_time()
    for address in asked:
        look(address)
    return 1e6 * (time.process_time() - begun) / len(asked)


def standard(found: list[str]) -> Callable[[str], bool]:
    by_length: dict[int, set[int]] = {}
    for text in found:
        network = ipaddress.IPv4Network(text)
        by_length.setdefault(network.prefixlen, set()).add(int(network.network_address))

    def look(text: str) -> bool:
        value = int(ipaddress.IPv4Address(text))
        return any(value >> 32 - n << 32 - n in known for n, known in by_length.items())

    return look


def decided(text: str) -> Decision:
    target = Target("network", text)
    name = decision_id(target, "drop")
    until = time.time() + 3600
    return Decision(
        id=name, target=target, action="drop", until=until, enforced=True, origin="manual"
    )


@click.command()
@click.option("--networks", "count", default=1_000_000, show_default=True)
@click.option("--asked", default=100_000, show_default=True, help="Addresses of one turn.")
@click.option("--json", "as_json", is_flag=True)
def main(count: int, asked: int, *, as_json: bool) -> None:
    """Measure look-ups among a million networks, and among as many decisions as are allowed."""
    dice = random.Random(1)
    found = networks(count, dice)
    known = Networks(found)
    blocklist = build_blocklist(build(Settings()))
    decisions = found[:200_000]
    for text in decisions:
        blocklist.put(decided(text))
    now = time.time()
    looks: dict[str, Callable[[str], object]] = {
        "networks": known.__contains__,
        "blocklist": lambda address: blocklist.lookup(now, address),
        "standard library": standard(found),
    }
    times: dict[str, list[float]] = {name: [] for name in looks}
    for _ in range(TURNS):
        turn = addresses(found, asked, dice)
        for name, look in looks.items():
            times[name].append(each(look, turn))
    result: dict[str, object] = {
        "command": f"python -m load.bench_lookup --networks {count} --asked {asked}",
        "load": round(os.getloadavg()[0], 1),
        "networks": len(found),
        "decisions": len(blocklist),
        "microseconds": {name: round(statistics.median(all_), 2) for name, all_ in times.items()},
        "goal_us": GOAL_US,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if as_json:
        print(json.dumps(result))
        return
    print(f"{'look-up in':20}{'us':>8}")
    for name, all_ in times.items():
        print(f"{name:20}{statistics.median(all_):>8.2f}")


if __name__ == "__main__":
    main()
