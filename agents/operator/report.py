"""Findings as a person reads them on a terminal.

Everything that came from a log was written by an attacker: it is shown as text, never as markup,
and characters that steer a terminal or turn the direction of writing are shown as ``?``.
"""

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agents.words import span
from schemas.findings import SEVERITIES, Alert, Decision, Evidence

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
            for alerts in _folded(alerts)
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


def counts(evidence: list[Evidence]) -> Text:
    """Each count that reached its threshold beside it; where none did, all of them."""
    shown = [sign for sign in evidence if sign.count >= sign.threshold] or evidence
    text = Text()
    for index, sign in enumerate(shown[:SIGNS]):
        text.append("  " if index else "")
        text.append(f"{printable(sign.sign)} ", "dim")
        text.append("about " if sign.estimated else "")
        text.append(number(sign.count), "bold")
        than = "≥" if sign.count >= sign.threshold else "<"
        unit = f" {printable(sign.unit)}" if sign.unit else ""
        text.append(f" {than} {number(sign.threshold)}{unit}", "dim")
    return text


def outcome(alert: Alert, decided: list[Decision]) -> Text:
    """What would be done, or why nothing."""
    if not decided:
        return Text(f"→ {printable(alert.decision) or 'nothing'}", style="dim")
    text = Text()
    for index, decision in enumerate(decided):
        text.append("→ " if not index else "\n→ ", "green")
        text.append(decision.action, "bold green")
        text.append(f" {printable(decision.target.value)}", "green")
        again = f", for the {ordinal(decision.generation)} time" if decision.generation > 1 else ""
        text.append(f" for {span(decision.until - decision.since)}{again}", "green")
    return text


def _folded(alerts: Iterable[Alert]) -> Iterator[list[Alert]]:
    """Alerts of one name and shape together where there are many of them, each alone else."""
    alike: dict[tuple[str, str, str], list[Alert]] = {}
    order: dict[str, int] = {}
    for alert in alerts:
        order[alert.id] = len(order)
        alike.setdefault((alert.detector, alert.shape, alert.severity), []).append(alert)
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


def printable(text: str) -> str:
    """The text without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


def period(first: float, last: float) -> str:
    """From when to when, UTC; the date of each end once."""
    begin, end = (datetime.fromtimestamp(at, UTC) for at in (first, last))
    if begin.date() != end.date():
        return f"{_day(begin)} {begin:%H:%M} – {_day(end)} {end:%H:%M}"
    if f"{begin:%H:%M}" == f"{end:%H:%M}":
        return f"{_day(begin)} {begin:%H:%M}"
    return f"{_day(begin)} {begin:%H:%M}–{end:%H:%M}"


def moment(at: float) -> str:
    """``Mar 2 10:00``, UTC, of one width."""
    return f"{datetime.fromtimestamp(at, UTC):%b %e %H:%M}"


def _day(when: datetime) -> str:
    return f"{when:%b} {when.day}"


def number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}".rstrip("0").rstrip(".")


def ordinal(value: int) -> str:
    if value % 100 in (11, 12, 13):
        return f"{value}th"
    return f"{value}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(value % 10, 'th') }"
