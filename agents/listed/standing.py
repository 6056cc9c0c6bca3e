"""Which of our gateways are listed where, and what is told of it. No IO, no clock.

Only a change is told: listed, its delisting asked for by a person, gone, listed again. That a list
cannot be asked changes nothing: who was listed is still.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from agents.listed.zone import Answer
from agents.words import span
from schemas import net
from schemas.findings import Alert, Evidence, Sample, Severity, Subject, finding_id

NAME = "listed"
SEVERITY: Severity = "high"
BLIND_TO = "lists that are not asked, and what receivers keep to themselves"


class Known(Struct, array_like=True):
    """What a list says of one address of ours."""

    gateway: str
    address: str
    zone: str
    listed: bool = False
    since: float = 0.0  # when it was found listed
    alert: str = ""  # id of the newest alert
    revision: int = 0  # of it
    times: int = 0  # that it came onto the list
    codes: tuple[str, ...] = ()
    text: str = ""
    asked: float = 0.0  # when a person asked the list to take it off; 0: nobody has since
    by: str = ""  # who


_state = msgspec.msgpack.Decoder(list[Known])


class Standing:
    """`state` is what `pack` gave in an earlier process, so that nothing is said twice."""

    def __init__(self, state: bytes = b"") -> None:
        known = _state.decode(state) if state else []
        self._known = {(each.gateway, each.address, each.zone): each for each in known}

    def pack(self) -> bytes:
        return msgspec.msgpack.encode(list(self._known.values()))

    def hear(self, gateway: str, answer: Answer, now: float) -> list[Alert]:
        """Take up an answer; the alert that it makes, or none."""
        if answer.state == "unknown":
            return []
        key = gateway, answer.address, answer.zone
        known = self._known.setdefault(key, Known(*key))
        if answer.state == "not listed":
            return self._gone(known, now, "listed no longer") if known.listed else []
        if known.listed and known.codes == answer.codes:
            return []
        if not known.listed:
            known.listed, known.since = True, now
            known.asked, known.by = 0.0, ""
            known.times += 1
            alert = finding_id(f"{NAME} {known.zone} {known.address}", _subject(known), now)
            known.revision = known.revision if alert == known.alert else 0
            known.alert = alert
        known.revision += 1
        known.codes, known.text = answer.codes, answer.text
        again = " again" if known.times > 1 else ""
        what = f"is listed{again} by {known.zone}, {' and '.join(known.codes)}"
        return [_alert(known, now, f"listed{again}", f"{what}: {known.text or 'it says no more'}")]

    def keep(self, gateways: Iterable[str], zones: Iterable[str], now: float) -> list[Alert]:
        """Forget those that are no longer asked about; what was said of them is withdrawn."""
        gateways, zones = set(gateways), set(zones)
        told = []
        for key, known in list(self._known.items()):
            if known.gateway in gateways and known.zone in zones:
                continue
            if known.listed:
                told += self._gone(known, now, "no longer asked about")
            del self._known[key]
        return told

    def asked(self, alert: str, by: str, at: float) -> list[Alert]:
        """A person has asked a list to take us off, as the alert of that id tells. To hear it
        twice changes nothing, nor does a word from before it was listed again."""
        for known in self._known.values():
            if known.alert == alert and known.listed and at >= known.since and not known.asked:
                known.asked, known.by = at, by
                known.revision += 1
                said = f"is listed by {known.zone}; {by or 'somebody'} has asked to be taken off"
                return [_alert(known, at, "asked", f"{said}, after {span(at - known.since)}")]
        return []

    def _gone(self, known: Known, now: float, what: str) -> list[Alert]:
        known.listed = False
        known.revision += 1
        said = f"is {what}: {known.zone}, after {span(now - known.since)}"
        if known.asked:
            said += f", {span(now - known.asked)} after {known.by or 'somebody'} asked"
        return [_alert(known, now, "gone", said, withdrawn=True)]


def _subject(known: Known) -> Subject:
    return Subject("network" if net.address(known.gateway) else "gateway", known.gateway)


def _alert(known: Known, now: float, shape: str, said: str, *, withdrawn: bool = False) -> Alert:
    who = known.gateway
    if known.address != who:
        who = f"{who} ({known.address})"
    codes = ", ".join(known.codes)
    return Alert(
        id=known.alert,
        detector=NAME,
        shape=shape,
        severity=SEVERITY,
        subject=_subject(known),
        first=known.since,
        last=now,
        at=now,
        summary=f"{who} {said}",
        evidence=[
            Evidence(f"{known.zone} answered {codes}", 1, 1),
            Evidence("times listed there", known.times, 0),
        ],
        rule=NAME,
        samples=[Sample(now, f"{codes} {known.text}".strip(), known.zone)],
        checks=["the list passes its own test: 127.0.0.2 is listed, 127.0.0.1 is not"],
        decision="nothing: it accuses nobody",
        revision=known.revision,
        state="withdrawn" if withdrawn else "open",
        blind_to=BLIND_TO,
    )
