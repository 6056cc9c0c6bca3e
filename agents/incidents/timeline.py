"""What happened in the course of an incident, one moment after the other."""

from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from agents.incidents.casework import is_over
from agents.incidents.incident import Moment, What
from agents.incidents.joining import Draft
from agents.incidents.revisions import History
from schemas.audit import MACHINE, Audit
from schemas.findings import SEVERITIES
from schemas.incidents import Case

MOMENTS = 300
ORDER = {what: order for order, what in enumerate(get_args(What))}  # of one and the same moment
ENDS = 50  # moments at the beginning that are kept where there are too many


def of_alerts(histories: Iterable[History]) -> Iterator[Moment]:
    """Openings, changes of severity, withdrawals."""
    for history in histories:
        alert, opened = history.newest, history.opened
        who = alert.rule or alert.detector
        more = {"by": who, "alert": alert.id}
        text = f"{opened.severity}: {alert.detector} {alert.shape} {alert.subject.value}"
        yield Moment(at=history.first, what="alert", text=text, **more)
        for before, turn in history.changes():
            if before.severity != turn.severity:
                up = SEVERITIES.index(turn.severity) > SEVERITIES.index(before.severity)
                text = f"{alert.subject.value} {'rose' if up else 'fell'} to {turn.severity}"
                yield Moment(at=turn.at, what="severity", text=text, **more)
            if before.state != turn.state:
                what: What = "withdrawn" if turn.state == "withdrawn" else "stands again"
                yield Moment(at=turn.at, what=what, text=alert.subject.value, **more)
        if opened.state == "withdrawn":  # the revisions before it are not kept
            yield Moment(at=opened.at, what="withdrawn", text=alert.summary, **more)


def of_trail(entries: Iterable[Audit]) -> Iterator[Moment]:
    """Decisions that were taken and taken back."""
    for entry in entries:
        if entry.what == "changed":
            text = f"{entry.action} of {entry.target.partition(':')[2]}"
            yield Moment(at=entry.at, what="changed", text=text, by=entry.by or "somebody")
        if not entry.decision:
            continue
        what = "lifted" if 0 < entry.until <= entry.since else entry.what
        text = f"{what}: {entry.action} {entry.target.partition(':')[2]}"
        if what in ("decided", "added") and not entry.enforced:
            text += ", not enforced"
        if entry.by != MACHINE and entry.reason:
            text += f" ({entry.reason})"
        by = entry.by or "somebody"
        yield Moment(at=entry.at, what="decision", text=text, by=by, alert=entry.alert)


def of_case(case: Case, draft: Draft, *, reopened: bool) -> Iterator[Moment]:
    """What people did, and that it went on after that."""
    for deed in case.deeds:
        yield Moment(at=deed.at, what=deed.what, text=deed.text, by=deed.by or "somebody")
    if reopened and is_over(case):
        at = min(
            (
                history.first if history.first > case.seen else history.newest.last
                for history in draft.histories
                if history.newest.last > case.seen
            ),
            default=draft.last,
        )
        text = f"{case.state.replace('_', ' ')}, but it went on"
        yield Moment(at=max(at, case.at), what="reopened", text=text, by=MACHINE)


def bounded(moments: Sequence[Moment]) -> list[Moment]:
    """In their order; of too many, the first and the newest."""
    found = sorted(moments, key=lambda one: (one.at, ORDER[one.what], one.alert, one.text))
    if len(found) <= MOMENTS:
        return found
    return [*found[:ENDS], *found[-(MOMENTS - ENDS) :]]
