"""The edge: decisions from the bus -> block list -> gateways, and a word back.

It knows three lists: the one on disk from an earlier process, the one in force, and, while the
topic is read from its beginning, the one that will take its place when that is complete. So a
start without the broker enforces what was known, and a start with it lifts nothing for a moment.
Leases end by this machine's clock, whatever becomes of the bus.
"""

import logging
import queue
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from agents.configuration import Config, build_blocklist
from agents.edge.follower import Follower, News
from agents.running import reading
from agents.running.enforcement import Enforcement
from agents.running.http import Health, Pulse
from agents.running.inbox import Inbox
from agents.running.loop import Control
from schemas import keys, wire
from schemas.events import Fact
from schemas.findings import Decision
from schemas.gateways import GatewayState
from streams import atomic, metrics
from streams.blocklist import Blocklist
from streams.bus import Bus, Message
from streams.said import said

log = logging.getLogger(__name__)

TURN = 0.1  # seconds that a turn waits for news
SHARE = 10.0  # to list what is in force may take a tenth of the time
SAVE = 5.0  # seconds between two snapshots, at least
REPORT = 10.0  # seconds between two reports, at most
SETTLE = 1.0  # and at least


class Edge:
    """Keeps the gateways of `config` like the decisions of the site.

    `connect` makes buses for the follower's thread; `snapshot` is the file from which a start
    without the broker knows what is in force.
    """

    def __init__(
        self,
        config: Config,
        connect: Callable[[], Bus],
        snapshot: Path,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.pulse = Pulse()
        self._clock = clock
        self._snapshot = snapshot
        self._blocklist = build_blocklist(self.config)
        self._coming: Blocklist | None = None  # while the topic is read from its beginning
        self._complete = False  # what is in force is all there is
        self._inbox = Inbox()
        self._known = self._load()  # there is something to go by
        self._changed = self._known
        self._unsaved = False
        self._trouble = ""  # why the snapshot cannot be written
        self._published = 0.0  # of the newest decision that is not applied yet
        self._state = GatewayState(
            gateway=self.host, at=0.0, complete=False, decisions=0, enforced=0
        )
        self._next_list = 0.0
        self._next_save = 0.0
        self._next_report = 0.0
        self._follower = Follower(connect, self._inbox)
        self._enforcement = Enforcement(config.gateways, self)

    def run(self, control: Control) -> None:
        """Turn until told to stop."""
        while not control.stopped():
            config = control.reloaded()
            if config is not None:
                self.reload(config)
            self.turn()

    def turn(self) -> None:
        """Take what has come, end what has ended, do what is due."""
        self._take()
        now = time.monotonic()
        if self._blocklist.expire(self._clock()):
            self._changed = True
        if self._changed and now >= self._next_list:
            self._enforce()
            self._next_list = now + SHARE * (time.monotonic() - now)
        if self._unsaved and now >= self._next_save:
            self._save()
            self._next_save = now + SAVE
        self._look()
        if now >= self._next_report:
            self._tell()
            self._next_report = now + REPORT
        self.pulse.beat(self._health())

    def reload(self, config: Config) -> None:
        """Go on with other settings. Those of Kafka and HTTP stay until the next start."""
        self._enforcement.close()
        self.config = config
        known, self._blocklist = self._blocklist, build_blocklist(self.config)
        for decision in known:
            self._blocklist.put(decision)
        self._enforcement = Enforcement(config.gateways, self)
        self._changed = self._known

    def close(self) -> None:
        """Let go of everything. What is enforced stays: a restart must not open the door."""
        self._follower.close()
        self._enforcement.close()
        if self._unsaved:
            self._save()

    # -- what gateways ask and tell, from their own threads -------------------------------------

    @property
    def host(self) -> str:
        return reading.host(self.config)

    def ruling(
        self,
        address: str = "",
        account: str = "",
        *,
        mailboxes: Iterable[str] = (),
        domains: Iterable[str] = (),
        ours: str = "",
    ) -> Decision | None:
        """The decision that rules these now: see Blocklist.lookup."""
        return self._blocklist.lookup(
            self._clock(),
            address,
            keys.mailbox(account, self.config.site.default_domain),
            mailboxes=mailboxes,
            domains=domains,
            ours=ours,
        )

    def publish(self, events: Sequence[Fact]) -> None:
        """On to the workers."""
        self._inbox.put(events)

    # -- in -----------------------------------------------------------------------------------

    def _take(self) -> None:
        """All news there is; waits a moment where there is none."""
        try:
            news = self._follower.news.get(timeout=TURN)
            while True:
                self._hear(news)
                news = self._follower.news.get_nowait()
        except queue.Empty:
            pass

    def _hear(self, news: News) -> None:
        if news.begins:
            self._coming = build_blocklist(self.config)
        target = self._coming if self._coming is not None else self._blocklist
        for message in news.messages:
            self._put(target, message)
        if news.complete and self._coming is not None:
            self._blocklist, self._coming = self._coming, None
            self._complete = self._known = self._changed = self._unsaved = True

    def _put(self, blocklist: Blocklist, message: Message) -> None:
        if message.value is None:
            blocklist.remove(message.key.decode(errors="replace"))
        else:
            try:
                blocklist.put(wire.decode_decision(message.value))
            except ValueError as error:
                metrics.DEAD.inc()
                place = f"{message.topic}/{message.partition}:{message.offset}"
                log.error(said("decision unreadable", place=place, reason=error))
                return
        if blocklist is self._blocklist:  # not one that is still to come
            self._changed = self._unsaved = True
            self._published = self._published or message.published

    # -- out ----------------------------------------------------------------------------------

    def _enforce(self) -> None:
        """Before all is known, what an earlier process knew is enforced; without even that,
        nothing is touched."""
        self._changed = False
        decisions = self._blocklist.in_force(self._clock())
        metrics.IN_FORCE.set(len(decisions))
        self._state = msgspec.structs.replace(
            self._state,
            decisions=len(decisions),
            enforced=sum(decision.enforced for decision in decisions),
        )
        self._enforcement.put(decisions)
        self._next_report = min(self._next_report, time.monotonic() + SETTLE)

    def _look(self) -> None:
        """Whether the gateways are as they should be by now."""
        if not self._enforcement.done():
            return
        now = self._clock()
        lag = self._state.lag
        if self._published:
            lag = max(0.0, now - self._published)
            metrics.APPLIED_SECONDS.observe(lag)
            self._published = 0.0
        self._state = msgspec.structs.replace(self._state, applied_at=now, lag=lag)

    def _tell(self) -> None:
        self._state = msgspec.structs.replace(
            self._state,
            at=self._clock(),
            complete=self._complete,
            troubles=self._enforcement.troubles(),
        )
        self._follower.report(self._state)

    def _health(self) -> Health:
        degraded = [f"gateway {n}: {why}" for n, why in self._enforcement.troubles().items()]
        if self._follower.trouble:
            degraded.append(self._follower.trouble)
        if self._trouble:
            degraded.append(self._trouble)
        failing = () if self._known else ("no decisions are known yet",)
        return Health(failing, tuple(degraded))

    # -- the snapshot -------------------------------------------------------------------------

    def _load(self) -> bool:
        """Whether there was one. Raises nothing: without it, the bus tells everything."""
        try:
            self._blocklist.restore(self._snapshot.read_bytes())
        except FileNotFoundError:
            return False
        except (OSError, ValueError) as error:
            log.warning(said("snapshot passed over", snapshot=self._snapshot, reason=error))
            return False
        self._blocklist.expire(self._clock())
        log.info(said("snapshot read", snapshot=self._snapshot, decisions=len(self._blocklist)))
        return True

    def _save(self) -> None:
        try:
            self._snapshot.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.replace(self._snapshot, self._blocklist.snapshot().decode(), 0o600)
        except OSError as error:
            trouble = f"{self._snapshot}: {error.strerror}"
            if trouble != self._trouble:
                log.error(said("snapshot failed", reason=trouble))
            self._trouble = trouble
            metrics.STORE_FAILURES.inc()
            return
        self._trouble = ""
        self._unsaved = False
