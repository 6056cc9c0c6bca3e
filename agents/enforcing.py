"""Gateways that are gone, behind or failing: what is decided is not enforced there. No IO, no
clock.

A gateway process tells of itself every few seconds (schemas/gateways.py). It is *gone* when it
has not for too long; *behind* when it has not applied what others had applied so long ago;
*failing* when it says so itself for so long.
"""

from collections import deque
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from schemas.findings import Alert, Evidence, Severity, Subject, finding_id
from schemas.gateways import GatewayState

NAME = "gateway_behind"
SEVERITY: Severity = "high"
STEP = 5.0  # seconds between two points of the past progress
SHOWN = 200  # characters of a trouble


class Known(Struct, array_like=True):
    """What is known of one gateway. Times are ours."""

    heard: float  # when its newest word came in
    at: float = 0.0  # that word's own time, by the gateway's clock
    generation: int = 0
    trouble: str = ""  # why it is not well, in its own words
    unwell: float = 0.0  # since when
    shape: str = ""  # what the SOC was told: gone, behind, failing
    alert: str = ""  # id of that
    revision: int = 0
    since: float = 0.0


_state = msgspec.msgpack.Decoder(dict[str, Known])


class Progress:
    """How far the best of all gateways was, `ago` seconds ago."""

    def __init__(self, ago: float) -> None:
        self._ago = ago
        self._past: deque[tuple[float, int]] = deque()
        self._best = 0

    def note(self, generation: int, now: float) -> None:
        self._best = max(self._best, generation)
        if not self._past or now - self._past[-1][0] >= STEP:
            self._past.append((now, self._best))
        while len(self._past) > 1 and self._past[1][0] <= now - self._ago:
            self._past.popleft()

    def expected(self, now: float) -> int:
        """What every gateway has applied by now, if it is not behind."""
        if self._past and self._past[0][0] <= now - self._ago:
            return self._past[0][1]
        return 0


class Enforcing:
    """`state` is what `pack` gave in an earlier process, so that nothing is said twice."""

    def __init__(self, overdue: float, state: bytes = b"") -> None:
        self._overdue = overdue
        self._gateways = _state.decode(state) if state else {}

    def __bool__(self) -> bool:
        return bool(self._gateways)

    def pack(self) -> bytes:
        return msgspec.msgpack.encode(self._gateways)

    def names(self) -> list[str]:
        return list(self._gateways)

    def ailing(self) -> list[str]:
        """Names of those that the SOC was told of, and why."""
        return [f"{name}: {one.shape}" for name, one in self._gateways.items() if one.shape]

    def hear(self, state: GatewayState, now: float) -> None:
        """What a gateway told of itself is known at `now`, which is our time."""
        one = self._gateways.setdefault(state.gateway, Known(now))
        if state.at <= one.at:  # it has not spoken since
            return
        one.heard, one.at = now, state.at
        one.generation = state.generation
        said = [f"{program}: {why}" for program, why in sorted(state.troubles.items())]
        if not state.complete:
            said.append("it has not read all decisions yet")
        one.trouble = "; ".join(said)[:SHOWN]
        if not said:
            one.unwell = 0.0
        elif not one.unwell:
            one.unwell = now

    def forget(self, name: str, now: float) -> list[Alert]:
        """A gateway is no more, and that is known: what was said of it is withdrawn."""
        one = self._gateways.pop(name, None)
        return [self._alert(name, one, "", "", now)] if one is not None and one.shape else []

    def deaf(self, now: float) -> None:
        """Nothing could be heard until now: silence before that is ours."""
        for one in self._gateways.values():
            if one.shape != "gone":
                one.heard = now

    def check(self, now: float, expected: int = 0) -> list[Alert]:
        """Alerts about those that are no longer as the SOC was told. `expected` is the
        generation that nobody must be below."""
        found = []
        for name, one in self._gateways.items():
            shape, summary = self._shape(one, now, expected)
            if shape != one.shape:
                found.append(self._alert(name, one, shape, summary, now))
        return found

    def _shape(self, one: Known, now: float, expected: int) -> tuple[str, str]:
        silence = now - one.heard
        if silence > self._overdue:
            return "gone", f"has said nothing for {silence:.0f} s: what is decided now may not be"
        if one.generation < expected:
            missing = expected - one.generation
            return "behind", f"has not applied {missing} messages that others had applied: they are"
        if one.unwell and now - one.unwell > self._overdue:
            return "failing", f"cannot apply what is decided ({one.trouble}): it may not be"
        return "", ""

    def _alert(self, name: str, one: Known, shape: str, summary: str, now: float) -> Alert:
        if not one.shape:  # it was well until now
            since = one.heard if shape == "gone" else one.unwell or now
            id = finding_id(NAME, Subject("gateway", name), since)  # noqa: A001
            one.revision = 0 if id != one.alert else one.revision
            one.alert, one.since = id, since
        one.revision += 1
        told, one.shape = shape or one.shape, shape
        after = now - one.since
        return Alert(
            id=one.alert,
            detector=NAME,
            shape=told,
            severity=SEVERITY,
            subject=Subject("gateway", name),
            first=one.since,
            last=now,
            at=now,
            summary=f"{name} {summary} enforced there"
            if shape
            else f"{name} is as it should be again, after {after / 60:.0f} min",
            evidence=[Evidence("overdue", round(after), self._overdue, "s")],
            rule=NAME,
            window=self._overdue,
            decision="nothing: it accuses nobody",
            revision=one.revision,
            state="open" if shape else "withdrawn",
            blind_to="a server that does not ask the gateway, or reads its tables no more",
        )


def nobody(state: bytes = b"") -> Enforcing:
    """No gateway is watched, whatever an earlier process knew."""
    return Enforcing(0.0)


def best(states: Iterable[GatewayState]) -> int:
    """The generation of whoever is farthest."""
    return max((state.generation for state in states), default=0)
