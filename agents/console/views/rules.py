"""**Rules**: each detector with its settings and stage, what it found, and what persons said was
nothing."""

import inspect
from collections import Counter, defaultdict

from msgspec import Struct, structs

from agents.console.desk import Desk
from agents.console.views.now import Asked
from agents.detector import Detector
from agents.thresholds import numbers
from schemas.findings import DAY, Alert, Stage

WEEK = 7 * DAY
NOT_SHOWN = ("enabled", "stage")


class Setting(Struct, frozen=True, kw_only=True):
    name: str
    value: str
    usual: str  # what it is where nobody sets it
    changed: bool
    number: bool  # another value can be tried


class Rule(Struct, frozen=True, kw_only=True):
    name: str
    about: str  # in a sentence
    enabled: bool
    stage: Stage
    version: int
    technique: str  # MITRE ATT&CK
    blind_to: str
    settings: list[Setting]
    domains: list[str]  # that have settings of their own
    day: int  # findings with their last event in 24 hours
    week: int
    withdrawn: int  # of those of the week
    notes: int  # of those of the week that accuse nobody
    decisions: int  # taken in 7 days, as far as they are known
    false_positives: int  # of those of the week, by the word of persons
    reasons: list[str]  # theirs


class Rules(Struct, frozen=True, kw_only=True):
    enforcing: bool  # response.enforce
    rules: list[Rule]


def rules(desk: Desk, _: Asked) -> Rules:
    now = desk.clock()
    of_rule: dict[str, list[Alert]] = defaultdict(list)
    for alert in desk.picture.alerts:
        if now - alert.last <= WEEK:
            of_rule[alert.rule or alert.detector].append(alert)
    wrong = {one.id: one.reason for one in desk.picture.incidents if one.state == "false_positive"}
    decided = desk.shelf.decided(now - WEEK)
    return Rules(
        enforcing=desk.config.settings.response.enforce,
        rules=[
            _rule(desk, detector, of_rule[detector.name], wrong, decided)
            for detector in desk.config.detectors
        ],
    )


def _rule(
    desk: Desk,
    detector: Detector,
    alerts: list[Alert],
    wrong: dict[str, str],
    decided: dict[str, int],
) -> Rule:
    now = desk.clock()
    states = Counter(alert.state for alert in alerts)
    of_wrong = [name for one in alerts if (name := desk.picture.assembly.incident(one.id)) in wrong]
    return Rule(
        name=detector.name,
        about=_about(detector),
        enabled=detector.enabled,
        stage=detector.stage,
        version=detector.version,
        technique=detector.technique,
        blind_to=detector.blind_to,
        settings=_settings(detector),
        domains=list(desk.config.variants.get(detector.name, ())),
        day=sum(now - alert.last <= DAY for alert in alerts),
        week=len(alerts),
        withdrawn=states["withdrawn"],
        notes=sum(alert.severity == "info" for alert in alerts),
        decisions=sum(decided.get(name, 0) for name in (detector.findings or (detector.name,))),
        false_positives=len(of_wrong),
        reasons=list(dict.fromkeys(wrong[name] for name in of_wrong))[:5],
    )


def _about(detector: Detector) -> str:
    """The first sentence that its author wrote about it."""
    module = inspect.getmodule(type(detector))
    said = (module.__doc__ if module else "") or inspect.getdoc(type(detector)) or ""
    return " ".join(said.split("\n\n")[0].split())[:400]


def _settings(detector: Detector) -> list[Setting]:
    usual = type(detector)()
    tried = dict(numbers(detector))
    return [
        Setting(
            name=field.name,
            value=_said(getattr(detector, field.name)),
            usual=_said(getattr(usual, field.name)),
            changed=getattr(detector, field.name) != getattr(usual, field.name),
            number=field.name in tried,
        )
        for field in structs.fields(detector)
        if field.name not in NOT_SHOWN
    ]


def _said(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return str(value)
