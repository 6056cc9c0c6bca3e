"""A thread that sees what Faust does not: a worker that is alive and does nothing.

After one failed SyncGroup aiokafka parks the exception until somebody calls `getmany`, which
Faust never does: the worker would idle for ever (aiokafka 0.14.0,
aiokafka/consumer/group_coordinator.py `_push_error_to_user`). Faust's own timers start only
after a recovery, so this is a thread. It has the coordinator's loop consume such errors, and
gives up where that does not help: where a task is dead without which no broker is found or no
partition is given to us, where a broker takes connections and Faust has found none for a minute,
or where messages lie there and none is folded for a minute.

It also says once when no broker answers any more, and when one does again: whoever waits for a
flush says nothing meanwhile. And it ends a worker that was told to end and cannot, because its
last flush waits for a broker: what was not flushed is read again.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from agents.worker.client import connected, ended
from agents.worker.worker import Worker
from streams.metrics import BUS_UP

log = logging.getLogger(__name__)

EVERY = 2.0  # seconds
STUCK = 60.0  # seconds with messages to read and none read, or with a broker and none found
END = 10.0  # seconds that the end may take


class Watchdog:
    """`give_up` is called with the reason, `end` where the worker does not end by itself; neither
    should return. `answers`: whether any broker takes a connection."""

    def __init__(
        self,
        worker: Worker,
        give_up: Callable[[str], None],
        end: Callable[[], None],
        answers: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._worker = worker
        self._give_up = give_up
        self._end = end
        self._answers = answers
        self._ending = 0.0  # since when
        self._clock = clock
        self._folded = -1
        self._moved = clock()
        self._heard = clock()  # the brokers, last
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._stop = threading.Event()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def look(self) -> None:
        """Look once."""
        if self._worker.app.should_stop:
            self._ending = self._ending or self._clock()
            if self._clock() - self._ending > END:
                self._end()
            return
        thread = getattr(self._worker.app.consumer, "_thread", None)
        consumer = getattr(thread, "_consumer", None)
        if thread is None or consumer is None:
            return
        self._hear(connected(self._worker.app))
        coordinator = consumer._coordinator
        task = getattr(coordinator, "_coordination_task", None)
        if task is not None and task.done():
            self._give_up("the consumer group's coordination ended")
        elif reason := ended(self._worker.app):
            self._give_up(reason)
        elif getattr(coordinator, "_pending_exception", None) is not None:
            thread.thread_loop.call_soon_threadsafe(_consume_error, coordinator)
        now = self._clock()
        if self._worker.folded != self._folded or not lag(consumer, self._worker):
            self._folded, self._moved = self._worker.folded, now
        elif now - self._moved > STUCK:
            self._give_up(f"messages wait, and none was read for {STUCK:.0f} s")

    def _hear(self, up: bool) -> None:
        """Whether a broker answers; at the start none has yet."""
        worker = self._worker
        if up and not worker.reached:
            log.info("the brokers answer")
        elif not up and worker.reached:
            log.error("no broker answers; meanwhile nothing is folded, and nothing is lost")
        worker.reached = up
        BUS_UP.set(up)
        now = self._clock()
        if up:
            self._heard = now
        elif now - self._heard > STUCK and self._answers():
            self._give_up(f"a broker takes connections, and none was found for {STUCK:.0f} s")

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            try:
                self.look()
            except Exception:  # the consumer may be half closed while we look at it
                log.warning("could not look at the consumer", exc_info=True)


def lag(consumer: Any, worker: Worker) -> int:
    """How many messages lie in the assigned partitions and were not taken."""
    assignment = consumer._subscription.subscription
    assignment = assignment and assignment.assignment
    if assignment is None:
        return 0
    waiting = 0
    for place in assignment.tps:
        state = assignment.state_value(place)
        if place.topic in worker.sources and state is not None and state.has_valid_position:
            end = state.highwater or 0
            behind = worker.behind(place, end)
            waiting += max(0, end - state.position) if behind is None else behind
    return waiting


def _consume_error(coordinator: Any) -> None:
    try:
        coordinator.check_errors()
    except Exception as error:
        log.warning("the consumer group refused us, once more: %r", error)
