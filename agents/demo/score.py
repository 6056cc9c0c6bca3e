"""What was found, held against what is true."""

from collections.abc import Iterable

from msgspec import Struct

from agents.demo.truth import Attack, Expected, Innocent, Truth
from schemas.findings import DAY, Alert


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
        wronged = _wronged(truth, alert)
        if attack is not None:
            mine[attack.name].append(alert)
        elif not wronged:
            notes.append(alert)
        if wronged and not wronged & innocent:
            stray.append(alert)
    return Score(
        [Caught(attack, mine[attack.name], _missing(attack, alerts)) for attack in truth.attacks],
        [(person, _against(person, truth, alerts)) for person in truth.innocents],
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
    """The attack that an alert tells of: the one that expects it, else one by somebody whom it
    accuses, else one at its subject."""
    said = Expected(alert.detector, alert.subject.value)
    touched = accused(alert) | {alert.subject.value}
    near = [attack for attack in truth.attacks if _near(attack, alert)]
    return next(
        (
            attack
            for touches in (
                lambda attack: said in attack.expects,
                lambda attack: touched & _guilty(attack),
                lambda attack: alert.subject.value in attack.targets,
            )
            for attack in near
            if touches(attack)
        ),
        None,
    )


def _near(attack: Attack, alert: Alert) -> bool:
    """Whether the times agree: who was attacked on one day may be on another."""
    return alert.first - DAY < attack.first < alert.last + DAY


def _guilty(attack: Attack) -> frozenset[str]:
    expected = (wanted.subject for wanted in attack.expects)
    return frozenset((*attack.clients, *attack.accounts, *expected))


def _wronged(truth: Truth, alert: Alert) -> frozenset[str]:
    """Whom an alert accuses who attacked nobody at that time."""
    wronged = accused(alert)
    for attack in truth.attacks:
        if wronged and _near(attack, alert):
            wronged -= _guilty(attack)
    return wronged


def _against(person: Innocent, truth: Truth, alerts: list[Alert]) -> list[Alert]:
    me = {*person.clients, *person.accounts}
    return [alert for alert in alerts if _wronged(truth, alert) & me]


def _missing(attack: Attack, alerts: list[Alert]) -> list[Expected]:
    said = {
        Expected(alert.detector, alert.subject.value)
        for alert in alerts
        if alert.severity != "info" and alert.state == "open" and _near(attack, alert)
    }
    return [expected for expected in attack.expects if expected not in said]
