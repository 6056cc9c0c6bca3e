"""What two settings make of the same logs: what only one of them finds and decides."""

from msgspec import Struct

from agents.replay import Verdict
from schemas.findings import Alert, Decision


class Difference(Struct, frozen=True):
    """`ours` are of the settings that are used, `theirs` of those they are compared with."""

    ours: list[Alert]  # found only by them
    theirs: list[Alert]
    changed: list[tuple[Alert, Alert]]  # the same finding, told or answered differently
    decided: list[Decision]  # only by ours
    undecided: list[Decision]  # only by theirs

    @property
    def any(self) -> bool:
        return bool(self.ours or self.theirs or self.changed or self.decided or self.undecided)


def difference(ours: Verdict, theirs: Verdict) -> Difference:
    mine = {alert.id: alert for alert in ours.alerts}
    other = {alert.id: alert for alert in theirs.alerts}
    decided = {decision.id for decision in ours.decisions}
    undecided = {decision.id for decision in theirs.decisions}
    return Difference(
        ours=[alert for alert in ours.alerts if alert.id not in other],
        theirs=[alert for alert in theirs.alerts if alert.id not in mine],
        changed=[
            (alert, other[alert.id])
            for alert in ours.alerts
            if alert.id in other and _essence(alert) != _essence(other[alert.id])
        ],
        decided=[each for each in ours.decisions if each.id not in undecided],
        undecided=[each for each in theirs.decisions if each.id not in decided],
    )


def _essence(alert: Alert) -> tuple[str, str, str]:
    return alert.shape, alert.severity, alert.state
