"""What is wrong with each server of ours, and what is told of it. No IO, no clock.

Only a difference is told: a fault that is new, that became worse or better, or that is gone. What
cannot be asked changes nothing: what was wrong is still.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from agents.probing.grades import Grade, Graded
from agents.words import span
from schemas.findings import Alert, Evidence, Severity, Subject, finding_id

NAME = "host"
BLIND_TO = "what a stranger elsewhere is shown"
SEVERITIES: dict[Grade, Severity] = {"warning": "low", "critical": "high"}


class Fault(Struct, array_like=True):
    host: str
    check: str
    grade: Grade
    text: str
    cure: str
    since: float
    alert: str
    revision: int = 1


_state = msgspec.msgpack.Decoder(list[Fault])


class Standing:
    """`state` is what `pack` gave in an earlier process, so that nothing is said twice."""

    def __init__(self, state: bytes = b"") -> None:
        self._faults = {(f.host, f.check): f for f in (_state.decode(state) if state else [])}

    def pack(self) -> bytes:
        return msgspec.msgpack.encode(list(self._faults.values()))

    def hear(self, host: str, found: Iterable[Graded], now: float) -> list[Alert]:
        """Take up all that was found out about a host at once; the alerts of what differs."""
        worst: dict[str, Graded] = {}
        for each in found:
            before = worst.get(each.check)
            if before is None or _rank(each) > _rank(before):
                worst[each.check] = each
        return [alert for each in worst.values() for alert in self._one(host, each, now)]

    def keep(self, hosts: Iterable[str], now: float) -> list[Alert]:
        """Forget hosts that are no longer asked; what was said of them is withdrawn."""
        gone = [key for key in self._faults if key[0] not in set(hosts)]
        return [self._end(self._faults.pop(key), now, "no longer asked") for key in gone]

    def _one(self, host: str, each: Graded, now: float) -> list[Alert]:
        key = host, each.check
        fault = self._faults.get(key)
        if each.grade == "unknown":
            return []
        if each.grade == "ok":
            return [self._end(self._faults.pop(key), now, "well again")] if fault else []
        if fault is None:
            alert = finding_id(f"{NAME} {each.check}", _subject(host), now)
            fault = Fault(host, each.check, each.grade, each.text, each.cure, now, alert)
            self._faults[key] = fault
        elif fault.grade == each.grade:
            return []
        else:
            fault.grade, fault.text, fault.cure = each.grade, each.text, each.cure
            fault.revision += 1
        cure = f". The cure: {fault.cure}" if fault.cure else ""
        return [_alert(fault, now, f"{host}: {fault.check}: {fault.text}{cure}")]

    def _end(self, fault: Fault, now: float, what: str) -> Alert:
        fault.revision += 1
        said = f"{fault.host}: {fault.check}: {what}, after {span(now - fault.since)}"
        return _alert(fault, now, said, withdrawn=True)


def _rank(each: Graded) -> int:
    return ("unknown", "ok", "warning", "critical").index(each.grade)


def _subject(host: str) -> Subject:
    return Subject("gateway", host)


def _alert(fault: Fault, now: float, summary: str, *, withdrawn: bool = False) -> Alert:
    return Alert(
        id=fault.alert,
        detector=NAME,
        shape=fault.check,
        severity=SEVERITIES[fault.grade],
        subject=_subject(fault.host),
        first=fault.since,
        last=now,
        at=now,
        summary=summary,
        evidence=[Evidence(fault.check, 1, 1)],
        rule=NAME,
        decision="nothing: it accuses nobody",
        revision=fault.revision,
        state="withdrawn" if withdrawn else "open",
        blind_to=BLIND_TO,
    )
