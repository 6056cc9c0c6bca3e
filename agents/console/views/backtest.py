"""**Rules**: what another value of a detector's setting would have kept silent in the last days.

It is told from the alerts that are kept, by their counts (agents/feedback.py `stands`): an
estimate, since findings may rest on each other, and one-sided: what a lower threshold would find
besides is in no alert. The logs answer exactly (`mailwarden replay --compare`).
"""

from typing import Annotated

from msgspec import Meta, Struct

from agents.console.desk import Desk
from agents.console.problems import ProblemError, missing
from agents.feedback import DAYS, stands
from agents.thresholds import numbers
from schemas.findings import DAY, SEVERITIES, Alert, Severity

SHOWN = 20
SEVERE = ("high", "critical")

Name = Annotated[str, Meta(min_length=1, max_length=64)]


class BacktestWanted(Struct, frozen=True, kw_only=True):
    name: Name  # of the detector
    setting: Name
    value: Annotated[float, Meta(gt=0.0, le=1e9)]


class Silenced(Struct, frozen=True, kw_only=True):
    """A finding that would not have been told."""

    alert: str  # id
    incident: str  # id
    severity: Severity
    subject: str
    summary: str
    last: float  # Unix seconds
    wrong: bool  # a person said that it was a false positive


class Backtest(Struct, frozen=True, kw_only=True):
    name: str
    setting: str
    was: float
    value: float
    days: float
    found: int  # findings of the detector that accuse somebody
    silent: int  # of these with the other value
    severe_silent: int  # high and critical ones among them
    wrong: int  # false positives by the word of persons
    wrong_silent: int  # of these with the other value
    lower: bool  # it is below the present one: more would be found, which no alert tells
    settings: str  # lines to paste
    silenced: list[Silenced]  # the worst of them


def backtest(desk: Desk, wanted: BacktestWanted) -> Backtest:
    """Raises ProblemError where there is no such detector or number."""
    detector = next((one for one in desk.config.detectors if one.name == wanted.name), None)
    if detector is None:
        raise missing(f"detector {wanted.name}")
    known = dict(numbers(detector))
    if wanted.setting not in known:
        choice = ", ".join(known)
        raise ProblemError(422, f"{wanted.name} has no such number; there are: {choice}")
    was = known[wanted.setting]
    value = round(wanted.value) if isinstance(was, int) else wanted.value
    picture, since = desk.picture, desk.clock() - DAYS * DAY
    judged = {one.id for one in picture.incidents if one.state == "false_positive"}

    def wrong(alert: Alert) -> bool:
        return picture.assembly.incident(alert.id) in judged

    found = [
        one
        for one in picture.alerts
        if one.rule == detector.name
        and one.last >= since
        and one.severity != "info"
        and one.state == "open"
    ]
    silent = [one for one in found if not stands(detector, {wanted.setting: value}, one)]
    silent.sort(key=lambda one: (-SEVERITIES.index(one.severity), -one.last, one.id))
    return Backtest(
        name=detector.name,
        setting=wanted.setting,
        was=was,
        value=value,
        days=DAYS,
        found=len(found),
        silent=len(silent),
        severe_silent=sum(one.severity in SEVERE for one in silent),
        wrong=sum(map(wrong, found)),
        wrong_silent=sum(map(wrong, silent)),
        lower=value < was,
        settings=f"[detectors.{detector.name}]\n{wanted.setting} = {value:g}  # was {was:g}",
        silenced=[
            Silenced(
                alert=one.id,
                incident=picture.assembly.incident(one.id),
                severity=one.severity,
                subject=one.subject.value,
                summary=one.summary,
                last=one.last,
                wrong=wrong(one),
            )
            for one in silent[:SHOWN]
        ],
    )
