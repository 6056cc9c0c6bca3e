"""What the console costs, and how soon it answers: ``python -m load.bench_console``.

First: pages with 10,000 alerts and 100,000 decisions, from a real console process on loopback: the
answer's time and size, and Chromium's first contentful paint on a cold visit.

Then: one `mailwarden run` reads the demo's log at a steady pace while 1,000 new alerts a second
come into its store: in turn with its console stopped, with the console and nobody at it, and with
50 live viewers, each of which does what a browser's script does. What that costs `run` is told in
processor time a line and in bytes that it is behind, so that the viewers' own work, which shares
the machine here, is not taken for it; its commits wait for that, too.
"""

import asyncio
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import median, quantiles

import aiohttp
import click
from msgspec import structs
from rich import box
from rich.console import Console
from rich.table import Table

from agents.demo.traffic import Plan, Traffic
from agents.single.store import Changes, Store
from schemas.findings import Alert, Decision, Evidence, Sample, Subject, Target, decision_id
from tools.kafka import free_ports

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
PAGES = ("/", "/incidents", "/incidents/a1", "/subject?value=11.0.1.7", "/blocks", "/rules")
ASKS = 30  # of each page
TICK = 0.05  # seconds
LINES = 3000  # a second, of the demo's log
HEAP = 60_000  # lines that lie there at once
CATCH_UP = 10.0  # seconds for a console that was stopped, before the next phase
CLOCK = os.sysconf("SC_CLK_TCK")
KINDS = ("console stopped", "console, nobody looks", "50 live viewers")


class Site:
    """A folder with settings, state and a log, and a program that runs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "mail.log"
        self.log.touch()
        self.port, self.metrics = free_ports(2)
        (folder / "mailwarden.toml").write_text(
            f'[http]\nlisten = "127.0.0.1:{self.metrics}"\n'
            f'[console]\nlisten = "127.0.0.1:{self.port}"\n'
        )

    @contextmanager
    def running(self, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "mailwarden.py"), *words],
            cwd=self.folder,
            env={**os.environ, "STATE_DIRECTORY": str(self.folder / "state")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "said").open("ab"),
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)

    def get(self, path: str, *, metrics: bool = False) -> bytes:
        port = self.metrics if metrics else self.port
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", headers={"Accept": "text/html"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return bytes(answer.read())

    def ready(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if b'"complete":true' in self.get("/api/v1/now"):
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise click.ClickException((self.folder / "said").read_text())

    def measured(self, name: str) -> float:
        text = self.get("/metrics", metrics=True).decode()
        found = [line for line in text.splitlines() if line.startswith(f"mailwarden_{name}")]
        return sum(float(line.rpartition(" ")[2]) for line in found)


# -- pages --------------------------------------------------------------------------------------


def alert(number: int, now: float) -> Alert:
    client = f"{11 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.7"
    at = now - number * 8
    return Alert(
        id=f"a{number}",
        detector=("auth_dictionary", "directory_harvest", "account_burst")[number % 3],
        shape="dictionary",
        severity=("low", "medium", "high", "critical")[number % 4],
        subject=Subject("client", client),
        first=at - 60,
        last=at,
        at=at,
        summary=f"{client}: 15 wrong passwords at 9 accounts",
        clients=[client],
        clients_count=1,
        targets=[f"name{n}@example.org" for n in range(9)],
        targets_count=9,
        evidence=[Evidence(f"sign {n}", 15, 10) for n in range(6)],
        samples=[
            Sample(at, '{"type":"auth","client":"11.0.0.7","outcome":"failed"}', "mail.log:1")
            for _ in range(10)
        ],
        events=15,
        incident=f"a{number}",
    )


def decision(number: int, now: float) -> Decision:
    value = f"{21 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.7"
    target = Target("network", value)
    return Decision(
        id=decision_id(target, "drop"),
        target=target,
        action="drop",
        reason=f"{value}: 15 wrong passwords at 9 accounts",
        alert=f"a{number % 10_000}",
        since=now - number % 3600,
        until=now + 3600 + number % 600,
        enforced=bool(number % 3),
        detector="auth_dictionary",
    )


def pages(folder: Path) -> Iterator[tuple[str, ...]]:
    site = Site(folder)
    now = time.time()
    with Store(folder / "state" / "mailwarden.db") as store:
        store.commit(
            Changes(
                alerts=[alert(number, now) for number in range(10_000)],
                decisions=[decision(number, now) for number in range(100_000)],
            ),
            now,
        )
    begun = time.monotonic()
    with site.running("console"):
        site.ready()
        click.echo(f"the read model is made in {time.monotonic() - begun:.1f} s", err=True)
        painted = paints(site.port)
        for path in PAGES:
            times = []
            for _ in range(ASKS):
                began = time.perf_counter()
                body = site.get(path)
                times.append(1000 * (time.perf_counter() - began))
            late = quantiles(times, n=20)[18]
            yield (
                path,
                f"{len(body) / 1000:.0f}",
                f"{median(times):.0f}",
                f"{late:.0f}",
                painted[path],
            )


def paints(port: int) -> dict[str, str]:
    """Milliseconds to the first contentful paint, the median of five cold visits, by page."""
    from selenium import webdriver  # noqa: PLC0415 - it takes a while

    found: dict[str, list[float]] = defaultdict(list)
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for word in ("headless=new", "no-sandbox", "disable-gpu"):
        options.add_argument(f"--{word}")
    service = webdriver.ChromeService(shutil.which("chromedriver") or "chromedriver")
    script = (
        "const one = performance.getEntriesByName('first-contentful-paint')[0];"
        "return one ? one.startTime : null"
    )
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
        for _ in range(5):
            for path in PAGES:
                driver.get(f"http://127.0.0.1:{port}{path}")
                for _ in range(100):
                    painted = driver.execute_script(script)
                    if painted is not None:
                        found[path].append(painted)
                        break
                    time.sleep(0.02)
    finally:
        driver.quit()
    return {path: f"{median(times):.0f}" for path, times in found.items()}


# -- viewers ------------------------------------------------------------------------------------


def look_on(port: int, count: int, seen: "multiprocessing.Queue[int]") -> None:
    """So many viewers, until this process is ended."""
    total = 0

    async def view(session: aiohttp.ClientSession) -> None:
        nonlocal total
        async with session.get(f"http://127.0.0.1:{port}/events", timeout=None) as events:
            last = 0.0
            async for line in events.content:
                if not line.startswith(b"event: change"):
                    continue
                spare = max(0.0, last + 1.0 - time.monotonic()) + random.random() * 0.3
                await asyncio.sleep(spare)
                headers = {"X-Part": "live", "Accept": "text/html"}
                async with session.get(f"http://127.0.0.1:{port}/", headers=headers) as answer:
                    await answer.read()
                last = time.monotonic()
                total += 1

    async def main() -> None:
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        limit = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=limit) as session:
            tasks = [asyncio.create_task(view(session)) for _ in range(count)]
            await ended.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    seen.put(total)


@contextmanager
def viewers(port: int, count: int, told: list[int]) -> Iterator[None]:
    seen: multiprocessing.Queue[int] = multiprocessing.Queue()
    process = multiprocessing.Process(target=look_on, args=(port, count, seen))
    process.start()
    time.sleep(2.0)  # until all look on
    try:
        yield
    finally:
        process.terminate()
        told.append(seen.get(timeout=60))
        process.join(60)


# -- detection ----------------------------------------------------------------------------------


def spent(pid: int) -> float:
    """Processor seconds of a process, so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK


