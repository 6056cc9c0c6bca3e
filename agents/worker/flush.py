"""The flush: what the partitions concluded and what they know, made safe in the one safe order.

1. alerts and decisions (signed, where keys are given) to their topics, the latter to the trail of
   changes as well, signals to the partitions of their subjects,
2. the records, as slots of the changelog,
3. the slots that are superseded now are deleted,
4. the messages are acked, so that their offsets can be committed.

Each step is awaited before the next begins. A crash between two of them says an alert again
(under the same id) and folds nothing twice; it never loses an alert whose record says "told". A
send that fails raises, and the worker crashes.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from agents.detector import Question
from agents.shard import Outcome
from agents.worker.app import App
from agents.worker.partition import Partition
from agents.worker.slots import Write
from agents.worker.table import Slots, name
from schemas import audit, keys, wire
from schemas.events import Signal
from schemas.findings import Decision
from streams import metrics, tracing
from streams.signing import Keys

DECISIONS = "mail.decisions"
SIGNALS = 500  # in one message


class Send(Struct):
    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: dict[str, bytes] | None = None


class Flusher:
    def __init__(
        self, app: App, slots: Slots, prefix: str, partitions: int, keys: Keys | None = None
    ) -> None:
        self._app = app
        self._keys = keys
        self._slots = slots
        self._prefix = prefix
        self._partitions = partitions

    async def say(self, outcomes: Iterable[tuple[int, Outcome]]) -> None:
        """Step 1. Of several revisions of one alert, the newest."""
        alerts: dict[bytes, bytes] = {}
        decisions: dict[bytes, Decision] = {}
        signals: dict[tuple[int, int], list[Signal]] = {}
        changes: list[Send] = []
        for partition, outcome in outcomes:
            changes += [
                Send("mail.audit", b"", wire.encode(audit.changed(change)))
                for change in outcome.changes
            ]
            tracing.made(outcome.alerts, time.time())
            for alert in outcome.alerts:
                alerts[alert.id.encode()] = wire.encode(alert)
                metrics.FINDINGS.labels(alert.detector, alert.severity).inc()
            for decision in outcome.decisions:
                decisions[decision.id.encode()] = decision
                metrics.DECISIONS.labels(decision.action, str(decision.enforced).lower()).inc()
            for signal in outcome.signals:
                target = keys.partition(signal.about, self._partitions)
                signals.setdefault((partition, target), []).append(signal)
        await self.send(
            [Send("mail.alerts", key, value) for key, value in alerts.items()]
            + changes
            + [
                message
                for key, decision in decisions.items()
                for message in self._decided(key, decision)
            ]
            + [
                message
                for (source, target), some in signals.items()
                for message in told(some, target, f"signal/{source}")
            ]
        )

    async def answer(self, answers: Iterable[Signal]) -> None:
        """Tell the watchers of clients what they asked, wherever they live by now."""
        by_partition: dict[int, list[Signal]] = {}
        for signal in answers:
            target = keys.partition(signal.about, self._partitions)
            by_partition.setdefault(target, []).append(signal)
        await self.send(
            message
            for target, some in by_partition.items()
            for message in told(some, target, "questions")
        )

    def _decided(self, key: bytes, decision: Decision) -> tuple[Send, Send]:
        value = wire.encode(decision)
        signature = self._keys.sign(DECISIONS, key, value, time.time()) if self._keys else None
        return (
            Send(DECISIONS, key, value, headers=signature),
            Send("mail.audit", key, wire.encode(audit.decided(decision))),
        )

    async def keep(self, writes: Iterable[tuple[int, Write]]) -> None:
        """Step 2."""
        await self._delete((partition, write.spoilt) for partition, write in writes)
        sends = []
        for partition, write in writes:
            for number, slot in write.put:
                self._slots.keep(partition, number, slot)
                sends.append(Send(self._slots.topic, name(partition, number), slot, partition))
        await self.send(sends, prefixed=True)

    async def free(self, writes: Iterable[tuple[int, Write]]) -> None:
        """Step 3."""
        await self._delete((partition, write.free) for partition, write in writes)

    async def ack(self, events: Iterable[Any]) -> None:
        """Step 4."""
        for event in events:
            event.ack()

    async def send(self, messages: Iterable[Send], *, prefixed: bool = False) -> None:
        """Hand over messages and wait until all are safe. Raises where one is not."""
        waiting = [
            await self._app.producer.send(
                message.topic if prefixed else self._prefix + message.topic,
                message.key,
                message.value,
                message.partition,
                None,
                message.headers,
            )
            for message in messages
        ]
        await asyncio.gather(*waiting)

    async def _delete(self, slots: Iterable[tuple[int, list[int]]]) -> None:
        sends = []
        for partition, numbers in slots:
            for number in numbers:
                self._slots.drop(partition, number)
                sends.append(Send(self._slots.topic, name(partition, number), None, partition))
        await self.send(sends, prefixed=True)


def told(signals: list[Signal], partition: int, origin: str) -> Iterator[Send]:
    """Signals as messages of mail.facts. Without positions: to hear one twice changes nothing."""
    for start in range(0, len(signals), SIGNALS):
        some = wire.encode_events(signals[start : start + SIGNALS])
        yield Send("mail.facts", None, some, partition, {"origin": origin.encode()})


async def flush(
    flusher: Flusher, partitions: Iterable[Partition], events: list[Any]
) -> list[Question]:
    """All four steps for everything that was folded until now. `events` are the messages. Returns
    what detectors would like to know, now that it is safe that they have asked."""
    began = time.monotonic()
    now = time.time()
    outcomes = []
    writes = []
    for partition in partitions:
        outcome, write = partition.flush(now)
        outcomes.append((partition.number, outcome))
        if write is not None:
            writes.append((partition.number, write))
    await flusher.say(outcomes)
    await flusher.keep(writes)
    await flusher.free(writes)
    await flusher.ack(events)
    metrics.FLUSH_SECONDS.observe(time.monotonic() - began)
    return [question for _, outcome in outcomes for question in outcome.questions]
