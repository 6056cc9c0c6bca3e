"""The alerts and decisions that people ask for and change, wherever they are kept. Whoever changes
one says who it is and why: the trail of changes is kept with them.

On one server that is `agents.single.store.Store`; on Kafka the compacted topics, which are read
from their beginning for each question.
"""

import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from agents.incidents.revisions import Turn, turn_of
from agents.operator.orders import release
from schemas import keys, wire
from schemas.audit import Audit
from schemas.events import Signal
from schemas.findings import Alert, Decision
from schemas.gateways import SWITCH, GatewayState, Switch
from schemas.incidents import Case
from streams.bus import Bus, BusError
from streams.signing import Keys

T = TypeVar("T")

ALERTS = "mail.alerts"
DECISIONS = "mail.decisions"
AUDIT = "mail.audit"
INCIDENTS = "mail.incidents"
GATEWAYS = "mail.gateways"
SWITCHES = "mail.switch"
FACTS = "mail.facts"
LONGEST = 7 * 86400.0  # seconds: the topic forgets a lease after eight days
PATIENCE = 60.0  # seconds for reading a whole topic


class Ledger(Protocol):
    """What `mailwarden alerts`, `decisions` and `incidents` need. Errors: StoreError, BusError."""

    def alerts(self, limit: int = 100, since: float = 0.0) -> list[Alert]:
        """Alerts with their last event at `since` or later, the newest first."""

    def alert(self, id: str) -> Alert | None: ...  # noqa: A002

    def decisions(self, now: float) -> list[Decision]:
        """The decisions that have not ended at `now`, by id; observed ones included."""

    def put_decision(self, decision: Decision, entry: Audit) -> None:
        """A person's decision: it takes the place of whatever has its id."""

    def remove_decision(self, id: str, entry: Audit) -> bool:  # noqa: A002
        """Whether there was one."""

    def audit(self, limit: int = 100, since: float = 0.0) -> list[Audit]:
        """The trail of changes from `since` on, the newest first."""

    def note(self, entry: Audit) -> None:
        """Add to the trail."""

    def gateways(self) -> list[GatewayState]:
        """The newest word of each gateway, by name."""

    def tell(self, signal: Signal, entry: Audit) -> None:
        """A person's word to the watcher of a subject."""

    def turns(self) -> list[Turn]:
        """Earlier revisions of alerts, as far as their severity and state go."""

    def cases(self) -> list[Case]:
        """What people made of incidents."""

    def change_case(self, id: str, change: Callable[[Case], Case], entry: Audit) -> Case:  # noqa: A002
        """Change what people made of an incident; where nobody has yet, what a new case becomes."""


