"""What the one process says of its own gateways: kept in the store for `mailwarden gateways`, and
told as an alert where they fail for too long."""

from collections.abc import Sequence

import msgspec

from agents.configuration import Config
from agents.enforcing import Enforcing
from agents.running.enforcement import Enforcement
from schemas import wire
from schemas.findings import Alert, Decision
from schemas.gateways import GatewayState, reported

AGAIN = 10.0  # seconds after which it is said again although nothing has changed


class Standing:
    """`memory` is what `pack` gave in an earlier process."""

    def __init__(self, config: Config, name: str, memory: bytes) -> None:
        self.fresh = False  # there is something to make safe
        self._said = 0.0
        self._programs = [gateway.name for gateway in config.gateways]
        self._enforcing = Enforcing(config.settings.response.overdue, memory)
        self._state = GatewayState(
            gateway=name, at=0.0, complete=True, decisions=0, enforced=0, programs=self._programs
        )

    def pack(self) -> bytes:
        return self._enforcing.pack()

    def said(self) -> bytes:
        """As it is kept; it is safe with the next commit."""
        self.fresh = False
        self._said = self._state.at
        return wire.encode(reported(self._state))

    def count(self, decisions: Sequence[Decision]) -> None:
        """These were given to the gateways."""
        self._state = msgspec.structs.replace(
            self._state,
            decisions=len(decisions),
            enforced=sum(decision.enforced for decision in decisions),
        )
        self.fresh = True

    def look(self, enforcement: Enforcement, now: float) -> list[Alert]:
        """Once a second: how the gateways do."""
        before = self._state
        self._state = state = msgspec.structs.replace(
            before,
            at=now,
            lifted=enforcement.lifted(),
            troubles=enforcement.troubles(),
            applied_at=now if enforcement.done() else before.applied_at,
        )
        if (state.lifted, state.troubles) != (before.lifted, before.troubles):
            self.fresh = True
        if now - self._said >= AGAIN:
            self.fresh = True
        if not self._programs:
            return []
        self._enforcing.hear(state, now)
        return self._enforcing.check(now)
