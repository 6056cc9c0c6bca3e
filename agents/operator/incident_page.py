"""Incidents as a person reads them on a terminal: a list, and the story of one."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agents.incidents.incident import Incident, Moment
from agents.incidents.playbook import ACCOUNTS, MEANINGS
from agents.operator import report
from agents.operator.listing import NARROW, Column, listing, shortened
from agents.operator.report import printable
from agents.words import many
from schemas.findings import Decision
from schemas.incidents import State

STATES: dict[State, tuple[str, str]] = {
    "open": ("open", "bold red"),
    "acknowledged": ("acknowledged", "yellow"),
    "closed": ("closed", "green"),
    "false_positive": ("false positive", "dim"),
}
SHORT_ID = 8  # characters; `show` takes the beginning of an id
NAME = 16  # columns for whose it is
SHOWN = 8  # names, and commands of one kind

COLUMNS = (
    Column("ID"),
    Column("SEVERITY"),
    Column("STATE"),
    Column("LAST (UTC)"),
    Column("ALERTS"),
    Column("WHOSE"),
    Column("WHAT HAPPENED", "cut"),
)


def table(incidents: Sequence[Incident], width: int) -> Table:
    """One row each, for a terminal of `width` columns."""
    narrow = width < NARROW
    rows = [
        (
            Text(printable(one.id[: SHORT_ID if narrow else None])),
            Text(one.severity, style=report.STYLES[one.severity]),
            Text(*STATES[one.state]),
            Text(report.moment(one.last) if narrow else _clock(one.last)),
            Text(f"{one.alerts_count:,}", justify="right"),
            Text(shortened(printable(one.assignee), NAME) or "-"),
            Text(printable(one.story)),
        )
        for one in incidents
    ]
    return listing(COLUMNS, rows, width)


def whole(one: Incident, *, kafka: bool) -> RenderableType:
    """The story of one, and the commands that act on it."""
    head = Text.assemble(
        (one.severity.upper(), report.STYLES[one.severity]),
        "  ",
        (printable(one.id), "bold"),
        "  ",
        STATES[one.state],
        (f" ({printable(one.reason)})" if one.reason else "", "dim"),
        "  ",
        (report.period(one.first, one.last), "dim"),
    )
    parts: list[RenderableType] = [head, Text(printable(one.story)), Text(), _facts(one), Text()]
    parts += [_timeline(one), Text()]
    if one.playbook:
        parts += [steps(one, how=False), Text()]
    parts.append(_commands(one, kafka=kafka))
    return Group(*parts)


def _facts(one: Incident) -> RenderableType:
    rows = _grid()
    alerts = many(one.alerts_count, "alert")
    if one.withdrawn_count:
        alerts += f", {one.withdrawn_count} of them withdrawn"
    for name, value in (
        ("alerts", alerts),
        ("accused", _names(one.accused, one.accused_count)),
        ("attacked", _names(one.attacked, one.attacked_count)),
        ("hijacked", _names(one.hijacked, one.hijacked_count)),
        ("assigned to", one.assignee),
    ):
        if value:
            rows.add_row(name, Text(printable(value)))
    if one.decisions:
        left = one.decisions_count - len(one.decisions[:SHOWN])
        said = [_in_force(decision) for decision in one.decisions[:SHOWN]]
        said += [f"and {left:,} more"] if left > 0 else []
        rows.add_row("in force", Text(printable("; ".join(said))))
    return report.indented(rows)


def _in_force(one: Decision) -> str:
    what = "pardon" if one.origin == "pardon" else one.action
    observed = "" if one.enforced else " (not enforced)"
    return f"{what} {one.target.value} until {_clock(one.until)}{observed}"


def _names(names: list[str], count: int) -> str:
    left = count - len(names[:SHOWN])
    return ", ".join(names[:SHOWN]) + (f" and {left:,} more" if left > 0 else "")


def _timeline(one: Incident) -> RenderableType:
    rows = Table.grid(padding=(0, 2, 0, 0))
    for style in ("dim", "bold", "cyan"):
        rows.add_column(no_wrap=True, style=style)
    rows.add_column(overflow="fold")
    left = one.timeline_count - len(one.timeline)
    for moment in one.timeline:
        rows.add_row(
            report.moment(moment.at, seconds=True),
            moment.what.replace("_", " "),
            Text(printable(moment.by)),
            Text(printable(_text(moment))),
        )
    shown = report.indented(rows)
    return Group(shown, Text(f"  {left:,} in between are not shown", "dim")) if left else shown


def steps(one: Incident, *, how: bool = True) -> RenderableType:
    """The playbook, what is done beside what is not, and with `how`, where to do it."""
    rows = Table.grid(padding=(0, 2, 0, 0))
    for style in ("bold", "cyan", ""):
        rows.add_column(no_wrap=True, style=style)
    rows.add_column(overflow="fold")
    for entry in one.playbook:
        meaning = MEANINGS[entry.task]
        tick = entry.done
        said = meaning.what
        if tick is not None:
            note = f": {tick.note}" if tick.note else ""
            said += f" ({tick.by}, {_clock(tick.at)}{note})"
        elif entry.hint:
            said += f" ({entry.hint})"
        elif how:
            said += f" ({meaning.how})"
        style = "dim" if tick else ""
        box = "[x]" if tick else "[ ]"
        rows.add_row(
            Text(box), entry.task, Text(printable(entry.account)), Text(printable(said), style)
        )
    left = one.hijacked_count - ACCOUNTS
    shown = report.indented(rows)
    if left <= 0:
        return shown
    return Group(shown, Text(f"  {left:,} more accounts: tick without --account", "dim"))


def _text(moment: Moment) -> str:
    if moment.what == "assigned":
        return f"to {moment.text}" if moment.text else "to nobody"
    return moment.text


def _commands(one: Incident, *, kafka: bool) -> RenderableType:
    rows = _grid()
    for name, command in commands(one, kafka=kafka):
        rows.add_row(name, Text(printable(command), overflow="fold"))
    return report.indented(rows)


def commands(one: Incident, *, kafka: bool) -> Iterator[tuple[str, str]]:
    """What it is for, and a command that can be pasted into a shell: names are quoted, attackers
    chose them."""
    why = f"--reason 'incident {one.id}'"
    decided = {_target(each) for each in one.decisions if each.origin != "pardon"}
    spared = {_target(each) for each in one.decisions if each.origin == "pardon"}
    known = {_target(each) for each in one.decisions if each.enforced}
    found = [
        *_each("block", "add", (f"network:{name}" for name in one.accused), known, "--for 1d", why),
        *_each("lock", "add", (f"account:{name}" for name in one.hijacked), known, "--for 1d", why),
        *_each("undo", "remove", sorted(decided), set(), why),
        *_each("release", "pardon", (f"account:{n}" for n in one.hijacked), spared, why),
    ]
    own = shlex.quote(one.id)
    if one.state == "open":
        found.append(("take on", f"mailwarden incidents ack {own}"))
    left = [entry.task for entry in one.playbook if entry.done is None]
    if left:
        found.append(("done", f"mailwarden incidents tick {own} {left[0]}"))
    if one.state in ("open", "acknowledged"):
        found.append(("end", f"mailwarden incidents close {own} --reason WHY"))
        found.append(("", f"mailwarden incidents close {own} --false-positive --reason WHY"))
    found += [
        ("" if index else "its alerts", f"mailwarden alerts list --incident {shlex.quote(part)}")
        for index, part in enumerate(one.parts[:SHOWN])
    ]
    for name, command in found:
        yield name, f"{command} --kafka" if kafka else command


def _target(one: Decision) -> str:
    return f"{one.target.kind}:{one.target.value}"


def _each(
    name: str, what: str, targets: Iterable[str], without: set[str], *rest: str
) -> list[tuple[str, str]]:
    wanted = [target for target in targets if target not in without][:SHOWN]
    return [
        (
            "" if index else name,
            " ".join(["mailwarden decisions", what, shlex.quote(target), *rest]),
        )
        for index, target in enumerate(wanted)
    ]


def _grid() -> Table:
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    return rows


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
