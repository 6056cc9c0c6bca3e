"""Alerts on their way to one sink, in a thread of their own: a slow SOC never slows detection.

What waits here is also owed in the store, so nothing is lost with the process. A repetition
(the process died between the delivery and the note of it) has the same id and revision. Alerts
that are held back for a summary (streams/gathering.py) are owed until that has arrived.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from math import inf

from agents.single.holding import Asked, Holding
from agents.single.store import Told
from schemas.findings import Alert
from streams import tracing
from streams.gathering import Gathering, Parcel
from streams.metrics import SINK_FAILURES, SINK_WAITING
from streams.said import said
from streams.sink import Sink

log = logging.getLogger(__name__)

BATCH = 100
DIGEST = 1000  # alerts of one digest; as many do not wait for its time
GATHERED = 2000  # nor as many alerts for their summaries: severe ones must not wait behind them
HELD = 10_000  # alerts in memory; what is beyond waits in the store
LOOK = 60.0  # seconds after which the clock on the wall is looked at again
PATIENCE = (1.0, 300.0)  # seconds between two attempts, doubled each time


class Delivery:
    """Tells `sink` each alert in its newest revision, again and again until it is there.

    `owed` are alerts of an earlier process, which may have told them just before it died.
    `taken` says whether somebody took an alert on; `clock` gives Unix seconds.
    """

    def __init__(
        self,
        sink: Sink,
        owed: Sequence[Alert] = (),
        patience: tuple[float, float] = PATIENCE,
        *,
        taken: Asked = lambda alert: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sink = sink
        self.trouble = ""  # why the last attempt failed
        self._patience = patience
        self._waiting: dict[str, Alert] = {}
        self._gathering = Gathering(sink.settings.gather)
        self._holding = Holding(sink, taken)
        self._clock = clock
        self._digest: dict[str, Alert] = {}  # what waits for the next
        self._digest_due = 0.0
        self._told: dict[str, int] = {}  # newest revision by alert, until `told` is asked
        self._spilled = len(owed) > HELD
        self._begun = False
        self._hurried = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(
            target=self._run, args=(owed,), name=f"sink {sink.name}", daemon=True
        )
        self._thread.start()

    def put(self, alerts: Iterable[Alert]) -> None:
        """Alerts to be told; what was told just now is not told again."""
        now = time.monotonic()
        with self._changed:
            for alert in alerts:
                if alert.revision > self._told.get(alert.id, 0):
                    self._put(alert, now)
            self._count()
            self._changed.notify()

    def _put(self, alert: Alert, now: float) -> None:
        if not self.sink.wants(alert):
            self._told[alert.id] = alert.revision
            return
        before = self._waiting.get(alert.id)
        known = before or self._digest.get(alert.id) or self._gathering.find(alert)
        known = known or self._holding.find(alert)
        if known is not None and known.revision >= alert.revision:
            return
        if known is None and self._held() >= HELD:
            self._spilled = True
        elif before is not None:
            self._waiting[alert.id] = alert
        elif not self._holding.for_people(alert, self._clock()):
            self._pass(alert, now)

    def _pass(self, alert: Alert, now: float) -> None:
        """It is for this sink: now, or with others."""
        if self._holding.for_morning(alert, self._clock()):
            self._digest.pop(alert.id, None)
        elif self.sink.waits(alert):
            if not self._digest:
                self._digest_due = now + self.sink.digest
            self._digest[alert.id] = alert
        else:
            self._digest.pop(alert.id, None)
            if not self._gathering.hold(alert, now):
                self._waiting[alert.id] = alert

    def _held(self) -> int:
        held = len(self._waiting) + len(self._digest) + self._gathering.held
        return held + len(self._holding)

    def told(self) -> list[Told]:
        """What was delivered since the last call."""
        with self._changed:
            told, self._told = self._told, {}
        return [Told(self.sink.name, *item) for item in told.items()]

    def wants(self) -> int:
        """How many of the alerts that are owed to ask the store for, now that there is room for
        those that wait there alone; one more than fits, to know of the rest."""
        with self._changed:
            if not self._spilled or self._held() > HELD // 2:
                return 0
            self._spilled = False
            return HELD + 1

    def refill(self, owed: Sequence[Alert], asked: int) -> None:
        """The alerts that are owed, of which `asked` were asked for. Where as many came there may
        be more, also where all of them fit, some having been told meanwhile."""
        self.put(owed)
        if len(owed) >= asked:
            with self._changed:
                self._spilled = True

    def idle(self) -> bool:
        """Whether all is told."""
        with self._changed:
            return self._begun and not self._held()

    def held(self) -> int:
        """How many alerts wait here."""
        with self._changed:
            return self._held()

    def hurry(self) -> None:
        """Hold nothing back any longer: this is the end of all there is to read."""
        with self._changed:
            self._hurried = True
            self._changed.notify()

    def close(self, timeout: float = 10.0) -> None:
        """Stop after the attempt that is being made; what is not told stays owed."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        if not self._thread.is_alive():
            self.sink.close()

    def _run(self, owed: Sequence[Alert]) -> None:
        if owed:
            self._forget_received(owed)
        self.put(owed)
        with self._changed:
            self._begun = True
        pause = self._patience[0]
        while (step := self._next()) is not None:
            tell, batch = step
            begun = self._clock()
            try:
                tell()
            except Exception as error:
                # Whatever a sink raises, its alerts are still owed and the thread goes on.
                self._failed(str(error))
                self._traced(batch, begun, str(error))
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, pause)
                pause = min(pause * 2, self._patience[1])
                continue
            pause = self._patience[0]
            self._traced(batch, begun, self.sink.trouble)
            self._delivered(batch)

    def _traced(self, batch: Iterable[Parcel], begun: float, trouble: str) -> None:
        alerts = (parcel.alert for parcel in batch)
        tracing.told(self.sink.name, alerts, begun, self._clock(), trouble)

    def _forget_received(self, owed: Sequence[Alert]) -> None:
        try:
            received = self.sink.received(owed)
        except Exception as error:
            # To tell something twice is better than not to tell it.
            self._failed(str(error))
            return
        with self._changed:
            self._told.update(received)

    def _next(self) -> tuple[Callable[[], None], list[Parcel]] | None:
        """What is to be done next, and whom it tells of: the longest waiting first. None when it
        is time to end."""
        with self._changed:
            while not self._closing:
                now = time.monotonic()
                today = self._clock()
                unclaimed, settled = self._holding.overdue(inf if self._hurried else today)
                for one in unclaimed:
                    self._pass(one, now)
                self._told.update((one.id, one.revision) for one in settled)
                found = [Parcel(one, [one]) for one in islice(self._waiting.values(), BATCH)]
                room = BATCH - len(found)
                at_once = self._hurried or self._gathering.held >= GATHERED
                found += self._gathering.ripe(now, room, at_once=at_once)
                if found:
                    alerts = [parcel.alert for parcel in found]
                    return partial(self.sink.send, alerts), found
                digest = self._ripe_digest(now, today)
                if digest:
                    parcels = [Parcel(one, [one]) for one in digest]
                    return partial(self.sink.deliver_digest, digest), parcels
                again = self.sink.due()
                if again is not None and again <= 0:
                    return self.sink.refresh, []
                hushed = self._holding.hushed(today)
                due = self._digest_due - now if self._digest and not hushed else None
                when = (self._gathering.due(now), due, again, self._holding.due(today))
                waits = [one for one in when if one is not None]
                # A clock on the wall may be set: it is looked at again.
                self._changed.wait(min(*waits, LOOK) if waits else None)
            return None

    def _ripe_digest(self, now: float, today: float) -> list[Alert]:
        """What is to be told as one, if anything is."""
        if self._hurried or self._holding.morning(today):
            some = list(islice(self._holding.quiet.values(), DIGEST))
            if some:
                return some
        late = self._hurried or (now >= self._digest_due and not self._holding.hushed(today))
        if self._digest and (late or len(self._digest) >= DIGEST):
            return list(islice(self._digest.values(), DIGEST))
        return []

    def _delivered(self, batch: Iterable[Parcel]) -> None:
        now = time.monotonic()
        digested = 0
        with self._changed:
            for parcel in batch:
                for one in parcel.members:
                    self._told[one.id] = max(one.revision, self._told.get(one.id, 0))
                if parcel.held:
                    self._gathering.told(parcel, now)
                    continue
                for waiting in (self._waiting, self._digest, self._holding.quiet):
                    if waiting.get(parcel.alert.id) is parcel.alert:
                        del waiting[parcel.alert.id]
                        digested += waiting is self._digest
            if 0 < digested < DIGEST:  # else there is more to tell at once
                self._digest_due = now + self.sink.digest
            self._count()
        if self.sink.trouble:
            self._failed(self.sink.trouble)
        elif self.trouble:
            log.info(said("sink works again", sink=self.sink.name))
            self.trouble = ""

    def _count(self) -> None:
        SINK_WAITING.labels(self.sink.name).set(self._held())

    def _failed(self, trouble: str) -> None:
        SINK_FAILURES.labels(self.sink.name).inc()
        if trouble != self.trouble:
            log.warning(said("sink failed", sink=self.sink.name, reason=trouble))
        self.trouble = trouble
