"""`mailwarden demo`: a day of traffic with every attack in it, replayed and explained."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import click

from agents import configuration
from agents.commands.progress import following
from agents.commands.replay import write_json
from agents.demo import page
from agents.demo.score import score
from agents.demo.silence import Watch
from agents.demo.traffic import SETTINGS, Plan, Traffic
from agents.operator import report
from agents.replay import Replay
from streams.reader import ReadOptions
from streams.sources.archive import open_lines


@click.command("demo")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another day.")
@click.option(
    "--scale",
    type=click.FloatRange(0.2, 100),
    default=1.0,
    show_default=True,
    help="Size of the company; 1 is 360 people.",
)
@click.option("--days", type=click.IntRange(1, 365), default=1, show_default=True, help="How many.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the log and the settings in this directory.",
)
@click.option("--json", "as_json", is_flag=True, help="One object a line, as of replay.")
def command(seed: int, scale: float, days: int, keep: Path | None, as_json: bool) -> None:
    """Write a day of mail traffic with every attack in it, replay it, and show what was found,
    what would be done about it, and what stayed silent and why.

    \b
    mailwarden demo
    mailwarden demo --keep day && mailwarden replay -c day/mailwarden.toml day/mail.log
    """
    console = report.console()
    with ExitStack() as stack:
        directory = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.mkdir(parents=True, exist_ok=True)
        log, settings = directory / "mail.log", directory / "mailwarden.toml"
        plan = Plan(seed=seed, scale=scale, days=days)
        traffic = Traffic(plan)
        with log.open("wb") as file:
            file.writelines(traffic.lines())
        settings.write_text(SETTINGS)
        config = configuration.load(settings)
        replay = Replay(config, ReadOptions())
        watch = Watch(traffic.truth.innocents, config.site)
        begun = time.perf_counter()
        with following([log]) as progress:
            verdict = replay.run([(str(log), open_lines(log))], progress=progress, watch=watch)
        took = time.perf_counter() - begun
    if as_json:
        write_json(verdict)
        return
    result = score(traffic.truth, verdict.alerts)
    by_name = {detector.name: detector for detector in config.detectors}
    for part in (
        page.heading(plan, traffic.people, replay.reader.counts.lines),
        page.attacks(result, verdict.decisions),
        page.silence(result, watch, by_name, config.site),
        page.notes(result, verdict.decisions),
        page.stray(result, verdict.decisions),
        page.total(result, replay, verdict, took),
    ):
        if part is not None:
            console.print(part)
    if keep:
        console.print(f"kept: {report.printable(str(log))} and its settings beside it")
