"""All that is known, made into incidents."""

from collections.abc import Iterable

from msgspec import Struct

from agents.incidents import timeline
from agents.incidents.casework import is_over, went_on
from agents.incidents.decided import Decided
from agents.incidents.incident import Incident, Moment
from agents.incidents.joining import Draft, joined
from agents.incidents.named import NAMED, named
from agents.incidents.playbook import playbook
from agents.incidents.revisions import Turn, histories
from agents.incidents.story import accused, attacked, hijacked, story
from schemas.audit import MACHINE, Audit
from schemas.findings import Alert, Decision
from schemas.incidents import Case, State

INCIDENTS = 1000
WITHDRAWN = "all withdrawn"


class Found(Struct, frozen=True):
    incidents: list[Incident]  # those with the newest events, the newest first
    count: int  # of all


class Assembly:
    """Which alerts belong together. What is to be told of that is told when it is asked for.

    `alerts` are all revisions or the newest only, in any order; `cases` are what people made of
    incidents, `turns` earlier revisions of the alerts. `window` is how long after the last alert
    about a subject another one still joins, in seconds.
    """

    def __init__(
        self,
        alerts: Iterable[Alert],
        cases: Iterable[Case] = (),
        turns: Iterable[Turn] = (),
        *,
        window: float,
    ) -> None:
        self._drafts, self._of_alert = joined(histories(alerts, turns), cases, window)
        self._window = window

    def tell(
        self,
        decisions: Iterable[Decision] = (),
        trail: Iterable[Audit] = (),
        *,
        most: int = INCIDENTS,
    ) -> Found:
        """The incidents; `decisions` are those in force, `trail` what was decided."""
        shown = sorted(self._drafts, key=lambda draft: (-draft.last, draft.id))[:most]
        decided = Decided(shown, self._of_alert, self._window)
        in_force, entries = decided.in_force(decisions), decided.trail(trail)
        return Found(
            [
                _incident(draft, in_force.get(id(draft), []), entries.get(id(draft), []))
                for draft in shown
            ],
            len(self._drafts),
        )

    def alerts(self, alert: str) -> list[str]:
        """The ids of all alerts that are part of the incident of this one; none where the alert
        is not known."""
        draft = self._of_alert.get(alert)
        return [history.newest.id for history in draft.histories] if draft else []

    def incident(self, alert: str) -> str:
        """The id of the incident that an alert is part of; "" where it is not known."""
        draft = self._of_alert.get(alert)
        return draft.id if draft else ""


def incidents(
    alerts: Iterable[Alert],
    cases: Iterable[Case] = (),
    decisions: Iterable[Decision] = (),
    trail: Iterable[Audit] = (),
    turns: Iterable[Turn] = (),
    *,
    window: float,
    most: int = INCIDENTS,
) -> Found:
    """The incidents that `alerts` amount to: see Assembly."""
    return Assembly(alerts, cases, turns, window=window).tell(decisions, trail, most=most)


def _incident(draft: Draft, decisions: list[Decision], trail: list[Audit]) -> Incident:
    every = draft.histories
    ordered = sorted(every, key=lambda history: (history.first, history.newest.id))
    standing = [history.newest for history in ordered if not history.withdrawn]
    alerts = named(history.newest.id for history in ordered)
    subjects = named(f"{h.newest.subject.kind}:{h.newest.subject.value}" for h in ordered)
    who, at_whom, used = accused(standing), attacked(standing), hijacked(standing)
    case = draft.case or Case(id=draft.id)
    state, reason = _state(case, draft, standing)
    moments = [
        *timeline.of_alerts(ordered),
        *timeline.of_trail(trail),
        *timeline.of_case(case, draft, reopened=went_on(case, draft.extent)),
    ]
    if reason == WITHDRAWN:
        at = max(history.newest.at for history in every)
        moments.append(Moment(at=at, what="closed", text=WITHDRAWN, by=MACHINE))
    return Incident(
        id=draft.id,
        state=state,
        reason=reason,
        severity=draft.severity,
        first=draft.first,
        last=draft.last,
        story=story(ordered),
        assignee=case.assignee,
        parts=draft.parts[:NAMED],
        parts_count=len(draft.parts),
        alerts=alerts.names,
        alerts_count=alerts.count,
        withdrawn_count=len(every) - len(standing),
        subjects=subjects.names,
        subjects_count=subjects.count,
        accused=who.names,
        accused_count=who.count,
        attacked=at_whom.names,
        attacked_count=at_whom.count,
        hijacked=used.names,
        hijacked_count=used.count,
        decisions=sorted(decisions, key=lambda one: one.id)[:NAMED],
        decisions_count=len(decisions),
        timeline=timeline.bounded(moments),
        timeline_count=len(moments),
        playbook=playbook(used.names, case.ticks, trail),
        deeds=case.deeds,
        deeds_count=case.deeds_count,
    )


def _state(case: Case, draft: Draft, standing: list[Alert]) -> tuple[State, str]:
    if is_over(case) and not went_on(case, draft.extent):
        return case.state, case.reason
    if not standing:
        return "closed", WITHDRAWN
    if is_over(case):
        return "open", "it went on after it was closed"
    return case.state, case.reason
