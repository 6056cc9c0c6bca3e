"""Thresholds at which the known innocent stay silent, and what is lost with them.

Nothing is guessed: a value that follows from the counts of a finding is tried by reading the same
logs again with it. Several are tried beside each other, so a suggestion takes a few passes.
"""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct, field

from agents.configuration import Config
from agents.detector import Detector
from agents.innocents import Innocents
from agents.replay import Verdict
from agents.thresholds import above, measures
from schemas.findings import SEVERITIES, Alert, Decision

ROUNDS = 4  # passes in which values are raised until all are silent
BESIDE = 6  # settings that are tried in one pass: each needs the memory of a replay
TRIES = 4  # settings of one detector that are tried alone

Replays = Callable[[Sequence[Config], str], list[Verdict]]  # and what is tried, in words
Values = dict[str, float]  # of the settings of one detector that are changed


class Cost(Struct, frozen=True):
    """What is found and decided no more, beside what was said of the innocent."""

    findings: list[Alert] = []
    decisions: list[Decision] = []

    @property
    def weight(self) -> int:
        """Few findings of weight are worth more than many of none."""
        return sum(10 ** SEVERITIES.index(alert.severity) for alert in self.findings)


class Try(Struct):
    """Other values of one detector's settings. `left` is what it still says of the innocent."""

    values: Values
    left: list[Alert] = field(default_factory=list)
    cost: Cost = field(default_factory=Cost)
    done: bool = False  # there is nothing more to be tried with these settings

    @property
    def silent(self) -> bool:
        return self.done and not self.left


class Advice(Struct):
    """What is suggested for one detector; without `changes` no threshold of it helps."""

    detector: str
    accused: list[Alert]  # findings about the innocent
    changes: dict[str, tuple[float, float]] = {}  # setting: now, suggested
    cost: Cost = field(default_factory=Cost)  # of these changes alone


class Suggestion(Struct):
    advice: list[Advice]
    left: list[Alert] = []  # about the innocent, with all changes together
    cost: Cost = field(default_factory=Cost)  # of all of them
    passes: int = 0


class Suggesting:
    """`replays` reads the logs with each of several settings."""

    def __init__(self, config: Config, innocents: Innocents, replays: Replays) -> None:
        self._config = config
        self._innocents = innocents
        self._replays = replays
        self._passes = 0
        self._base = Verdict([], [])

    def run(self) -> Suggestion:
        (self._base,) = self._read([self._config], "as it is set")
        accused: dict[str, list[Alert]] = {}
        for alert in self._base.alerts:
            if self._innocents.accused(alert):
                accused.setdefault(alert.rule, []).append(alert)
        usual = {one.name: one for one in self._config.detectors if one.name in accused}
        tries = {name: _first(usual[name], alerts) for name, alerts in accused.items()}
        for number in range(1, ROUNDS + 1):
            pending = [
                (name, one) for name, several in tries.items() for one in several if not one.done
            ]
            if not pending:
                break
            self._try(pending, usual, f"attempt {number}")
        together = [(name, several[-1]) for name, several in tries.items() if _only_all(several)]
        if together:
            self._prune(together, tries, usual)
        advice = [
            _advice(usual[name], alerts, [one for one in tries[name] if one.silent])
            for name, alerts in accused.items()
        ]
        return self._whole(advice)

    def _whole(self, advice: list[Advice]) -> Suggestion:
        """All that is suggested at once."""
        changed = self._config
        for one in advice:
            values = {name: value for name, (_, value) in one.changes.items()}
            changed = with_values(changed, one.detector, values)
        if changed is self._config:
            left = [alert for one in advice for alert in one.accused]
            return Suggestion(advice, left, Cost(), self._passes)
        (verdict,) = self._read([changed], "all of it together")
        left = [alert for alert in verdict.alerts if self._innocents.accused(alert)]
        return Suggestion(advice, left, self._cost(verdict), self._passes)

    # -- trying -----------------------------------------------------------------------------

    def _try(self, pending: list[tuple[str, Try]], usual: dict[str, Detector], what: str) -> None:
        for begin in range(0, len(pending), BESIDE):
            batch = pending[begin : begin + BESIDE]
            configs = [with_values(self._config, name, one.values) for name, one in batch]
            for (name, one), verdict in zip(batch, self._read(configs, what), strict=True):
                one.left = [
                    alert
                    for alert in verdict.alerts
                    if alert.rule == name and self._innocents.accused(alert)
                ]
                one.cost = self._cost(verdict)
                one.done = not one.left or not _raise(one, usual[name])

    def _prune(
        self,
        together: list[tuple[str, Try]],
        tries: dict[str, list[Try]],
        usual: dict[str, Detector],
    ) -> None:
        """Where several settings were changed at once: do without each that is not needed."""
        without = []
        for name, whole in together:
            for setting in whole.values:
                rest = {key: value for key, value in whole.values.items() if key != setting}
                if rest:
                    without.append((name, Try(rest)))
        self._try(without, usual, "with fewer changes")
        for name, one in without:
            if not one.left:
                tries[name].append(one)

    def _read(self, configs: Sequence[Config], what: str) -> list[Verdict]:
        self._passes += 1
        return self._replays(configs, f"pass {self._passes}, {what}")

    def _cost(self, verdict: Verdict) -> Cost:
        """What `verdict` lacks of what is found and decided as it is set."""
        found = {alert.id for alert in verdict.alerts}
        decided = {decision.id for decision in verdict.decisions}
        innocent = {alert.id for alert in self._base.alerts if self._innocents.accused(alert)}
        return Cost(
            [one for one in self._base.alerts if one.id not in found | innocent],
            [
                one
                for one in self._base.decisions
                if one.id not in decided and one.alert not in innocent
            ],
        )


