"""News from Kafka: alerts, decisions, cases, the trail, and what the gateways say.

The read model has a consumer group of its own, whose offsets are committed after what was read is
written. A read model that was made anew has another group, and reads everything again.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable

from agents.console.shelf import Batch, Shelf
from agents.console.source import DeadLetter, letter
from agents.incidents.revisions import Turn, turn_of
from agents.operator.ledger import ALERTS, AUDIT, DECISIONS, INCIDENTS, BusLedger, Listener
from schemas import wire
from schemas.findings import DAY, Alert
from schemas.gateways import GatewayState
from schemas.settings import KafkaSettings
from streams.bus import Bus, Message
from streams.metrics import DEAD
from streams.said import said
from streams.signing import Keys, SigningError

log = logging.getLogger(__name__)

TOPICS = (ALERTS, DECISIONS, INCIDENTS, AUDIT)
DEAD_TOPIC = "mail.dead"
POLL = 0.25  # seconds
LETTERS = 100
KNOWN = 50_000  # alerts of which it is remembered how severe they were
STATES = 1.0  # seconds between two looks at the gateways


class FromBus:
    """Follows the topics of a site. `keys` verify decisions, if there are any."""

    def __init__(self, bus: Bus, shelf: Shelf, kafka: KafkaSettings, keys: Keys | None) -> None:
        self.name = f"kafka {','.join(sorted(kafka.bootstrap))} {kafka.prefix}"
        shelf.belong(self.name)
        shelf.last()  # offsets are committed after that
        group = f"{kafka.group}-console-{shelf.identity}"
        self._bus = bus
        self._keys = keys
        self._said: dict[str, tuple[str, str]] = {}
        self._letters: deque[DeadLetter] = deque(maxlen=LETTERS)
        self._complete = False
        self._next = 0.0
        self._listener: Listener = BusLedger(bus).listen()
        self._states: list[GatewayState] = self._listener.states()
        self._news = bus.subscribe(TOPICS, group)
        self._dead = bus.subscribe([DEAD_TOPIC], f"{group}-dead", _yesterday())

    def take(self) -> Batch:
        batch = Batch()
        readers: dict[str, Callable[[Message], None]] = {
            ALERTS: lambda one: self._alert(one, batch),
            DECISIONS: lambda one: self._decision(one, batch),
            INCIDENTS: lambda one: _case(one, batch),
            AUDIT: lambda one: _entry(one, batch),
        }
        messages = self._news.poll(POLL)
        for message in messages:
            try:
                readers[message.topic](message)
            except ValueError as error:
                DEAD.inc()
                place = f"{message.topic}/{message.partition}:{message.offset}"
                log.error(said("message unreadable", place=place, reason=error))
        if not messages:
            self._complete = self._complete or self._news.caught_up()
            self._take_letters(self._dead.poll(0.0))
            self._dead.commit()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + STATES
            self._states = self._listener.states()
        return batch

    def safe(self) -> None:
        self._news.commit()

    def complete(self) -> bool:
        return self._complete

    def gateways(self) -> list[GatewayState]:
        return self._states

    def lifted(self) -> bool:
        return self._listener.switch is not None and self._listener.switch.pulled

    def dead(self) -> list[DeadLetter]:
        return list(self._letters)

    def close(self) -> None:
        self._bus.close()

    def _alert(self, message: Message, batch: Batch) -> None:
        if message.value is not None:
            alert = wire.decode_alert(message.value)
            batch.alerts.append(alert)
            batch.turns += self._turned(alert)

    def _turned(self, alert: Alert) -> Iterable[Turn]:
        """The revision, where it says something else than the one before it."""
        now = alert.severity, alert.state
        before = self._said.pop(alert.id, None)
        self._said[alert.id] = now
        if len(self._said) > KNOWN:
            del self._said[next(iter(self._said))]
        return [turn_of(alert)] if now != before else []

    def _decision(self, message: Message, batch: Batch) -> None:
        """What no gateway would take is not shown as if one did."""
        if self._keys is not None:
            try:
                self._keys.verify(message.topic, message.key, message.value, message.headers)
            except SigningError:
                return
        if message.value is None:
            name = message.key.decode(errors="replace")
            batch.decisions = [one for one in batch.decisions if one.id != name]
            batch.gone.append(name)
            return
        decision = wire.decode_decision(message.value)
        if decision.id.encode() == message.key:
            batch.decisions.append(decision)

    def _take_letters(self, messages: Iterable[Message]) -> None:
        for message in messages:
            found = letter(message.value or b"", message.published)
            if found is not None:
                self._letters.appendleft(found)


def _case(message: Message, batch: Batch) -> None:
    if message.value is not None:
        batch.cases.append(wire.decode_case(message.value))


def _entry(message: Message, batch: Batch) -> None:
    if message.value is not None:
        entry = wire.decode_audit(message.value)
        batch.audit.append((f"{message.partition}:{message.offset} {entry.at!r}", entry))


def _yesterday() -> float:
    return time.time() - DAY
