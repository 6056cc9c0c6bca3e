"""What a publisher of events says about the gateways that they are from: this one lives.

An event goes to the partitions of its subjects, and most concern no gateway. So whoever
publishes events also tells the partition that watches a gateway, ``g:HOST``, now and then
whether something came from it. No IO, no clock.
"""

from collections.abc import Iterable

from schemas import keys, wire
from schemas.events import Fact, Signal

KIND = "heartbeat"
QUIET = "alive, no lines"  # the detail where nothing came
EVERY = 60.0  # seconds between two heartbeats of a gateway, at most
OFTEN = 4  # heartbeats in the span after which silence is an alert, at least
KEPT = 1024  # gateways; beyond them the one longest silent is forgotten
LONGEST = 255  # characters of a host's name (RFC 1123, section 2.1): others are none

Beat = tuple[int, bytes]
"""A partition of mail.facts, and a message for it: a JSON array of signals."""


class Heartbeats:
    """Heartbeats of the gateways that were heard. `host` is whose lines are followed here from
    the start: it and all that were heard once have a heartbeat although nothing came. Where it
    is "", nobody's are. `silent_after`: seconds until a gateway's silence is an alert."""

    def __init__(self, partitions: int, silent_after: float, host: str = "") -> None:
        self.silent_after = silent_after
        self._partitions = partitions
        self._follows = bool(host)
        self._spoke = {host: False} if host else {}  # since the last heartbeat, by gateway
        self._last = 0.0

    def hear(self, gateways: Iterable[str]) -> None:
        """Something came from these."""
        for name in gateways:
            if 0 < len(name) <= LONGEST:
                self._spoke.pop(name, None)
                self._spoke[name] = True
        while len(self._spoke) > KEPT:
            del self._spoke[next(iter(self._spoke))]

    def due(self, now: float) -> list[Beat]:
        """What is to be sent at `now` (Unix seconds)."""
        every = min(EVERY, self.silent_after / OFTEN)
        if not self._spoke or 0 <= now - self._last < every:
            return []
        self._last = now
        told: dict[int, list[Fact]] = {}
        for name, spoke in self._spoke.items():
            about = f"g:{name}"
            detail = "" if spoke else QUIET
            told.setdefault(keys.partition(about, self._partitions), []).append(
                Signal(at=now, gateway=name, about=about, kind=KIND, detail=detail)
            )
        self._spoke = dict.fromkeys(self._spoke, False) if self._follows else {}
        return [(partition, wire.encode_events(signals)) for partition, signals in told.items()]
