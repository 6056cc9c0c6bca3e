"""What was decided about an incident: for one of its alerts, or by a person about one of those who
took part in it."""

from collections.abc import Iterable, Iterator, Mapping

from agents.incidents.joining import Draft
from schemas.audit import Audit
from schemas.findings import Alert, Decision


class Decided:
    """Finds which of `drafts` a decision is about. `of_alert` is the draft that an alert is part
    of."""

    def __init__(
        self, drafts: Iterable[Draft], of_alert: Mapping[str, Draft], window: float
    ) -> None:
        self._of_alert = of_alert
        self._window = window
        self._of_target: dict[str, list[Draft]] = {}
        for draft in drafts:
            for name in {name for one in draft.histories for name in _targets(one.newest)}:
                self._of_target.setdefault(name, []).append(draft)

    def in_force(self, decisions: Iterable[Decision]) -> dict[int, list[Decision]]:
        """By the identity of the draft."""
        found: dict[int, list[Decision]] = {}
        for one in decisions:
            target = f"{one.target.kind}:{one.target.value}"
            for draft in self._drafts(one.alert, target, one.since):
                found.setdefault(id(draft), []).append(one)
        return found

    def trail(self, entries: Iterable[Audit]) -> dict[int, list[Audit]]:
        """By the identity of the draft."""
        found: dict[int, list[Audit]] = {}
        for one in entries:
            for draft in self._drafts(one.alert, one.target, one.at):
                found.setdefault(id(draft), []).append(one)
        return found

    def _drafts(self, alert: str, target: str, at: float) -> Iterator[Draft]:
        """Those that an alert's decision is about; of a person's, those that its target took part
        in, while they went on or not much later."""
        if alert in self._of_alert:
            yield self._of_alert[alert]
            return
        for draft in self._of_target.get(target, []):
            if not alert and draft.first <= at <= draft.last + self._window:
                yield draft


def _targets(alert: Alert) -> Iterator[str]:
    """KIND:VALUE of whom a person would decide about because of it."""
    subject = alert.subject
    kind = "network" if subject.kind == "client" else subject.kind
    yield f"{kind}:{subject.value}"
    for client in alert.clients:
        yield f"network:{client}"
    for account in alert.accounts:
        yield f"account:{account}"
