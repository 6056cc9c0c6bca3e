"""What two settings make of the same logs: what only one of them finds and decides, and why the
other does not."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from agents.configuration import Config
from agents.contrast import Contrast
from agents.detector import Detector
from agents.domains import inherited
from agents.replay import Verdict
from agents.words import number
from schemas.findings import Alert, Decision, Evidence

Kind = Literal["disabled", "trusted", "dated", "below", "settings", "follows", "response"]
"""The detector is off; it does not judge this client; the finding has another first offence; a
count is below its threshold; other settings of the detector; nothing of its own; what response
says."""


class Reason(Struct, frozen=True):
    """Why one side, `there`, does not find or decide what the other does."""

    kind: Kind
    words: str
    counts: list[Evidence] = []  # there, each below its threshold
    settings: dict[str, tuple[Any, Any]] = {}  # of the detector that differ: there, here


class Difference(Struct, frozen=True):
    """`ours` are of the settings that are used, `theirs` of those they are compared with."""

    ours: list[Alert]  # found only by them
    theirs: list[Alert]
    changed: list[tuple[Alert, Alert]]  # the same finding, told or answered differently
    decided: list[Decision]  # only by ours
    undecided: list[Decision]  # only by theirs
    reasons: dict[str, Reason] = {}  # by id of a finding that only one has, or was told otherwise
    refusals: dict[str, Reason] = {}  # by id of a decision that only one has

    @property
    def any(self) -> bool:
        return bool(self.ours or self.theirs or self.changed or self.decided or self.undecided)


class Side(Struct):
    """One of two settings, with what it made of the logs."""

    config: Config
    verdict: Verdict
    counts: Mapping[str, dict[str, Evidence]] = {}  # of findings that only the other side has

    def detector(self, alert: Alert) -> Detector | None:
        """The detector that would have found it here, with the settings of its domain."""
        usual = next((one for one in self.config.detectors if one.name == alert.rule), None)
        domains = self.config.variants.get(alert.rule)
        if not domains or alert.subject.kind not in ("account", "domain"):
            return usual
        return inherited(domains, alert.subject.value.rpartition("@")[2]) or usual


def sides(
    configs: tuple[Config, Config], verdicts: list[Verdict], contrast: Contrast
) -> list[Side]:
    return [
        Side(config, verdict, counts)
        for config, verdict, counts in zip(configs, verdicts, contrast.counts, strict=True)
    ]


def difference(ours: Side, theirs: Side) -> Difference:
    mine = {alert.id: alert for alert in ours.verdict.alerts}
    other = {alert.id: alert for alert in theirs.verdict.alerts}
    decided = {decision.id for decision in ours.verdict.decisions}
    undecided = {decision.id for decision in theirs.verdict.decisions}
    only = [alert for alert in ours.verdict.alerts if alert.id not in other]
    lacked = [alert for alert in theirs.verdict.alerts if alert.id not in mine]
    changed = [
        (alert, other[alert.id])
        for alert in ours.verdict.alerts
        if alert.id in other and _essence(alert) != _essence(other[alert.id])
    ]
    found = Difference(
        ours=only,
        theirs=lacked,
        changed=changed,
        decided=[each for each in ours.verdict.decisions if each.id not in undecided],
        undecided=[each for each in theirs.verdict.decisions if each.id not in decided],
        reasons={
            **{alert.id: _unfound(alert, ours, theirs) for alert in only},
            **{alert.id: _unfound(alert, theirs, ours) for alert in lacked},
            **{alert.id: _told(alert, twin, ours, theirs) for alert, twin in changed},
        },
    )
    for decisions, there in ((found.decided, other), (found.undecided, mine)):
        for decision in decisions:
            found.refusals[decision.id] = _refused(decision, there)
    return found


def _essence(alert: Alert) -> tuple[str, str, str, str]:
    return alert.shape, alert.severity, alert.state, alert.stage


def _unfound(alert: Alert, here: Side, there: Side) -> Reason:
    """Why a finding of one side is none of the other."""
    detector = there.detector(alert)
    if detector is None or not detector.enabled:
        return Reason("disabled", f"{alert.rule} is switched off")
    dated = next((one for one in there.verdict.alerts if _same(one, alert)), None)
    if dated is not None:
        return Reason("dated", f"found as well, under the id {dated.id}: it began on another day")
    spared = _spared(alert, here.config, there.config)
    if spared:
        return Reason("trusted", f"{alert.subject.value} is in {spared}: it is not judged")
    counted = there.counts.get(alert.id, {})
    settings = _differing(detector, here.detector(alert))
    short = _below(alert.evidence, counted.values())
    if short:
        return Reason("below", _counts(short), short, settings)
    unseen = "" if counted else f"; it has seen nothing of {alert.subject.value}"
    if settings:
        return Reason("settings", f"{alert.rule} is set otherwise{unseen}", settings=settings)
    rests = "it follows from other detectors, the site or the network, which are"
    return Reason("follows", f"{alert.rule} is not set otherwise: {rests}{unseen}")


def _told(alert: Alert, twin: Alert, here: Side, there: Side) -> Reason:
    """Why the other side tells a finding otherwise."""
    detector = there.detector(alert)
    settings = _differing(detector, here.detector(alert)) if detector is not None else {}
    short = _below(alert.evidence, twin.evidence)
    if short:
        return Reason("below", _counts(short), short, settings)
    if settings:
        return Reason("settings", f"{alert.rule} is set otherwise", settings=settings)
    return Reason("follows", f"{alert.rule} is not set otherwise")


def _refused(decision: Decision, there: Mapping[str, Alert]) -> Reason:
    """Why a decision of one side is none of the other: response says it with its alert."""
    alert = there.get(decision.alert)
    if alert is None:
        return Reason("follows", "nothing is found that asks for it")
    return Reason("response", alert.decision or "nothing was asked for")


def _same(one: Alert, other: Alert) -> bool:
    alike = one.detector == other.detector and one.subject == other.subject
    return alike and one.first <= other.last and other.first <= one.last


def _spared(alert: Alert, here: Config, there: Config) -> str:
    """The setting for which a client is no stranger on the other side."""
    value = alert.subject.value
    strange = alert.subject.kind == "client" and value not in here.site.trusted
    if not strange or value not in there.site.trusted:
        return ""
    return "network.allow" if value in there.allowed else "network.upstream"


def _below(here: Iterable[Evidence], there: Iterable[Evidence]) -> list[Evidence]:
    """Counts that do not reach their threshold there, of those that do here."""
    reached = {seen.sign for seen in here if seen.count >= seen.threshold > 0}
    return [seen for seen in there if seen.sign in reached and seen.count < seen.threshold]


def _differing(there: Detector, here: Detector | None) -> dict[str, tuple[Any, Any]]:
    if here is None:
        return {}
    ours = msgspec.structs.asdict(here)
    theirs = msgspec.structs.asdict(there)
    return {name: (value, ours[name]) for name, value in theirs.items() if value != ours[name]}


def _counts(short: Iterable[Evidence]) -> str:
    return ", ".join(
        f"{seen.sign.replace('_', ' ')} {number(seen.count)} < {number(seen.threshold)}"
        f"{f' {seen.unit}' * bool(seen.unit)}"
        for seen in short
    )
