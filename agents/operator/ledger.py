"""The alerts and decisions that people ask for and change, wherever they are kept.

On one server that is `agents.single.store.Store`; on Kafka the compacted topics, which are read
from their beginning for each question.
"""

import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from agents.operator.orders import release
from schemas import keys, wire
from schemas.findings import Alert, Decision
from streams.bus import Bus, BusError

T = TypeVar("T")

ALERTS = "mail.alerts"
DECISIONS = "mail.decisions"
FACTS = "mail.facts"
LONGEST = 7 * 86400.0  # seconds: the topic forgets a lease after eight days
PATIENCE = 60.0  # seconds for reading a whole topic


class Ledger(Protocol):
    """What `mailwarden alerts` and `mailwarden decisions` need. Errors: StoreError, BusError."""

    def alerts(self, limit: int = 100, since: float = 0.0) -> list[Alert]:
        """Alerts with their last event at `since` or later, the newest first."""

    def alert(self, id: str) -> Alert | None: ...  # noqa: A002

    def decisions(self, now: float) -> list[Decision]:
        """The decisions that have not ended at `now`, by id; observed ones included."""

    def put_decision(self, decision: Decision) -> None:
        """A person's decision: it takes the place of whatever has its id."""

    def remove_decision(self, id: str) -> bool:  # noqa: A002
        """Whether there was one."""


class BusLedger:
    """The ledger of many servers."""

    def __init__(self, bus: Bus, patience: float = PATIENCE) -> None:
        self._bus = bus
        self._patience = patience

    def alerts(self, limit: int = 100, since: float = 0.0) -> list[Alert]:
        found: dict[str, Alert] = {}
        for _, value in self._read(ALERTS):
            alert = _decoded(wire.decode_alert, value)
            if alert is None or alert.last < since:
                continue
            before = found.get(alert.id)
            if before is None or before.revision <= alert.revision:
                found[alert.id] = alert
        newest = sorted(found.values(), key=lambda alert: (-alert.last, alert.id))
        return newest[:limit]

    def alert(self, id: str) -> Alert | None:  # noqa: A002
        return next((alert for alert in self.alerts(limit=2**31) if alert.id == id), None)

    def decisions(self, now: float) -> list[Decision]:
        found: dict[str, Decision] = {}
        for key, value in self._read(DECISIONS):
            decision = _decoded(wire.decode_decision, value)
            if decision is not None:
                found[decision.id] = decision
            elif value is None:
                found.pop(key.decode(errors="replace"), None)
        return sorted((d for d in found.values() if d.until > now), key=lambda d: d.id)

    def put_decision(self, decision: Decision) -> None:
        self._bus.publish(DECISIONS, decision.id.encode(), wire.encode(decision))
        released = release(decision, decision.since)
        partitions = self._bus.topics().get(FACTS) if released else None
        if released and partitions:
            self._bus.publish(
                FACTS,
                released.about.encode(),
                wire.encode_events([released]),
                partition=keys.partition(released.about, partitions),
                headers={"origin": b"orders"},
            )
        self._bus.flush(self._patience)

    def remove_decision(self, id: str) -> bool:  # noqa: A002
        known = any(decision.id == id for decision in self.decisions(now=0.0))
        self._bus.publish(DECISIONS, id.encode(), None)
        self._bus.flush(self._patience)
        return known

    def _read(self, topic: str) -> Iterator[tuple[bytes, bytes | None]]:
        """Key and value of each message there is. Raises BusError where that takes too long."""
        subscription = self._bus.subscribe([topic], None)
        deadline = time.monotonic() + self._patience
        try:
            while True:
                messages = subscription.poll(0.2)
                for message in messages:
                    yield message.key, message.value
                if not messages and subscription.caught_up():
                    return
                if time.monotonic() > deadline:
                    raise BusError(f"{topic} was not read within {self._patience:g} s")
        finally:
            subscription.close()


def _decoded(decode: Callable[[bytes], T], value: bytes | None) -> T | None:
    """What a message says; None where it says nothing that we understand."""
    try:
        return None if value is None else decode(value)
    except ValueError:
        return None
