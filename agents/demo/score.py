"""What was found, held against what is true."""

from collections.abc import Iterable

from msgspec import Struct

from agents.demo.truth import Attack, Expected, Innocent, Truth
from schemas.findings import Alert


class Caught(Struct, frozen=True):
    """An attack and what was said of it; `missing` is what should have been, and was not."""

    attack: Attack
    alerts: list[Alert]
    missing: list[Expected]


class Score(Struct, frozen=True):
    attacks: list[Caught]
    accused: list[tuple[Innocent, list[Alert]]]  # each innocent, and what accuses it
    stray: list[Alert]  # accuses somebody who is in no story
    notes: list[Alert]  # of nobody's attack, and accuses nobody

    @property
    def found(self) -> int:
        return sum(not caught.missing for caught in self.attacks)

    @property
    def wronged(self) -> int:
        """Innocents who are accused, those of no story included."""
        return sum(bool(alerts) for _, alerts in self.accused) + len(self.stray)


def score(truth: Truth, alerts: Iterable[Alert]) -> Score:
    """Hold all alerts against the truth. What only informs (``info``) accuses nobody."""
    alerts = list(alerts)
    mine: dict[str, list[Alert]] = {attack.name: [] for attack in truth.attacks}
    stray, notes = [], []
    innocent: set[str] = set()
    for person in truth.innocents:
        innocent.update(person.clients, person.accounts)
    for alert in alerts:
        attack = _cause(truth, alert)
        guilty = _guilty(attack) if attack else frozenset()
        wronged = accused(alert) - guilty
        if attack is not None:
            mine[attack.name].append(alert)
        elif not wronged:
            notes.append(alert)
        if wronged and not wronged & innocent:
            stray.append(alert)
    return Score(
        [Caught(attack, mine[attack.name], _missing(attack, alerts)) for attack in truth.attacks],
        [(person, [a for a in alerts if _hits(a, person, truth)]) for person in truth.innocents],
        stray,
        notes,
    )


def accused(alert: Alert) -> frozenset[str]:
    """Whom an alert accuses: those that took part, and accounts believed to be in other hands."""
    if alert.severity == "info" or alert.state == "withdrawn":
        return frozenset()
    subject = {alert.subject.value} if alert.subject.kind in ("client", "network") else set()
    return frozenset(subject.union(alert.clients, alert.accounts))


def _cause(truth: Truth, alert: Alert) -> Attack | None:
    """The attack that an alert tells of: the one that expects it, else one that it touches."""
    for attack in truth.attacks:
        if Expected(alert.detector, alert.subject.value) in attack.expects and _near(attack, alert):
            return attack
    touched = accused(alert) | {alert.subject.value}
    for attack in truth.attacks:
        if touched & _guilty(attack) and _near(attack, alert):
            return attack
    return None


def _near(attack: Attack, alert: Alert) -> bool:
    """Whether the times agree: one who was attacked on one day may be on another."""
    return abs(alert.first - attack.first) < 86400


def _guilty(attack: Attack) -> frozenset[str]:
    expected = (wanted.subject for wanted in attack.expects)
    return frozenset((*attack.clients, *attack.accounts, *expected))


def _hits(alert: Alert, person: Innocent, truth: Truth) -> bool:
    attack = _cause(truth, alert)
    wronged = accused(alert) - (_guilty(attack) if attack else frozenset())
    return bool(wronged.intersection((*person.clients, *person.accounts)))


def _missing(attack: Attack, alerts: list[Alert]) -> list[Expected]:
    said = {
        Expected(alert.detector, alert.subject.value)
        for alert in alerts
        if alert.severity != "info" and alert.state == "open" and _near(attack, alert)
    }
    return [expected for expected in attack.expects if expected not in said]
