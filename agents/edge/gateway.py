"""The edge: decisions from the bus -> block list -> gateways, and a word back.

It knows three lists: the one on disk from an earlier process, the one in force, and, while the
topic is read from its beginning, the one that will take its place when that is complete. So a
start without the broker enforces what was known, and a start with it lifts nothing for a moment.
Leases end by this machine's clock, whatever becomes of the bus. While the kill switch of the site
is pulled the lists go on, and nothing of them is enforced.
"""

import logging
import queue
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agents.configuration import Config, build_blocklist
from agents.edge import snapshot
from agents.edge.admission import Admission, Alarm
from agents.edge.canary import Canary
from agents.edge.follower import SWITCH, TOPIC, Follower, News
from agents.edge.switch import KillSwitch
from agents.running.answering import Answering
from agents.running.enforcement import Enforcement
from agents.running.http import Health, Pulse
from agents.running.loop import Control
from schemas.findings import Decision
from schemas.gateways import GatewayState, reported
from streams import metrics
from streams.blocklist import Blocklist
from streams.bus import Bus, Message
from streams.said import said
from streams.signing import Keys

log = logging.getLogger(__name__)

TURN = 0.1  # seconds that a turn waits for news
SHARE = 4.0  # to list what is in force may take a fifth of the time
SAVE = 5.0  # seconds between two snapshots, at least
REPORT = 10.0  # seconds between two reports, at most
SETTLE = 1.0  # and at least