def child(pid: int) -> int:
    """The console of `run`."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for number in (task / "children").read_text().split():
            if b"console" in Path(f"/proc/{number}/cmdline").read_bytes():
                return int(number)
    raise click.ClickException("run has no console")


class Feeder:
    """Writes the demo's log at a pace, and alerts into the store beside it."""

    def __init__(self, site: Site, pid: int, rate: int) -> None:
        self._site = site
        self._pid = pid
        self._rate = rate
        self._lines = iter(Traffic(Plan(seed=1, days=60)).lines())
        self._written = 0
        self._alerts = 0
        self._store = Store(site.folder / "state" / "mailwarden.db")

    def phase(self, seconds: float) -> tuple[float, float, float, float, float]:
        """Processor µs a line, worst kB behind, ms a commit, alerts a second; and how many lines a
        second it reads of a heap of them, while alerts come on."""
        site = self._site
        begun, cpu = time.monotonic(), spent(self._pid)
        first, alerts, worst, next_look = self._written, self._alerts, 0.0, 1.0
        commits, waited = site.measured("flush_seconds_count"), site.measured("flush_seconds_sum")
        with site.log.open("ab") as log:
            while (past := time.monotonic() - begun) < seconds:
                due = first + int(past * LINES) - self._written
                log.writelines(islice(self._lines, due))
                log.flush()
                self._written += due
                self._tell(alerts + int(past * self._rate))
                if past >= next_look:
                    next_look = past + 1.0
                    worst = max(worst, site.measured("source_behind_bytes"))
                time.sleep(TICK)
        while site.measured("lines_total") < self._written:
            time.sleep(TICK)
        wanted = self._written - first
        used = spent(self._pid) - cpu
        commits = site.measured("flush_seconds_count") - commits
        waited = site.measured("flush_seconds_sum") - waited
        made = (self._alerts - alerts) / seconds
        flood = self._flood()
        return 1e6 * used / wanted, worst / 1000, 1000 * waited / max(1, commits), made, flood

    def _flood(self) -> float:
        heap = list(islice(self._lines, HEAP))
        alerts = self._alerts
        with self._site.log.open("ab") as log:
            log.writelines(heap)
        self._written += HEAP
        begun = time.monotonic()
        while self._site.measured("lines_total") < self._written:
            self._tell(alerts + int((time.monotonic() - begun) * self._rate))
            time.sleep(TICK)
        return HEAP / (time.monotonic() - begun)

    def _tell(self, wanted: int) -> None:
        """As many alerts as there should be by now, each of another client."""
        now = time.time()
        fresh = [
            structs.replace(alert(number, now), first=now - 60, last=now, at=now)
            for number in range(10_000 + self._alerts, 10_000 + wanted)
        ]
        if fresh:
            self._store.commit(Changes(alerts=fresh), now)
            self._alerts = wanted