def with_values(config: Config, name: str, values: Values) -> Config:
    """The configuration with other settings of a detector; what a domain has of its own stays."""
    if not values:
        return config
    usual = next(one for one in config.detectors if one.name == name)
    detectors = [
        msgspec.structs.replace(one, **values) if one is usual else one for one in config.detectors
    ]
    varied = {
        domain: msgspec.structs.replace(
            one,
            **{key: v for key, v in values.items() if getattr(one, key) == getattr(usual, key)},
        )
        for domain, one in config.variants.get(name, {}).items()
    }
    variants = {**config.variants, name: varied} if varied else config.variants
    return msgspec.structs.replace(config, detectors=detectors, variants=variants)


def _first(detector: Detector, accused: list[Alert]) -> list[Try]:
    """Each setting alone that a finding rested on, those of most findings first; then all."""
    values = silencing(detector, accused)
    alone = [Try({name: value}) for name, value in list(values.items())[:TRIES]]
    return [*alone, Try(values)] if len(values) > 1 else alone


def silencing(detector: Detector, alerts: list[Alert]) -> Values:
    """For each setting that the findings rest on, the value that none of their counts reaches;
    those of most findings first."""
    found: dict[str, list[float | None]] = {}
    for alert in alerts:
        for seen in alert.evidence:
            if seen.count >= seen.threshold > 0:
                for measure in measures(detector, seen):
                    was = getattr(detector, measure.setting)
                    value = above(seen.count, was, measure.scale)
                    found.setdefault(measure.setting, []).append(value)
    most = sorted(found.items(), key=lambda item: -len(item[1]))
    return {name: max(v for v in values if v) for name, values in most if None not in values}


def _raise(one: Try, usual: Detector) -> bool:
    """Raise the values of an attempt above what was counted with it; whether that changes any."""
    alone = len(one.values) == 1
    before = dict(one.values)
    now = msgspec.structs.replace(usual, **one.values)
    for name, value in silencing(now, one.left).items():
        if name in one.values or not alone:
            one.values[name] = max(value, one.values.get(name, value))
    return one.values != before


def _only_all(several: list[Try]) -> bool:
    """Whether the innocent stay silent with all settings changed, and with none of them alone."""
    return len(several) > 1 and several[-1].silent and not any(one.silent for one in several[:-1])


def _advice(detector: Detector, accused: list[Alert], silent: list[Try]) -> Advice:
    """The change that costs least, of settings as few as can be, and then the smallest."""
    if not silent:
        return Advice(detector.name, accused)

    def price(one: Try) -> tuple[int, int, float]:
        grown = sum(value / getattr(detector, name) for name, value in one.values.items())
        return one.cost.weight, len(one.values), grown

    best = min(silent, key=price)
    changes = {name: (getattr(detector, name), value) for name, value in best.values.items()}
    return Advice(detector.name, accused, changes, best.cost)