class Edge(Answering):
    """Keeps the gateways of `config` like the decisions of the site.

    `connect` makes buses for the follower's thread; `kept` is the file from which a start
    without the broker knows what is in force; `keys` verify what comes, if there are any.
    """

    def __init__(
        self,
        config: Config,
        connect: Callable[[], Bus],
        kept: Path,
        *,
        keys: Keys | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(config, clock)
        self.pulse = Pulse()
        self._snapshot = kept
        self._keys = keys
        self._alarm = Alarm()
        self._switch = KillSwitch(kept.with_name("switch.json"), self._alarm, keys)
        self._coming: Blocklist | None = None  # while the topic is read from its beginning
        self._complete = False  # what is in force is all there is
        self._arrange()
        self._known = self._load()  # there is something to go by
        self._changed = self._known or self._switch.pulled
        self._unsaved = False
        self._trouble = ""  # why the snapshot cannot be written
        self._published = 0.0  # of the newest decision that is not applied yet
        self._positions: dict[int, int] = {}  # next offsets of the topic, by partition
        self._given = (0, "")  # generation and word of the switch that the gateways were given
        self._state = GatewayState(
            gateway=self.host, at=0.0, complete=False, decisions=0, enforced=0
        )
        self._next_list = 0.0
        self._next_save = 0.0
        self._next_report = 0.0
        self._follower = Follower(connect, self._inbox, self._audit)
        config.phishing.watch()
        self._enforcement = self._new_enforcement()

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
        self._pass_time(self._clock())
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
        """Go on with other settings. Those of Kafka and HTTP, and the keys, stay until the next
        start."""
        self._enforcement.close()
        self.config.phishing.close()
        self.config = config
        config.phishing.watch()
        made = self._canary.made()
        known = [made.get(one.id, one) for one in self._blocklist]
        before, self._blocklist = self._blocklist, build_blocklist(self.config)
        self._arrange()
        self._put_all(known, before)
        self._enforcement = self._new_enforcement()
        self._changed = self._known

    def close(self) -> None:
        """Let go of everything. What is enforced stays: a restart must not open the door."""
        self._follower.close()
        self._enforcement.close()
        self.config.phishing.close()
        if self._unsaved:
            self._save()

    # -- what gateways ask, from their own threads; nothing while the kill switch is pulled -----

    @property
    def phishing(self) -> frozenset[str]:
        return frozenset() if self._switch.pulled else super().phishing

    def ruling(self, *given: str, **more: Any) -> Decision | None:
        return None if self._switch.pulled else super().ruling(*given, **more)

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
            self._positions = {}
        target = self._coming if self._coming is not None else self._blocklist
        for message in news.messages:
            try:
                if message.topic == SWITCH:
                    self._heed(message)
                else:
                    self._put(target, message)
            except ValueError as error:
                metrics.DEAD.inc()
                place = f"{message.topic}/{message.partition}:{message.offset}"
                log.error(said("decision unreadable", place=place, reason=error))
        if news.complete and self._coming is not None:
            for (topic, partition), end in news.ends.items():
                if topic == TOPIC:
                    self._positions[partition] = max(end, self._positions.get(partition, 0))
            self._blocklist, self._coming = self._coming, None
            for decision in self._canary.review(self._blocklist):
                self._blocklist.put(decision)
            self._complete = self._known = self._changed = self._unsaved = True

    def _heed(self, message: Message) -> None:
        """A word about the kill switch: it waits for nothing."""
        if self._switch.hear(message):
            self._changed = True
            self._next_list = 0.0

    def _put(self, blocklist: Blocklist, message: Message) -> None:
        self._positions[message.partition] = message.offset + 1
        self._admission.take(blocklist, message, self._blocklist)
        if blocklist is self._blocklist:  # not one that is still to come
            self._changed = self._unsaved = True
            self._published = self._published or message.published

    def _pass_time(self, now: float) -> None:
        """End what has ended, enforce what others have tried for long enough."""
        ended = self._blocklist.expire(now)
        for decision in ended:
            self._canary.forget(decision.id)
        due = self._canary.due(now)
        for decision in due:
            self._blocklist.put(decision)
        if ended or due:
            self._changed = True

    # -- out ----------------------------------------------------------------------------------

    def _enforce(self) -> None:
        """Before all is known, what an earlier process knew is enforced; without even that,
        nothing is touched."""
        self._changed = False
        decisions = self._blocklist.in_force(self._clock())
        metrics.IN_FORCE.set(len(decisions))
        word = self._switch.word
        self._given = (sum(self._positions.values()), word.id if word else "")
        self._state = msgspec.structs.replace(
            self._state,
            decisions=len(decisions),
            enforced=len(decisions.enforced()),
        )
        self._enforcement.put(decisions)
        self._next_report = min(self._next_report, time.monotonic() + SETTLE)

    def _look(self) -> None:
        """Whether the gateways are as they should be by now."""
        lifted = self._enforcement.lifted()
        metrics.LIFTED.set(lifted)
        if lifted != self._state.lifted:
            self._state = msgspec.structs.replace(self._state, lifted=lifted)
            self._next_report = 0.0
        if not self._enforcement.done():
            return
        now = self._clock()
        lag = self._state.lag
        if self._published:
            lag = max(0.0, now - self._published)
            metrics.APPLIED_SECONDS.observe(lag)
            self._published = 0.0
        generation, switch = self._given
        metrics.GENERATION.set(generation)
        if switch != self._state.switch:
            self._next_report = 0.0  # somebody waits for this word
        self._state = msgspec.structs.replace(
            self._state, applied_at=now, lag=lag, generation=generation, switch=switch
        )

    def _tell(self) -> None:
        self._state = msgspec.structs.replace(
            self._state,
            at=self._clock(),
            complete=self._complete,
            troubles=self._enforcement.troubles(),
            programs=[gateway.name for gateway in self.config.gateways],
            refused=dict(self._alarm.counts),
            canary=self._canary.first,
        )
        self._follower.report(reported(self._state))

    def _health(self) -> Health:
        degraded = [f"gateway {n}: {why}" for n, why in self._enforcement.troubles().items()]
        if self._follower.trouble:
            degraded.append(self._follower.trouble)
        degraded += filter(None, (self._trouble, self._switch.trouble))
        degraded += self._alarm.troubles()
        if self._state.lifted:
            degraded.append("the kill switch is pulled: nothing is enforced")
        failing = () if self._known else ("no decisions are known yet",)
        return Health(failing, tuple(degraded))

    # -- the snapshot -------------------------------------------------------------------------

    def _load(self) -> bool:
        """Whether there was one. Raises nothing: without it, the bus tells everything."""
        try:
            image = snapshot.read(self._snapshot)
            if self._canary.waits or not self._blocklist.adopt(image):  # others count here now
                now = self._clock()
                known = [one for one in image.decisions() if one.until > now]
                self._put_all(known, self._blocklist)
        except FileNotFoundError:
            return False
        except (OSError, ValueError) as error:
            log.warning(said("snapshot passed over", snapshot=self._snapshot, reason=error))
            return False
        log.info(said("snapshot read", snapshot=self._snapshot, decisions=len(self._blocklist)))
        return True

    def _save(self) -> None:
        try:
            snapshot.write(self._snapshot, self._blocklist.image(self._canary.made()))
        except OSError as error:
            trouble = f"{self._snapshot}: {error.strerror}"
            if trouble != self._trouble:
                log.error(said("snapshot failed", reason=trouble))
            self._trouble = trouble
            metrics.STORE_FAILURES.inc()
            return
        self._trouble = ""
        self._unsaved = False

    def _put_all(self, decisions: Sequence[Decision], known: Blocklist) -> None:
        for decision in decisions:
            self._admission.put(self._blocklist, decision, known)

    # -- parts of a configuration -------------------------------------------------------------

    def _new_enforcement(self) -> Enforcement:
        return Enforcement(self.config.gateways, self, lifted=self._lifted)

    def _lifted(self) -> bool:
        return self._switch.pulled or self.config.lifted()

    def _arrange(self) -> None:
        """Who tries decisions first, and what may come in."""
        self._canary = Canary(self.config.settings.response, self.host)
        self._admission = Admission(self._alarm, self._keys, self._canary, self._clock)
