"""Alerts from Kafka to one sink, in a thread and a consumer group of its own.

A receiver that is slow or gone holds up nobody: its group stops reading, and goes on where it
stopped. What it has not got is not committed, so a process that is killed loses nothing, and may
tell the alerts of its last second twice, under the same id and revision.
"""

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from agents.incidents.taken import Taken
from agents.single.delivery import HELD, PATIENCE, Delivery
from agents.single.store import Told
from agents.telling.cases import Cases
from agents.telling.ledger import KEPT, Ledger, Place
from agents.telling.memory import Memory
from schemas import wire
from schemas.findings import DAY, Alert
from streams.bus import Bus, Message, Subscription
from streams.metrics import DEAD
from streams.said import said
from streams.sink import Sink

log = logging.getLogger(__name__)

TOPIC = "mail.alerts"
POLL = 0.2  # seconds
COMMIT = 1.0  # seconds between two commits, at least
FULL = HELD // 2  # alerts that wait: no more are read until some are told. A poll brings 500
NEW = DAY  # seconds: a sink that was never there begins with the alerts of so long ago
FIRST = 0.25  # seconds until the first retry; doubled each time
LONGEST = 5.0


class Reader:
    """Tells `sink` what comes, until `close`. `connect` makes buses for its thread; `group` is
    the consumer group of the sink, `memory` what outlives the process beside its position."""

    def __init__(
        self,
        sink: Sink,
        connect: Callable[[], Bus],
        group: str,
        memory: Memory,
        clock: Callable[[], float] = time.time,
        patience: tuple[float, float] | None = None,
    ) -> None:
        self.sink = sink
        self.bus_trouble = ""  # why nothing comes
        self._connect = connect
        self._group = group
        self._clock = clock
        self._taken = Taken()
        sink.case = self._taken.of
        self._delivery = Delivery(
            sink, patience=patience or PATIENCE, taken=self._taken, clock=clock
        )
        self._memory = memory
        self._known = memory.load()  # told already, although not committed: revisions by alert
        self._asked: set[Place] = set()  # partitions whose first alerts the sink was asked about
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"alerts {sink.name}", daemon=True)
        self._thread.start()

    def troubles(self) -> list[str]:
        """Why the sink is not told, in words."""
        found = [f"sink {self.sink.name}: {self._delivery.trouble}"]
        return [*(found if self._delivery.trouble else ()), *filter(None, (self.bus_trouble,))]

    def stop(self) -> None:
        """Begin to end; `close` waits for it."""
        self._closing.set()

    def close(self) -> None:
        """Tell what is being told, and commit that; the rest is read again."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        pause = FIRST
        while not self._closing.is_set():
            try:
                bus = self._connect()
                try:
                    self._follow(bus)
                finally:
                    bus.close()
                pause = FIRST
            except Exception as error:
                # Whatever the bus does, it is asked again.
                pause = FIRST if not self.bus_trouble else min(2 * pause, LONGEST)
                self._failed(str(error) or type(error).__name__)
                self._closing.wait(pause)
        self._delivery.close()

    def _follow(self, bus: Bus) -> None:
        """Until closed. Raises BusError."""
        asked = self.sink.settings.unacknowledged or self.sink.people
        cases = Cases(bus, self._taken) if asked else None
        subscription = bus.subscribe([TOPIC], self._group, self._clock() - NEW)
        try:
            ledger = Ledger()
            self._asked.clear()
            next_commit = 0.0
            while not self._closing.is_set():
                if cases is not None:
                    cases.read()
                subscription.hold(self._delivery.held() > FULL)
                self._take(subscription.poll(POLL), ledger)
                self._works()
                if time.monotonic() >= next_commit:
                    next_commit = time.monotonic() + COMMIT
                    self._commit(subscription, ledger)
            self._delivery.close()
            self._commit(subscription, ledger)
        finally:
            self._known |= ledger.beyond()
            while len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
            subscription.close()
            if cases is not None:
                cases.close()

    def _commit(self, subscription: Subscription, ledger: Ledger) -> None:
        ledger.told(self._delivery.told())
        progress = ledger.progress()
        self._memory.save(ledger.beyond())
        if progress:
            subscription.commit(progress)

    def _take(self, messages: Iterable[Message], ledger: Ledger) -> None:
        """Of several partitions, what was published first comes first."""
        alerts: list[Alert] = []
        first: list[Alert] = []
        known: list[Told] = []
        places = set()
        for message in _merged(messages):
            alert = self._read(message)
            place = message.topic, message.partition
            places.add(place)
            if alert is None or alert.stage == "observe":
                ledger.read(place, message.offset)
                continue
            ledger.read(place, message.offset, alert.id, alert.revision)
            if self._known.get(alert.id, 0) >= alert.revision:
                known.append(Told(self.sink.name, alert.id, alert.revision))
                continue
            alerts.append(alert)
            if place not in self._asked:
                first.append(alert)
        self._asked |= places
        received = self._received(first) if first else set()
        ledger.told([*known, *(Told(self.sink.name, *one) for one in received)])
        self._delivery.put(one for one in alerts if (one.id, one.revision) not in received)

    def _received(self, alerts: Sequence[Alert]) -> set[tuple[str, int]]:
        """What an earlier process told just before it died, as far as the sink knows."""
        try:
            return self.sink.received(alerts)
        except Exception as error:
            # To tell something twice is better than not to tell it.
            log.warning(said("sink failed", sink=self.sink.name, reason=error))
            return set()

    def _read(self, message: Message) -> Alert | None:
        if message.value is None:
            return None
        try:
            return wire.decode_alert(message.value)
        except ValueError as error:
            DEAD.inc()
            place = f"{message.topic}/{message.partition}:{message.offset}"
            log.error(said("alert unreadable", sink=self.sink.name, place=place, reason=error))
            return None

    def _failed(self, trouble: str) -> None:
        if trouble != self.bus_trouble:
            meanwhile = "what was read is told"
            what = said("bus failed", sink=self.sink.name, reason=trouble, meanwhile=meanwhile)
            log.error(what)
        self.bus_trouble = trouble

    def _works(self) -> None:
        if self.bus_trouble:
            log.info(said("bus works again", sink=self.sink.name))
            self.bus_trouble = ""


def _merged(messages: Iterable[Message]) -> Iterator[Message]:
    """By the time of publication, but those of a partition in their order whatever that says."""
    places: dict[Place, list[Message]] = {}
    for message in messages:
        places.setdefault((message.topic, message.partition), []).append(message)
    return heapq.merge(*places.values(), key=lambda one: one.published)