class BusLedger:
    """The ledger of many servers. `keys` sign what is decided, if there are any."""

    def __init__(
        self,
        bus: Bus,
        patience: float = PATIENCE,
        *,
        keys: Keys | None = None,
    ) -> None:
        self._bus = bus
        self._patience = patience
        self._keys = keys

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

    def put_decision(self, decision: Decision, entry: Audit) -> None:
        self._say(DECISIONS, decision.id.encode(), wire.encode(decision), entry.at)
        self._release(decision)
        self.note(entry)

    def remove_decision(self, id: str, entry: Audit) -> bool:  # noqa: A002
        known = any(decision.id == id for decision in self.decisions(now=0.0))
        # Whatever the clocks say, it comes after what it deletes (agents/edge/admission.py).
        self._say(DECISIONS, id.encode(), None, max(entry.at, entry.since))
        self.note(entry)
        return known

    def audit(self, limit: int = 100, since: float = 0.0) -> list[Audit]:
        entries = (_decoded(wire.decode_audit, value) for _, value in self._read(AUDIT))
        found = [entry for entry in entries if entry is not None and entry.at >= since]
        return sorted(found, key=lambda entry: -entry.at)[:limit]

    def note(self, entry: Audit) -> None:
        self._bus.publish(AUDIT, entry.decision.encode(), wire.encode(entry))
        self._bus.flush(self._patience)

    def turns(self) -> list[Turn]:
        found = (_decoded(wire.decode_alert, value) for _, value in self._read(ALERTS))
        return [turn_of(alert) for alert in found if alert is not None]

    def cases(self) -> list[Case]:
        found: dict[str, Case] = {}
        for _, value in self._read(INCIDENTS):
            case = _decoded(wire.decode_case, value)
            if case is not None:
                found[case.id] = case
        return sorted(found.values(), key=lambda case: case.id)

    def change_case(self, id: str, change: Callable[[Case], Case], entry: Audit) -> Case:  # noqa: A002
        """Where two persons change one at the same moment, the later one's word stands, and the
        trail has both."""
        known = (case for case in self.cases() if case.id == id)
        case = change(next(known, Case(id=id)))
        self._bus.publish(INCIDENTS, case.id.encode(), wire.encode(case))
        self._bus.flush(self._patience)
        self.note(entry)
        return case

    def gateways(self) -> list[GatewayState]:
        return self.listen().states()

    def listen(self) -> "Listener":
        """What the gateways have said and go on to say, and the kill switch."""
        return Listener(self._bus, self._patience)

    def forget_gateway(self, name: str) -> None:
        """Expect no further word of a gateway that is no more."""
        self._bus.publish(GATEWAYS, name.encode(), None)
        self._bus.flush(self._patience)

    def set_switch(self, switch: Switch, entry: Audit) -> None:
        """Pull the kill switch of all gateways, or let it go back."""
        self._say(SWITCHES, SWITCH, wire.encode(switch), switch.at)
        self.note(entry)

    def _release(self, decision: Decision) -> None:
        """Tell the watchers of an account that a person let it go."""
        released = release(decision, decision.since)
        if released:
            self._signal(released)

    def tell(self, signal: Signal, entry: Audit) -> None:
        self._signal(signal)
        self.note(entry)

    def _signal(self, signal: Signal) -> None:
        partitions = self._bus.topics().get(FACTS)
        if partitions:
            self._bus.publish(
                FACTS,
                signal.about.encode(),
                wire.encode_events([signal]),
                partition=keys.partition(signal.about, partitions),
                headers={"origin": b"orders"},
            )

    def _say(self, topic: str, key: bytes, value: bytes | None, at: float) -> None:
        """Publish, signed where there are keys, and wait until it is safe."""
        signature = self._keys.sign(topic, key, value, at) if self._keys else None
        self._bus.publish(topic, key, value, headers=signature)
        self._bus.flush(self._patience)

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


class Listener:
    """Has read all there is of mail.gateways and mail.switch, and reads on when it is asked. It
    lives as long as its bus."""

    def __init__(self, bus: Bus, patience: float) -> None:
        self.switch: Switch | None = None  # the newest word about the kill switch
        self._states: dict[bytes, GatewayState] = {}
        self._subscription = bus.subscribe([GATEWAYS, SWITCHES], None)
        deadline = time.monotonic() + patience
        while self._read(0.2) or not self._subscription.caught_up():
            if time.monotonic() > deadline:
                raise BusError(f"{GATEWAYS} was not read within {patience:g} s")

    def states(self) -> list[GatewayState]:
        """The newest word of each gateway, by name."""
        self._read(0.05)
        return sorted(self._states.values(), key=lambda state: state.gateway)

    def _read(self, seconds: float) -> bool:
        """Whether something came."""
        messages = self._subscription.poll(seconds)
        for message in messages:
            if message.topic == SWITCHES:
                self.switch = _decoded(wire.decode_switch, message.value) or self.switch
                continue
            state = _decoded(wire.decode_state, message.value)
            if state is not None:
                self._states[message.key] = state
            elif message.value is None:
                self._states.pop(message.key, None)
        return bool(messages)


def _decoded(decode: Callable[[bytes], T], value: bytes | None) -> T | None:
    """What a message says; None where it says nothing that we understand."""
    try:
        return None if value is None else decode(value)
    except ValueError:
        return None
