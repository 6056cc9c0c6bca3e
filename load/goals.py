"""Each goal of speed and size beside what was measured last: load/results/goals.md.

The numbers are those that the benchmarks have left in load/results/; nothing is measured here.
A goal that is missed has its cause beside it, and the cause its evidence. ``python -m load.goals``
"""

import json
from pathlib import Path
from typing import Any

from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"

INTERPRETER = (
    "CPython: a line costs some 40 calls and an event some 55, and none of them takes more than "
    "a sixth of the time (profile.md). fail2ban stops at the first pattern that matches and keeps "
    "an address; here each line becomes an event, the events of a message are joined, and each is "
    "shown to the detectors of up to three subjects."
)
WORKER = (
    "the detectors: the processor time of one delivery is nearly all spent in folding it "
    "(profile.md, second part); Kafka and Faust are a small part of it, since messages are packed."
)
SHARED = (
    "two workers, the broker and its page cache share two processors, and one worker with its "
    "broker uses more than one of them already."
)
FORMATS = (
    "CPython: a line of the slower formats takes 50 to 160 calls, and no function more than a fifth"
    " of the time (formats_profile.md, for each of them). The lines of the cases are the hard ones."
)
INTAKE = (
    "CPython again: a line is taken out of its envelope twice, to find its gateway and to be read,"
    " which is more than half of it; no function takes more than a twentieth (intake_profile.md)."
)
HEAP = (
    "the number of records is flat, their size is not: those that no finding is about go first, so"
    " that more and more of those that stay are of accused clients, with their samples (memory.md)."
)

ANSWER = (
    "CPython: of the 32 us that an answer takes when nothing else runs, finding the attributes"
    " takes 9, the block list 7, and no function of the rest more than 3; beside other processes,"
    " with cold caches, it takes half as much again. A server that looks at nothing answers what"
    " policy.json calls bare_a_core. How long the slowest wait follows: 50 connections wait for"
    " each other, and for whatever else runs on the two processors (`load` in policy.json)."
)
AIOHTTP = (
    "aiohttp: a server that reads each request and answers without a look at it (`bare a core` in"
    " auth_policy.json) takes two thirds of the time already: a request, a task and a future for"
    " each question, and the kernel's write, which alone takes a quarter."
)
SEARCH = (
    "of a look-up the search takes 1.6 us, reading the address out of its text 1.3, and to remember"
    " the answer for the next question the rest; the standard library's way takes 12 (lookup.json)."
)


class Goal(Struct, frozen=True):
    what: str
    goal: float
    measured: float
    unit: str
    command: str
    least: bool = True  # at least; else at most
    why: str = ""  # where it is missed

    @property
    def met(self) -> bool:
        return self.measured >= self.goal if self.least else self.measured <= self.goal


def goals() -> list[Goal]:
    speed, worker, intake = read("speed"), read("worker"), read("intake")
    formats = read("formats")
    memory, here, kafka = read("memory"), read("latency"), read("latency_kafka")
    rows = {row["name"]: row for row in speed["rows"]}
    policy, auth, edge = read("policy"), read("auth_policy"), read("edge")
    enforced, lookup = read("enforced"), read("lookup")
    packed = max(row["packed_bytes"] for row in memory)
    full = [row["resident_mb"] for row in memory if row["evicted"]]
    bench, drained = "make bench", worker["command"]
    keys = "python -m load.bench_memory --keys 1000000"
    return [
        Goal("lines to events, times fail2ban-regex", 3, rows["events"]["ratio"], "x", bench,
             why=INTERPRETER),
        Goal("replay, times fail2ban-regex", 2, rows["replay"]["ratio"], "x", bench,
             why=INTERPRETER),
        Goal("a worker on Kafka", 80_000, worker["one"], "deliveries/s", drained, why=WORKER),
        Goal("two workers, times one", 1.5, worker["two"] / worker["one"], "x", drained,
             why=SHARED),
        Goal("takeover after kill -9, 100,000 subjects", 15, worker["takeover"], "s", drained,
             least=False),
        Goal("line to Postfix table, run", 200, here["p50_ms"], "ms, p50", here["command"],
             least=False),
        Goal("line to Postfix table, Kafka", 1500, kafka["p50_ms"], "ms, p50", kafka["command"],
             least=False),
        Goal("packed memory of a subject", 1024, packed, "bytes", keys, least=False),
        Goal("resident memory at 10^6 hostile keys, times that at the limit", 1.1,
             full[-1] / full[0], "x", keys, least=False, why=HEAP),
        Goal("intake, packed lines", 30_000, intake["many lines a message"]["lines_a_second"],
             "lines/s", intake["command"], why=INTAKE),
        Goal("intake, one line a message", 8_000,
             intake["one line a message"]["lines_a_second"], "lines/s", intake["command"]),
        Goal(f"formats of {formats['goal']:,} lines/s", len(formats["formats"]),
             sum(row["lines_a_second"] >= formats["goal"] for row in formats["formats"]),
             "formats", formats["command"], why=FORMATS),
        Goal("policy service, 100,000 decisions", 20_000, policy["a_core"], "answers/s a core",
             policy["command"], why=ANSWER),
        Goal("the same, 50 connections", 5, policy["p99_ms"], "ms, p99", policy["command"],
             least=False, why=ANSWER),
        Goal("auth policy, 100,000 decisions", 8_000, auth["a core"], "answers/s a core",
             auth["command"], why=AIOHTTP),
        Goal("100,000 decisions known after kill -9", 1, edge["known_s"], "s", edge["command"],
             least=False),
        *(
            Goal(f"decision on Kafka to {name}", enforced[name]["goal_ms"],
                 enforced[name]["p99_ms"], "ms, p99", enforced["command"], least=False)
            for name in ("policy", "lapi", "nftables", "postfix")
        ),
        Goal("memory of a decision at the edge", 400, edge["bytes"], "bytes", edge["command"],
             least=False),
        Goal("an address among 10^6 networks", 2, lookup["microseconds"]["networks"], "us",
             lookup["command"], least=False, why=SEARCH),
    ]  # fmt: skip


def read(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def table(found: list[Goal]) -> Table:
    shown = Table(box=box.MARKDOWN)
    for head in ("what", "goal", "measured", "", "command"):
        shown.add_column(head, justify="right" if head in ("goal", "measured") else "left")
    for goal in found:
        than = "≥" if goal.least else "≤"
        shown.add_row(
            goal.what,
            f"{than} {goal.goal:,g}",
            f"{goal.measured:,.0f}" if goal.measured >= 100 else f"{goal.measured:.2g}",
            f"{goal.unit}, {'met' if goal.met else 'missed'}",
            f"`{goal.command}`",
        )
    return shown


def main() -> None:
    found = goals()
    Console().print(table(found))
    with (RESULTS / "goals.md").open("w", encoding="utf-8") as file:
        console = Console(file=file, width=180)
        console.print("# Goals, and what was measured last\n\n`python -m load.goals`\n")
        console.print(table(found))
        for why in dict.fromkeys(goal.why for goal in found if not goal.met):
            missed = "; ".join(g.what for g in found if g.why == why and not g.met)
            console.print(f"\nMissed: {missed}. Why: {why}", soft_wrap=True, markup=False)


if __name__ == "__main__":
    main()
