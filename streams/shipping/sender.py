"""From the outbox to the bus, in a thread of its own: a broker that is away stops no reading."""

import logging
import threading
from collections.abc import Callable

from streams.bus import Bus, BusError
from streams.metrics import BUS_UP, OUTBOX_BYTES, SHIPPED
from streams.said import said
from streams.shipping.outbox import Batch, Outbox
from streams.shipping.packer import TOPIC

log = logging.getLogger(__name__)

ROUND = 8 << 20  # bytes that are on their way at once
SAFE = 15.0  # seconds until a round must be safe; else the connection is made anew
FIRST = 0.25  # seconds until the first retry; doubled each time
LONGEST = 5.0
IDLE = 1.0


class Sender:
    """Sends what waits, of each lane one batch at a time and in order; forgets it once safe.

    Where a round fails, all of it is sent again, on a new connection: the positions make that
    harmless. `partitions` is what mail.facts must have: what waits was routed for it.
    """

    def __init__(self, outbox: Outbox, connect: Callable[[], Bus], partitions: int) -> None:
        self.trouble = ""  # why nothing goes out, in words
        self._outbox = outbox
        self._connect = connect
        self._partitions = partitions
        self._bus: Bus | None = None
        self._closing = False
        self._woken = threading.Condition()
        self._empty = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something waits."""
        with self._woken:
            self._empty.clear()
            self._woken.notify()

    def drain(self, timeout: float) -> bool:
        """Wait until nothing waits any more; whether it came to that."""
        return self._empty.wait(timeout)

    def close(self) -> None:
        """Stop; what waits stays in the outbox."""
        with self._woken:
            self._closing = True
            self._woken.notify()
        self._thread.join()

    def _run(self) -> None:
        pause = FIRST
        while not self._closing:
            try:
                sent = self._send(self._ready())
            except Exception as error:
                # Whatever the bus or the disk does, what waits is tried again.
                self._failed(str(error) or type(error).__name__)
                self._rest(pause)
                pause = min(2 * pause, LONGEST)
                continue
            pause = FIRST
            self._works()
            if not sent:
                self._rest(IDLE, unless_woken=True)
        self._drop()

    def _ready(self) -> Bus:
        if self._bus is None:
            self._bus = self._connect()
            there = self._bus.topics().get(TOPIC, 0)
            if not there:
                raise BusError(f"there is no topic {TOPIC}: run `mailwarden topics create`")
            if there != self._partitions:
                raise BusError(
                    f"topic {TOPIC} has {there} partitions, kafka.partitions is {self._partitions}"
                )
        return self._bus

    def _send(self, bus: Bus) -> bool:
        with self._woken:
            batches = self._outbox.oldest(ROUND)
            if not batches:
                self._empty.set()
        if not batches:
            return False
        for batch in batches:
            _publish(bus, batch)
        bus.flush(SAFE)
        self._outbox.done(batches)
        for batch in batches:
            SHIPPED.labels(batch.topic).inc(len(batch.value))
        OUTBOX_BYTES.set(self._outbox.waiting)
        return True

    def _failed(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.error(said("send failed", reason=trouble, meanwhile="kept in the outbox"))
        self.trouble = trouble
        BUS_UP.set(0)
        OUTBOX_BYTES.set(self._outbox.waiting)
        self._drop()

    def _works(self) -> None:
        BUS_UP.set(1)
        if self.trouble:
            log.info(said("send works again"))
            self.trouble = ""

    def _rest(self, seconds: float, *, unless_woken: bool = False) -> None:
        with self._woken:
            if unless_woken:
                self._woken.wait_for(lambda: self._closing or not self._empty.is_set(), seconds)
            else:
                self._woken.wait_for(lambda: self._closing, seconds)

    def _drop(self) -> None:
        if self._bus is not None:
            self._bus.close()
            self._bus = None


def _publish(bus: Bus, batch: Batch) -> None:
    origin = batch.origin.encode()
    headers = {"origin": origin}
    if batch.positions:
        headers["positions"] = batch.positions
    bus.publish(batch.topic, origin, batch.value, partition=batch.partition, headers=headers)
