"""The demo's result as a person reads it: attacks, what stayed silent and why, the sum."""

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from agents.demo.score import Caught, Score
from agents.demo.silence import Settings, Watch, check, seen
from agents.demo.traffic import Plan
from agents.demo.truth import Innocent
from agents.operator.report import by_severity, findings, indented, printable
from agents.replay import Replay, Verdict
from schemas.findings import Alert, Decision
from schemas.keys import Site

YES, NO = "✓", "✗"


def heading(plan: Plan, people: int, lines: int) -> RenderableType:
    """Whose day it is, and that none of it is real."""
    first = plan.first
    days = "" if plan.days == 1 else f" and {plan.days - 1} more days"
    title = f"{first:%A}, {first.day} {first:%B %Y}{days} at a company of {people} people"
    text = Text.assemble(
        (title, "bold"),
        f"\n{lines:,} lines of three mail exchangers and a mailbox server, the logins of the week "
        "before among them.",
        ("\nMade up, seed ", "dim"),
        (f"{plan.seed}", "dim"),
        ("; the addresses are nobody's.", "dim"),
    )
    return Padding(text, (1, 0, 1, 0))


def attacks(score: Score, decisions: list[Decision]) -> RenderableType:
    """Each attack of the day by its beginning, and what was said of it."""
    by_time = sorted(score.attacks, key=lambda caught: caught.attack.first)
    return _section("Attacks", *(_attack(caught, decisions) for caught in by_time))


def _attack(caught: Caught, decisions: list[Decision]) -> RenderableType:
    mark = (YES, "bold green") if not caught.missing else (NO, "bold red")
    head = Text.assemble(mark, " ", (caught.attack.name, "bold"))
    story = indented(Text(caught.attack.story, style="dim"))
    parts: list[RenderableType] = [head, story, indented(findings(caught.alerts, decisions))]
    parts += [
        indented(Text(f"not found: {wanted.finding} of {wanted.subject}", style="bold red"))
        for wanted in caught.missing
    ]
    return Padding(Group(*parts), (0, 0, 1, 0))


def silence(score: Score, watch: Watch, settings: Settings, site: Site) -> RenderableType:
    """Each innocent: what was seen of it, and the check that kept it silent."""
    table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False, show_edge=False)
    table.add_column("", width=1)
    table.add_column("Who", ratio=3)
    table.add_column("What was seen", ratio=4)
    table.add_column("What kept it silent", ratio=4)
    for innocent, alerts in score.accused:
        tally = watch.tallies[innocent.name]
        mark = Text(NO, style="bold red") if alerts else Text(YES, style="bold green")
        why = Text(check(tally, innocent, settings, site))
        if alerts:
            why = Text(f"accused by {_names(alerts)}", style="bold red")
        table.add_row(mark, _who(innocent), seen(tally), why)
    return _section("Looked like an attack, and stayed silent", table)


def _who(innocent: Innocent) -> Text:
    return Text.assemble((innocent.name, "bold"), (f"\n{innocent.story}", "dim"))


def notes(score: Score, decisions: list[Decision]) -> RenderableType | None:
    """What was said beside: for information, of nobody's attack."""
    if not score.notes:
        return None
    return _section("Said for information", findings(score.notes, decisions))


def stray(score: Score, decisions: list[Decision]) -> RenderableType | None:
    if not score.stray:
        return None
    return _section("Accused without cause", findings(score.stray, decisions))


def total(score: Score, replay: Replay, verdict: Verdict, took: float) -> RenderableType:
    """The sum, found and missed alike."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    lines = replay.reader.counts.lines
    speed = f"{lines:,} lines in {took:.1f} s, {lines / took:,.0f} a second"
    grid.add_row("read", f"{speed}; {replay.events:,} events, {len(replay.shard):,} subjects")
    grid.add_row("findings", by_severity(verdict.alerts))
    decided = f"{len(verdict.decisions)}, none carried out: a replay only shows"
    grid.add_row("decisions", decided)
    all_of_them = len(score.attacks)
    grid.add_row("attacks found", _good(score.found == all_of_them, score.found, all_of_them))
    grid.add_row("innocents accused", _good(not score.wronged, score.wronged, len(score.accused)))
    return _section("In sum", grid)


def _good(fine: bool, count: int, of: int) -> Text:
    return Text(f"{count} of {of}", style="bold green" if fine else "bold red")


def _names(alerts: list[Alert]) -> str:
    return ", ".join(f"{printable(a.detector)} {printable(a.shape)}" for a in alerts)


def _section(title: str, *shown: RenderableType) -> RenderableType:
    rule = Rule(Text(title, style="bold"), align="left", style="dim")
    return Padding(Group(Padding(rule, (0, 0, 1, 0)), *shown), (0, 0, 1, 0))
