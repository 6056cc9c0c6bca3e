"""Incidents in a few words, and lists of them."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from agents.console.desk import Desk
from agents.console.views.fields import Limit, Offset, Short
from agents.incidents.incident import Incident
from schemas.findings import SEVERITIES, Severity
from schemas.incidents import State

NAMES = 3
UNFINISHED = ("open", "acknowledged")


class Brief(Struct, frozen=True, kw_only=True):
    """An incident in a list."""

    id: str
    state: State
    severity: Severity
    first: float  # Unix seconds
    last: float
    story: str
    assignee: str
    alerts: int
    accused: list[str]
    accused_count: int
    hijacked: list[str]
    hijacked_count: int


class Incidents(Struct, frozen=True, kw_only=True):
    incidents: list[Brief]
    count: int  # of all that were looked for
    older: int  # incidents that are too old to be looked at
    complete: bool  # all that there was at the start of the console is known


class IncidentsWanted(Struct, frozen=True, kw_only=True):
    """Which incidents are looked for."""

    state: Literal["unfinished", "open", "acknowledged", "closed", "false_positive", "all"] = (
        "unfinished"
    )
    least: Severity = "info"
    text: Short = ""  # part of the story, of a name in it, of an id
    assignee: Short = ""
    limit: Limit = 50
    offset: Offset = 0


def listed(desk: Desk, wanted: IncidentsWanted) -> Incidents:
    """The newest first."""
    picture = desk.picture
    severe = SEVERITIES[SEVERITIES.index(wanted.least) :]
    text = wanted.text.strip().lower()
    found = [
        one
        for one in picture.incidents
        if one.severity in severe
        and _in_state(one, wanted.state)
        and (not wanted.assignee or one.assignee == wanted.assignee)
        and (not text or _says(one, text))
    ]
    return Incidents(
        incidents=[brief(one) for one in found[wanted.offset : wanted.offset + wanted.limit]],
        count=len(found),
        older=picture.count - len(picture.incidents),
        complete=desk.around.complete,
    )


def brief(one: Incident) -> Brief:
    return Brief(
        id=one.id,
        state=one.state,
        severity=one.severity,
        first=one.first,
        last=one.last,
        story=one.story,
        assignee=one.assignee,
        alerts=one.alerts_count,
        accused=one.accused[:NAMES],
        accused_count=one.accused_count,
        hijacked=one.hijacked[:NAMES],
        hijacked_count=one.hijacked_count,
    )


def unfinished(incidents: Iterable[Incident]) -> list[Incident]:
    """What nobody has ended yet, the worst first, of alike the newest."""
    found = [one for one in incidents if one.state in UNFINISHED]
    return sorted(
        found,
        key=lambda one: (one.state != "open", -SEVERITIES.index(one.severity), -one.last, one.id),
    )


def _in_state(one: Incident, state: str) -> bool:
    if state == "unfinished":
        return one.state in UNFINISHED
    return state in ("all", one.state)


def _says(one: Incident, text: str) -> bool:
    if one.id.startswith(text) or text in one.story.lower() or text in one.alerts:
        return True
    return any(
        text in name for names in (one.accused, one.attacked, one.hijacked) for name in names
    )
