"""Expected gateways that fall silent: silence is not peace. No IO, no clock.

Time here is the time at which lines came in, for a silent gateway stamps nothing.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from schemas.findings import Alert, Evidence, Severity, Subject, finding_id

NAME = "gateway_silent"
SEVERITY: Severity = "medium"


class Heard(Struct, array_like=True):
    """What is known of one gateway."""

    last: float  # when a line of it came in
    silent: bool = False  # and the SOC was told
    alert: str = ""  # id of the newest alert
    revision: int = 0  # of it
    since: float = 0.0  # when the silence began
    alive: float = 0.0  # when its shipper last said that it lives, with lines or without


_state = msgspec.msgpack.Decoder(dict[str, Heard])


def nobody(state: bytes = b"") -> "Presence":
    """No gateway is expected, whatever an earlier process knew."""
    return Presence((), 0.0, 0.0, state)


class Presence:
    """`started` is when listening began: silence before that is ours. `state` is what `pack`
    gave in an earlier process, so that nothing is said twice."""

    def __init__(
        self, expected: Iterable[str], after: float, started: float, state: bytes = b""
    ) -> None:
        self._after = after
        before = _state.decode(state) if state else {}
        self._gateways = {name: before.get(name) or Heard(started) for name in expected}
        for heard in self._gateways.values():
            heard.last = max(heard.last, started) if not heard.silent else heard.last

    def __bool__(self) -> bool:
        return bool(self._gateways)

    def pack(self) -> bytes:
        return msgspec.msgpack.encode(self._gateways)

    def silent(self) -> list[str]:
        """Names of those that are silent now."""
        return [name for name, heard in self._gateways.items() if heard.silent]

    def hear(self, gateways: Iterable[str], now: float) -> list[Alert]:
        """Lines of these gateways came in: what was said of their silence is withdrawn."""
        withdrawn = []
        for name in gateways:
            heard = self._gateways.get(name)
            if heard is None:
                continue
            heard.last = now
            if heard.silent:
                heard.silent = False
                heard.revision += 1
                withdrawn.append(self._alert(name, heard, now))
        return withdrawn

    def alive(self, gateway: str, at: float) -> None:
        """The shipper of the gateway said at `at` that it lives, and that no lines come."""
        heard = self._gateways.get(gateway)
        if heard is not None:
            heard.alive = max(heard.alive, at)

    def deaf(self, now: float) -> None:
        """Nothing could be heard until now: silence before that is ours."""
        for heard in self._gateways.values():
            if not heard.silent:
                heard.last = now

    def check(self, now: float) -> list[Alert]:
        """Alerts about those that have just been silent for too long."""
        found = []
        for name, heard in self._gateways.items():
            if not heard.silent and now - heard.last >= self._after:
                id = finding_id(NAME, Subject("gateway", name), heard.last)  # noqa: A001
                heard.revision = heard.revision + 1 if id == heard.alert else 1
                heard.silent, heard.alert, heard.since = True, id, heard.last
                found.append(self._alert(name, heard, now))
        return found

    def _alert(self, name: str, heard: Heard, now: float) -> Alert:
        silence = now - heard.since
        shipper = "; its shipper lives" if now - heard.alive < self._after else ""
        return Alert(
            id=heard.alert,
            detector=NAME,
            shape="silent" if heard.silent else "speaks again",
            severity=SEVERITY,
            subject=Subject("gateway", name),
            first=heard.since,
            last=now,
            at=now,
            summary=f"{name} has sent no line for {silence / 60:.0f} min{shipper}"
            if heard.silent
            else f"{name} speaks again after {silence / 60:.0f} min",
            evidence=[Evidence("silence", round(silence), self._after, "s")],
            rule=NAME,
            window=self._after,
            decision="nothing: it accuses nobody",
            revision=heard.revision,
            state="open" if heard.silent else "withdrawn",
            blind_to="a gateway whose lines come in and say nothing of mail",
        )
