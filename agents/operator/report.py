"""Findings as a person reads them on a terminal.

Everything that came from a log was written by an attacker: it is shown as text, never as markup,
and characters that steer a terminal or turn the direction of writing are shown as ``?``.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agents import words
from agents.words import many, number, span
from schemas.findings import SEVERITIES, Alert, Decision, Evidence, Sample

SHOWN = 4  # findings of one shape that are shown one by one
SIGNS = 5  # counts that a finding shows

STYLES = {
    "info": "cyan",
    "low": "blue",
    "medium": "yellow",
    "high": "bold red",
    "critical": "bold white on red",
}
GUTTER = 10
WIDE, WIDEST = 100, 160  # columns


def console() -> Console:
    """Standard output, in lines that can be read: at most `WIDEST`, and `WIDE` where it is no
    terminal and nobody says otherwise."""
    out = Console(highlight=False)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = WIDE
    out.width = min(out.width, WIDEST)
    return out


def findings(alerts: Iterable[Alert], decisions: Iterable[Decision] = ()) -> RenderableType:
    """Alerts in the order given, each with its counts beside their thresholds and what was
    decided. Of many alike the first few are shown."""
    by_alert: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_alert.setdefault(decision.alert, []).append(decision)
    return Group(
        *(
            finding(alerts[0], by_alert.get(alerts[0].id, []), alerts[1:])
            for alerts in folded(alerts)
        )
    )


def finding(alert: Alert, decided: list[Decision], alike: list[Alert]) -> RenderableType:
    """One alert; `alike` are further ones of the same shape, of which only the subjects are
    named."""
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    grid.add_column(width=GUTTER - 2, no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_row(
        Text(alert.severity.upper(), style=STYLES[alert.severity]),
        Group(*_lines(alert, decided, alike)),
    )
    return grid


def _lines(alert: Alert, decided: list[Decision], alike: list[Alert]) -> Iterator[RenderableType]:
    head = Table.grid(expand=True, padding=(0, 1, 0, 0))
    head.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    head.add_column(justify="right", no_wrap=True)
    name = Text.assemble(
        (printable(alert.detector), "bold"),
        (f" {printable(alert.shape)}", "dim"),
        "  ",
        (printable(alert.subject.value), "bold cyan"),
    )
    head.add_row(name, Text(period(alert.first, alert.last), style="dim"))
    yield head
    yield Text(printable(alert.summary))
    if alert.evidence:
        yield counts(alert.evidence)
    if alert.origins:
        yield Text(f"from {printable('; '.join(alert.origins))}", style="dim")
    yield outcome(alert, decided)
    if alike:
        names = ", ".join(printable(other.subject.value) for other in alike[:SHOWN])
        rest = f" and {len(alike) - SHOWN} more" if len(alike) > SHOWN else ""
        yield Text(f"+ {len(alike)} alike: {names}{rest}", style="dim")


def counts(evidence: list[Evidence]) -> RenderableType:
    """Each count that reached its threshold beside it; where none did, all of them. A threshold
    that says nothing, because one is enough or it is no threshold, is left out."""
    reached = [sign for sign in evidence if sign.count >= sign.threshold > 0]
    told = [sign for sign in evidence if sign.count and sign.threshold == 0]
    shown = [*(reached or [sign for sign in evidence if sign.threshold]), *told]
    return _Whole([_counted(sign) for sign in shown[:SIGNS]])


def _counted(sign: Evidence) -> Text:
    text = Text.assemble((f"{printable(sign.sign).replace('_', ' ')} ", "dim"))
    text.append("about " if sign.estimated else "")
    text.append(number(sign.count), "bold")
    unit = f" {printable(sign.unit)}" if sign.unit else ""
    if sign.count < sign.threshold or sign.threshold not in (0, 1):
        than = "≥" if sign.count >= sign.threshold else "<"
        text.append(f" {than} {number(sign.threshold)}{unit}", "dim")
    elif sign.count != 1:
        text.append(unit, "dim")
    return text


class _Whole:
    """Texts one after the other, each broken only where a line has no room for it alone."""

    def __init__(self, texts: list[Text]) -> None:
        self._texts = texts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = Text()
        for text in self._texts:
            if line and line.cell_len + 2 + text.cell_len > options.max_width:
                yield line
                line = Text()
            line.append("  " if line else "").append_text(text)
        yield line


def outcome(alert: Alert, decided: list[Decision]) -> Text:
    """What would be done, or why nothing."""
    if not decided:
        return Text(f"→ {printable(alert.decision) or 'nothing'}", style="dim")
    text = Text()
    for index, decision in enumerate(decided):
        text.append("→ " if not index else "\n→ ", "green")
        text.append(decision.action, "bold green")
        text.append(f" {printable(decision.target.value)}", "green")
        earlier = decision.generation - 1
        after = f", after {many(earlier, 'earlier decision')}" if earlier else ""
        if decision.until <= decision.since:  # a finding was withdrawn
            text.append(" lifted", "green")
            continue
        text.append(f" for {span(decision.until - decision.since)}{after}", "green")
    return text


def samples(found: Iterable[Sample]) -> RenderableType:
    """Events in words, each with the place of its line beneath it."""
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(no_wrap=True, style="dim")
    rows.add_column(overflow="fold")
    for sample in found:
        text = Text(printable(words.event(sample.text)))
        if sample.place:
            text.append(f"\n{printable(sample.place)}", "dim")
        rows.add_row(moment(sample.at, seconds=True), text)
    return indented(rows)


def folded(
    alerts: Iterable[Alert], also: Callable[[Alert], str] = lambda alert: ""
) -> Iterator[list[Alert]]:
    """Alerts of one name and shape, for which `also` says the same, together where there are many
    of them, each alone else."""
    alike: dict[tuple[str, str, str, str], list[Alert]] = {}
    order: dict[str, int] = {}
    for alert in alerts:
        order[alert.id] = len(order)
        alike.setdefault((alert.detector, alert.shape, alert.severity, also(alert)), []).append(
            alert
        )
    groups: list[list[Alert]] = []
    for group in alike.values():
        groups += [group] if len(group) > SHOWN else [[alert] for alert in group]
    yield from sorted(groups, key=lambda group: order[group[0].id])


def by_severity(alerts: Iterable[Alert]) -> Text:
    """How many of each severity, the worst first."""
    found: dict[str, int] = {}
    for alert in alerts:
        found[alert.severity] = found.get(alert.severity, 0) + 1
    parts = [
        Text(f" {found[severity]} {severity} ", style=STYLES[severity])
        for severity in reversed(SEVERITIES)
        if severity in found
    ]
    return Text(" ").join(parts) if parts else Text("nothing")


def indented(shown: RenderableType, by: int = 2) -> Padding:
    return Padding(shown, (0, 0, 0, by))


# -- words and numbers ------------------------------------------------------------------------


printable = words.printable


def period(first: float, last: float) -> str:
    """From when to when, UTC; the date of each end once."""
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (first, last))
    if begin.date() != end.date():
        return f"{_day(begin)} {begin:%H:%M} – {_day(end)} {end:%H:%M}"
    if f"{begin:%H:%M}" == f"{end:%H:%M}":
        return f"{_day(begin)} {begin:%H:%M}"
    return f"{_day(begin)} {begin:%H:%M}–{end:%H:%M}"


def moment(at: float, *, seconds: bool = False) -> str:
    """``Mar  2 10:00``, UTC, of one width."""
    return f"{datetime.fromtimestamp(at, UTC):{'%b %e %H:%M:%S' if seconds else '%b %e %H:%M'}}"


def _day(when: datetime) -> str:
    return f"{when:%b} {when.day}"
