"""The decisions of the site and its kill switch as they come from the bus, and word back, in a
thread of its own.

Each connection reads the compacted topics from their beginning. A broker that is away blocks
nobody but this thread: leases go on ending at the gateway meanwhile.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from msgspec import Struct

from agents.running.inbox import Inbox
from schemas import wire
from schemas.audit import Audit
from schemas.events import Fact
from schemas.gateways import GatewayState
from streams.bus import Bus, BusError, Message
from streams.metrics import BUS_UP

T = TypeVar("T")

log = logging.getLogger(__name__)

TOPIC = "mail.decisions"
SWITCH = "mail.switch"
REPORTS = "mail.gateways"
EVENTS = "mail.events"
AUDIT = "mail.audit"
POLL = 0.1  # seconds
SAFE = 5.0  # seconds until a report must be safe; else the broker counts as away
FIRST = 0.25  # seconds until the first retry; doubled each time
LONGEST = 5.0
WAITING = 64  # polls that may wait to be taken


class News(Struct, frozen=True):
    """What one poll brought."""

    messages: list[Message]
    begins: bool = False  # the topics are read from their beginning again
    complete: bool = False  # all that lay there at the beginning has come
    ends: dict[tuple[str, int], int] = {}  # then: where that was, by topic and partition


class Follower:
    """Puts what comes into `news`, sends the newest report and what lies in `inbox` and `audit`,
    until `close`."""

    def __init__(
        self,
        connect: Callable[[], Bus],
        inbox: Inbox[Fact] | None = None,
        audit: Inbox[Audit] | None = None,
    ) -> None:
        self._inbox = inbox or Inbox()
        self._audit = audit or Inbox()
        self.news: queue.Queue[News] = queue.Queue(WAITING)
        self.trouble = ""  # why nothing comes, in words
        self._connect = connect
        self._report: GatewayState | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def report(self, state: GatewayState) -> None:
        """Tell the site; only the newest report counts."""
        self._report = state

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        pause = FIRST
        while not self._closing.is_set():
            try:
                bus = self._connect()
                try:
                    for _ in self._follow(bus):
                        pause = FIRST
                finally:
                    bus.close()
            except Exception as error:
                # Whatever the bus does, it is asked again.
                self._failed(str(error) or type(error).__name__)
                self._closing.wait(pause)
                pause = min(2 * pause, LONGEST)

    def _follow(self, bus: Bus) -> Iterator[None]:
        """Until closed; yields after each poll. Raises BusError."""
        subscription = bus.subscribe([TOPIC, SWITCH], None)
        begins, complete = True, False
        while not self._closing.is_set():
            messages = subscription.poll(POLL)
            done = not complete and subscription.caught_up()
            if messages or done or begins:
                self._put(News(messages, begins, done, subscription.ends() if done else {}))
            begins, complete = False, complete or done
            self._send(bus)
            self._works()
            yield

    def _put(self, news: News) -> None:
        while not self._closing.is_set():
            try:
                self.news.put(news, timeout=POLL)
            except queue.Full:
                continue
            return

    def _send(self, bus: Bus) -> None:
        report, self._report = self._report, None
        if report is not None:
            try:
                bus.publish(REPORTS, report.gateway.encode(), wire.encode(report))
                bus.flush(SAFE)
            except BusError:
                self._report = self._report or report
                raise
        # What gateways saw goes the way of all events that are published one by one.
        _pass_on(self._inbox, bus, EVENTS, lambda event: event.gateway)
        _pass_on(self._audit, bus, AUDIT, lambda entry: entry.decision)

    def _failed(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.error('bus failed reason="%s" meanwhile="what is known stays, leases end"', trouble)
        self.trouble = trouble
        BUS_UP.set(0)

    def _works(self) -> None:
        BUS_UP.set(1)
        if self.trouble:
            log.info("bus works again")
            self.trouble = ""


def _pass_on(inbox: Inbox[T], bus: Bus, topic: str, key: Callable[[T], str]) -> None:
    """A failure may repeat some of them: they are no log, whose lines have a place."""
    found = inbox.take()
    if not found:
        return
    try:
        for one in found:
            bus.publish(topic, key(one).encode(), wire.encode(one))
        bus.flush(SAFE)
    except BusError:
        inbox.put_back(found)
        raise
