"""Finding -> alert, and a decision or none: ladder of durations, collateral, budget. No IO."""

from agents.record import Sentence
from schemas.findings import Alert, Decision, Finding
from schemas.net import Networks
from schemas.settings import ResponseSettings


class Response:
    """One writer per decision: `sentences` is kept in the record of the decision's target."""

    def __init__(
        self,
        settings: ResponseSettings,
        allowed: Networks,
        own: Networks,
        *,
        trusted: Networks | None = None,
        shared: Networks | None = None,
        domains: frozenset[str] = frozenset(),
        share: float = 1.0,
    ) -> None:
        self._settings = settings
        self._allowed = allowed
        self._own = own

    def answer(
        self, finding: Finding, sentences: dict[str, Sentence], now: float
    ) -> tuple[Alert, Decision | None]:
        """The alert of a finding, and what is decided about its target, if anything."""
        alert = Alert(
            id=finding.id,
            detector=finding.detector,
            shape=finding.shape,
            severity=finding.severity,
            subject=finding.subject,
            first=finding.first,
            last=finding.last,
            at=finding.at,
            summary=finding.summary,
        )
        return alert, None
