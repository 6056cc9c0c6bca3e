"""Alerts on their way to one sink, in a thread of their own: a slow SOC never slows detection.

What waits here is also owed in the store, so nothing is lost with the process. A repetition
(the process died between the delivery and the note of it) has the same id and revision.
"""

import logging
import threading
from collections.abc import Iterable, Sequence

from agents.single.store import Told
from schemas.findings import Alert
from streams.metrics import SINK_FAILURES, SINK_WAITING
from streams.said import said
from streams.sink import Sink

log = logging.getLogger(__name__)

BATCH = 100
HELD = 10_000  # alerts in memory; what is beyond waits in the store
PATIENCE = (1.0, 300.0)  # seconds between two attempts, doubled each time


class Delivery:
    """Tells `sink` each alert in its newest revision, again and again until it is there.

    `owed` are alerts of an earlier process, which may have told them just before it died.
    """

    def __init__(
        self, sink: Sink, owed: Sequence[Alert] = (), patience: tuple[float, float] = PATIENCE
    ) -> None:
        self.sink = sink
        self.trouble = ""  # why the last attempt failed
        self._patience = patience
        self._waiting: dict[str, Alert] = {}
        self._told: dict[str, int] = {}  # newest revision by alert, until `told` is asked
        self._spilled = False
        self._begun = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(
            target=self._run, args=(owed,), name=f"sink {sink.name}", daemon=True
        )
        self._thread.start()

    def put(self, alerts: Iterable[Alert]) -> None:
        """Alerts to be told; what was told just now is not told again."""
        with self._changed:
            for alert in alerts:
                before = self._waiting.get(alert.id)
                if alert.revision <= self._told.get(alert.id, 0):
                    continue
                if before is None and len(self._waiting) >= HELD:
                    self._spilled = True
                elif before is None or before.revision < alert.revision:
                    self._waiting[alert.id] = alert
            SINK_WAITING.labels(self.sink.name).set(len(self._waiting))
            self._changed.notify()

    def told(self) -> list[Told]:
        """What was delivered since the last call."""
        with self._changed:
            told, self._told = self._told, {}
        return [Told(self.sink.name, *item) for item in told.items()]

    def wants(self) -> int:
        """How many of the alerts that are owed to ask the store for, now that there is room for
        those that wait there alone; one more than fits, to know of the rest."""
        with self._changed:
            if not self._spilled or len(self._waiting) > HELD // 2:
                return 0
            self._spilled = False
            return HELD + 1

    def idle(self) -> bool:
        """Whether all is told."""
        with self._changed:
            return self._begun and not self._waiting

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
        while batch := self._next():
            try:
                self.sink.send(batch)
            except Exception as error:
                # Whatever a sink raises, its alerts are still owed and the thread goes on.
                self._failed(str(error))
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, pause)
                pause = min(pause * 2, self._patience[1])
                continue
            pause = self._patience[0]
            self._delivered(batch)

    def _forget_received(self, owed: Sequence[Alert]) -> None:
        try:
            received = self.sink.received(owed)
        except Exception as error:
            # To tell something twice is better than not to tell it.
            self._failed(str(error))
            return
        with self._changed:
            self._told.update(received)

    def _next(self) -> list[Alert]:
        """The next alerts, the longest waiting first; none when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return [] if self._closing else list(self._waiting.values())[:BATCH]

    def _delivered(self, batch: list[Alert]) -> None:
        with self._changed:
            for alert in batch:
                self._told[alert.id] = alert.revision
                if self._waiting[alert.id].revision == alert.revision:
                    del self._waiting[alert.id]
            SINK_WAITING.labels(self.sink.name).set(len(self._waiting))
        if self.trouble:
            log.info(said("sink works again", sink=self.sink.name))
            self.trouble = ""

    def _failed(self, trouble: str) -> None:
        SINK_FAILURES.labels(self.sink.name).inc()
        if trouble != self.trouble:
            log.warning(said("sink failed", sink=self.sink.name, reason=trouble))
        self.trouble = trouble
