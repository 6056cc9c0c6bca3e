"""What `mailwarden replay --compare` shows: what only one of two settings finds and decides, and
why the other does not."""

import sys
from collections.abc import Iterator

import msgspec
from rich.console import Group, RenderableType
from rich.text import Text

from agents.comparison import Difference, Reason
from agents.operator import report
from agents.words import many
from schemas import wire
from schemas.findings import Alert, Decision

SETTINGS = 6  # that differ, which are named


def write_difference(found: Difference) -> None:
    """One JSON object a line: what it is, whose it is (``ours``, ``theirs``; for a finding that
    both have, ``both`` with the other's words as ``theirs``), and why that is."""
    out = sys.stdout.buffer

    def write(
        kind: str, only: str, value: Alert | Decision, reason: Reason, **more: object
    ) -> None:
        said = {"kind": kind, "only": only, **msgspec.structs.asdict(value), **more}
        out.write(wire.encode({**said, "why": msgspec.structs.asdict(reason)}) + b"\n")

    for only, alerts in (("ours", found.ours), ("theirs", found.theirs)):
        for alert in alerts:
            write("alert", only, alert, found.reasons[alert.id])
    for alert, other in found.changed:
        write("alert", "both", alert, found.reasons[alert.id], theirs=msgspec.structs.asdict(other))
    for only, decisions in (("ours", found.decided), ("theirs", found.undecided)):
        for decision in decisions:
            write("decision", only, decision, found.refusals[decision.id])
    out.flush()


def compared(found: Difference, ours: str, theirs: str) -> Group:
    """What differs, for a terminal."""
    if not found.any:
        return Group(Text("Both find and decide the same.", style="green"))
    parts: list[RenderableType] = []
    for name, other, alerts, decisions in (
        (ours, theirs, found.ours, found.decided),
        (theirs, ours, found.theirs, found.undecided),
    ):
        title = f"Only {report.printable(name)}: {many(len(alerts), 'finding')},"
        parts.append(Text(f"{title} {many(len(decisions), 'decision')}", style="bold"))
        parts += _findings(found, alerts, decisions, other)
        parts += _decisions(found, alerts, decisions, other)
    if found.changed:
        parts.append(Text(f"Told otherwise: {many(len(found.changed), 'finding')}", style="bold"))
        for alert, twin in found.changed:
            who = f"{alert.detector} {report.printable(alert.subject.value)}"
            parts.append(report.indented(Text(f"{who}: {_told(alert)}, there {_told(twin)}")))
            parts.append(_because(found.reasons[alert.id], theirs, 4))
    return Group(*parts)


def _findings(
    found: Difference, alerts: list[Alert], decisions: list[Decision], other: str
) -> Iterator[RenderableType]:
    """Each finding with the reason why the other has it not; those alike in both together."""
    asked: dict[str, list[Decision]] = {}
    for decision in decisions:
        asked.setdefault(decision.alert, []).append(decision)
    for alike in report.folded(alerts, lambda alert: found.reasons[alert.id].kind):
        first = alike[0]
        yield report.finding(first, asked.get(first.id, []), alike[1:])
        yield _because(found.reasons[first.id], other, report.GUTTER)


def _decisions(
    found: Difference, alerts: list[Alert], decisions: list[Decision], other: str
) -> Iterator[RenderableType]:
    """Decisions about what both have found, for response differs; those alike together."""
    shown = {alert.id for alert in alerts}
    alike: dict[tuple[str, ...], list[Decision]] = {}
    for decision in decisions:
        if decision.alert not in shown:
            word = found.refusals[decision.id].words.replace(decision.target.value, "")
            key = (decision.action, decision.detector, word.partition(", until ")[0])
            alike.setdefault(key, []).append(decision)
    for first, *others in alike.values():
        words = f"→ {first.action} {first.target.value}: {first.reason}"
        yield report.indented(Text(report.printable(words)))
        yield _because(found.refusals[first.id], other, 4)
        if others:
            names = ", ".join(one.target.value for one in others[: report.SHOWN])
            rest = f" and {len(others) - report.SHOWN} more" * (len(others) > report.SHOWN)
            told = f"+ {len(others)} alike: {report.printable(names)}{rest}"
            yield report.indented(Text(told, style="dim"), 4)


def _because(reason: Reason, other: str, by: int) -> RenderableType:
    """Why the other does not: in words, with the settings that differ."""
    name = other if reason.kind == "response" else f"not {other}"
    text = Text(report.printable(f"{name}: {reason.words}"), style="yellow")
    named = list(reason.settings.items())
    told = [f"{name} {_value(there)}, here {_value(here)}" for name, (there, here) in named]
    if told:
        rest = f"; and {len(told) - SETTINGS} more" if len(told) > SETTINGS else ""
        text.append(f" (set there: {'; '.join(told[:SETTINGS])}{rest})", "dim")
    return report.indented(text, by)


def _told(alert: Alert) -> str:
    state = f" {alert.state}" * (alert.state != "open")
    return f"{alert.severity} {alert.shape}{state}" + f" ({alert.stage})" * (alert.stage != "alert")


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else report.printable(str(value))
