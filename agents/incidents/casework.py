"""What people do about an incident, and what state that leaves it in."""

from msgspec import Struct, structs

from schemas.findings import SEVERITIES, Severity
from schemas.incidents import DEEDS, TICKS, Case, Deed, State, Step, Tick

STATE_OF: dict[Step, State] = {
    "acknowledged": "acknowledged",
    "closed": "closed",
    "false_positive": "false_positive",
}


class Extent(Struct, frozen=True):
    """How far an incident has come."""

    last: float  # Unix seconds of its last event
    alerts: int
    severity: Severity
    parts: list[str] = []  # what its alerts name as `incident`, the first of them


def after(case: Case, deed: Deed, extent: Extent) -> Case:
    """The case after a deed about an incident that had come to `extent`."""
    changed = structs.replace(
        case,
        at=max(case.at, deed.at),
        deeds=[*case.deeds, deed][-DEEDS:],
        deeds_count=case.deeds_count + 1,
    )
    if deed.what == "assigned":
        return structs.replace(changed, assignee=deed.text, assigned=deed.at)
    if deed.what not in STATE_OF:
        return changed
    return structs.replace(
        changed,
        state=STATE_OF[deed.what],
        reason=deed.text,
        since=deed.at,
        seen=extent.last,
        alerts=extent.alerts,
        severity=extent.severity,
        parts=extent.parts,
    )


def ticked(case: Case, tick: Tick, *, done: bool) -> Case:
    """The case after a task was done, or turned out not to be. A tick for all accounts takes the
    place of those for each."""
    left = [
        one
        for one in case.ticks
        if one.task != tick.task or (tick.account and one.account != tick.account)
    ]
    return structs.replace(case, ticks=[*left, *([tick] if done else [])][-TICKS:])


def merged(one: Case | None, other: Case | None) -> Case | None:
    """The case of two incidents that are one by now: of state and assignee the later word."""
    if one is None or other is None or one == other:
        return one or other
    ruling = max(one, other, key=lambda case: (case.since, case.id))
    handed = max(one, other, key=lambda case: (case.assigned, case.id))
    ticks = sorted([*one.ticks, *other.ticks], key=lambda tick: (tick.at, tick.by))
    deeds = sorted([*one.deeds, *other.deeds], key=lambda deed: (deed.at, deed.by, deed.text))
    return structs.replace(
        ruling,
        assignee=handed.assignee,
        assigned=handed.assigned,
        at=max(one.at, other.at),
        deeds=deeds[-DEEDS:],
        ticks=ticks[-TICKS:],
        deeds_count=one.deeds_count + other.deeds_count,
    )


def is_over(case: Case | None) -> bool:
    """Whether a person said that it is."""
    return case is not None and case.state in ("closed", "false_positive")


def went_on(case: Case, extent: Extent) -> bool:
    """Whether more came of an incident than the person saw who said that it is over: alerts that
    are new, or are more severe. Alerts that merely go on are more of a closed incident, but what
    was judged in a false positive."""
    more = extent.alerts > case.alerts or _rank(extent.severity) > _rank(case.severity)
    return more or (case.state == "closed" and extent.last > case.seen)


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)