def detection(folder: Path, rate: int, seconds: float, turns: int) -> Iterator[tuple[str, ...]]:
    site = Site(folder)
    found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    cost: dict[str, list[float]] = defaultdict(list)
    told: list[int] = []
    with site.running("run", str(site.log)) as process:
        site.ready()
        console = child(process.pid)
        feeder = Feeder(site, process.pid, rate)
        feeder.phase(5.0)  # all is loaded then
        for turn in range(turns):
            for kind in (*KINDS, *KINDS)[turn % 3 : turn % 3 + 3]:
                before = spent(console)
                if kind == KINDS[0]:
                    os.kill(console, signal.SIGSTOP)
                    try:
                        found[kind].append(feeder.phase(seconds))
                    finally:
                        os.kill(console, signal.SIGCONT)
                    time.sleep(CATCH_UP)
                elif kind == KINDS[1]:
                    found[kind].append(feeder.phase(seconds))
                else:
                    with viewers(site.port, 50, told):
                        found[kind].append(feeder.phase(seconds))
                cost[kind].append((spent(console) - before) / seconds)
                click.echo(f"{kind}: {[round(x, 2) for x in found[kind][-1]]}", err=True)
    for kind in KINDS:
        rows = found[kind]
        views = sum(told) / seconds / turns if kind == KINDS[2] else 0.0
        yield (
            kind,
            f"{median(row[3] for row in rows):,.0f}",
            f"{median(row[0] for row in rows):.0f}",
            f"{max(row[1] for row in rows):.0f}",
            f"{median(row[4] for row in rows):,.0f}",
            f"{median(row[2] for row in rows):.1f}",
            "-" if kind == KINDS[0] else f"{100 * median(cost[kind]):.0f} %",
            f"{views:.0f}" if views else "-",
        )


PAGE_HEADS = ("page", "kB", "answer ms", "95 of 100, ms", "first paint ms")
DETECTION_HEADS = (
    "",
    "alerts/s",
    "run, CPU µs a line",
    "run, kB behind at worst",
    "run, lines/s of a heap",
    "run, ms a commit",
    "console, of a CPU",
    "pages/s",
)


def table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Table:
    shown = Table(box=box.MARKDOWN)
    for index, head in enumerate(heads):
        shown.add_column(head, justify="right" if index else "left")
    for row in rows:
        shown.add_row(*row)
    return shown


@click.command()
@click.option("--rate", default=1000, show_default=True, help="New alerts a second.")
@click.option("--seconds", default=15.0, show_default=True, help="Of each phase.")
@click.option("--turns", default=3, show_default=True, help="Of the three phases.")
@click.option("--keep", is_flag=True, help="Keep the table in load/results/.")
def main(rate: int, seconds: float, turns: int, keep: bool) -> None:
    load = f"Load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors at the start."
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        shown = [
            table(PAGE_HEADS, pages(Path(one))),
            table(DETECTION_HEADS, detection(Path(other), rate, seconds, turns)),
        ]
    for each in shown:
        Console(width=180).print(each)
    if keep:
        with (RESULTS / "console.md").open("w", encoding="utf-8") as file:
            words = f"--rate {rate} --seconds {seconds:g} --turns {turns}"
            file.write(f"# The console\n\n`python -m load.bench_console {words}`\n\n{load}\n")
            for name, each in zip(TITLES, shown, strict=True):
                file.write(f"\n{name}\n")
                Console(file=file, width=180).print(each)


TITLES = (
    "With 10,000 alerts and 100,000 decisions; first paint in Chromium, nothing cached:",
    "3,000 lines and 1,000 alerts a second, in turn; medians (of what is behind, the worst):",
)

if __name__ == "__main__":
    main()
