"""**Incident**: one story, what happened when, the counts beside their thresholds, what can be
done."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct, structs

from agents.console.desk import Desk
from agents.console.problems import missing
from agents.console.views.decided import Decided, shown
from agents.console.views.fields import IncidentId
from agents.console.views.reach import can
from agents.incidents.assembling import Assembly
from agents.incidents.incident import Incident
from schemas.findings import SEVERITIES, Action, Alert, Evidence, Sample, Severity, TargetKind
from schemas.incidents import State

ALERTS = 20  # shown whole
SAMPLES = 5  # of each
TRAIL = 1000  # entries that are looked through
TARGETS = 8  # of one kind of step


class IncidentWanted(Struct, frozen=True):
    id: IncidentId  # or the beginning of it, or of that of an alert in it


class Told(Struct, frozen=True, kw_only=True):
    """An alert of the incident."""

    id: str
    detector: str
    shape: str
    severity: Severity
    subject_kind: str
    subject: str
    first: float  # Unix seconds
    last: float
    summary: str
    technique: str
    evidence: list[Evidence]
    checks: list[str]
    origins: list[str]
    samples: list[Sample]
    events: int
    decision: str
    state: str
    stage: str
    blind_to: str
    window: float


class Step(Struct, frozen=True, kw_only=True):
    """Something that can be done about somebody."""

    what: Literal["block", "lock", "undo", "release"]
    kind: TargetKind
    value: str
    action: Action  # of the decision that would be made, or is undone
    can: bool  # a gateway that is configured here can carry it out, or it is for others
    id: str = ""  # of the decision that is undone or released


class IncidentView(Struct, frozen=True, kw_only=True):
    incident: Incident
    state: State
    alerts: list[Told]  # the worst and newest
    decisions: list[Decided]
    steps: list[Step]


def incident(desk: Desk, wanted: IncidentWanted) -> IncidentView:
    one = whole(desk, wanted.id)
    inside = set(desk.picture.assembly.alerts(one.alerts[0]))
    known = sorted((a for a in desk.picture.alerts if a.id in inside), key=_gravest)[:ALERTS]
    alerts = sorted(desk.shelf.alerts([a.id for a in known]), key=_gravest)
    decisions = shown(desk, one.decisions)
    return IncidentView(
        incident=structs.replace(one, decisions=[]),
        state=one.state,
        alerts=[told(alert) for alert in alerts],
        decisions=decisions,
        steps=list(_steps(desk, one, decisions)),
    )


def _gravest(alert: Alert) -> tuple[bool, int, float, str]:
    """Sorts what stands before what was withdrawn, the worst first, of alike the newest."""
    severity = SEVERITIES.index(alert.severity)
    return alert.state != "open", -severity, -alert.last, alert.id


def find(desk: Desk, name: str) -> Incident:
    """The incident of this id or a beginning of one, or of an alert. Raises ProblemError."""
    picture = desk.picture
    own = picture.assembly.incident(name)
    alike = []
    for one in picture.incidents:
        if one.id in (name, own):
            return one
        if one.id.startswith(name):
            alike.append(one)
    if len(alike) == 1:
        return alike[0]
    raise missing(f"incident {name}")


def whole(desk: Desk, name: str) -> Incident:
    """The same with all that was decided in its course."""
    brief = find(desk, name)
    picture, now = desk.picture, desk.clock()
    ids = picture.assembly.alerts(brief.alerts[0])
    inside = set(ids)
    alerts = [alert for alert in picture.alerts if alert.id in inside]
    concerned = {("network", name) for name in brief.accused}
    concerned |= {("account", name) for name in (*brief.hijacked, *brief.attacked)}
    decisions = [*desk.shelf.of_alerts(now, ids), *desk.shelf.about(now, concerned)]
    trail = desk.shelf.audit(
        TRAIL, targets=[f"{kind}:{value}" for kind, value in concerned], alerts=ids[:5000]
    )
    window = desk.config.settings.incidents.window
    assembly = Assembly(alerts, picture.cases, desk.shelf.turns(ids), window=window)
    found = assembly.tell({one.id: one for one in decisions}.values(), trail, most=1)
    return found.incidents[0] if found.incidents else brief


def told(alert: Alert) -> Told:
    return Told(
        id=alert.id,
        detector=alert.detector,
        shape=alert.shape,
        severity=alert.severity,
        subject_kind=alert.subject.kind,
        subject=alert.subject.value,
        first=alert.first,
        last=alert.last,
        summary=alert.summary,
        technique=alert.technique,
        evidence=alert.evidence[:20],
        checks=alert.checks[:20],
        origins=alert.origins,
        samples=alert.samples[:SAMPLES],
        events=alert.events,
        decision=alert.decision,
        state=alert.state,
        stage=alert.stage,
        blind_to=alert.blind_to,
        window=alert.window,
    )


def _steps(desk: Desk, one: Incident, decisions: list[Decided]) -> Iterator[Step]:
    held = {(d.kind, d.value) for d in decisions if d.standing == "enforced"}
    spared = {(d.kind, d.value) for d in decisions if d.standing == "pardon"}
    steps: tuple[tuple[Literal["block", "lock"], TargetKind, Action, list[str]], ...] = (
        ("block", "network", "drop", one.accused),
        ("lock", "account", "lock", one.hijacked),
    )
    for what, kind, action, names in steps:
        wanted = [name for name in names if (kind, name) not in held | spared]
        for name in wanted[:TARGETS]:
            yield Step(what=what, kind=kind, value=name, action=action, can=can(desk, kind, action))
    for decision in decisions[:TARGETS]:
        if decision.standing == "pardon":
            yield Step(
                what="release",
                kind=decision.kind,
                value=decision.value,
                action=decision.action,
                can=True,
                id=decision.id,
            )
        else:
            yield Step(
                what="undo",
                kind=decision.kind,
                value=decision.value,
                action=decision.action,
                can=True,
                id=decision.id,
            )
