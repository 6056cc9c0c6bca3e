"""The whole of it in one process: sources -> reader -> shard -> store -> gateways and sinks.

One loop does the thinking, and it alone touches the store. Each turn reads what has come, folds
it, and, when it is due, makes everything safe in one transaction; only then are gateways and
sinks told, each in its own thread. A process killed at any point goes on at its last commit: the
lines behind it are read again into the state that they met the first time.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain

from agents.configuration import Config, build_blocklist, build_shard
from agents.incidents.taken import Taken
from agents.listed import DELISTING
from agents.operator.orders import release
from agents.presence import Presence
from agents.record import pack
from agents.running import intakes, reading
from agents.running.answering import Answering
from agents.running.enforcement import Enforcement
from agents.running.hosts import HostWatch
from agents.running.http import Health, Pulse
from agents.running.listed import ListedWatch
from agents.running.loop import Control, Opener
from agents.running.questions import Questions
from agents.single.checkpoint import ENFORCING, HOSTS, JOINER, LISTED, PRESENCE, Checkpoint
from agents.single.delivery import HELD, Delivery
from agents.single.standing import Standing
from agents.single.store import GATEWAYS, Store, StoreError
from schemas import wire
from schemas.audit import changed
from schemas.events import Fact, Signal
from schemas.findings import Alert, Decision
from streams import metrics, tracing
from streams.reader import DeadLine
from streams.said import said
from streams.sink import Sink
from streams.sources.follow import Lines

log = logging.getLogger(__name__)

FLUSH = 0.1  # seconds between two commits, at least
SHARE = 10.0  # a commit may take a tenth of the time, however much there is to write
AGAIN = 5.0  # seconds until a failed commit is tried again
LOOK = 0.25  # seconds between two looks for decisions of people
SECOND = 1.0
MINUTE = 60.0
HOUR = 3600.0
QUIET = 600.0  # seconds of event time after which a record is kept packed
PAUSES = (0.02, 0.1)  # seconds between two turns: right after lines came, and at rest


class Embedded(Answering):
    """`open_sources` is asked at the start and at each reload; `tell` hears of each alert after
    it is safe. `clock` is the wall clock: leases run by it, detection does not."""

    def __init__(
        self,
        config: Config,
        store: Store,
        open_sources: Opener,
        open_intakes: intakes.Opener = intakes.none,
        *,
        dead: Callable[[DeadLine], None] | None = None,
        tell: Callable[[Alert], None] = lambda alert: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(config, clock)
        self.pulse = Pulse()
        self._store = store
        self._open_sources = open_sources
        self._open_intakes = open_intakes
        self._dead = dead
        self._tell = tell
        self._shard = build_shard(config)
        self._checkpoint = Checkpoint(store, self._shard)
        positions = self._checkpoint.restore()
        self._first_start = not positions
        self._reader = reading.new_reader(config, dead, store.memory(JOINER))
        self._presence = self._new_presence(store.memory(PRESENCE))
        self._listed = ListedWatch(config.settings.listed, store.memory(LISTED), clock)
        self._hear_told(store.told())
        self._hosts = self._new_hosts(store.memory(HOSTS))
        self._questions = Questions(config.settings.listed.resolvers)
        config.phishing.watch()
        self._follow = open_sources(config, positions)
        self._intakes = open_intakes(config, positions)
        self._revised = store.revised()
        self._deliveries: list[Delivery] = []
        self._taken = Taken()
        self._judged = (0, 0.0)  # as far as it was learnt what people took on
        self._standing = self._new_standing(store.memory(ENFORCING))
        self._enforcement = Enforcement(())
        self._alerts: list[Alert] = []  # made by this loop itself
        self._read = False  # something was read since the last commit
        self._lines = 0  # read so far
        self._drained = 0  # of them, a second ago
        self._abandoned = False  # half of the history is in memory: not to be made safe
        self._next_flush = 0.0
        self._next_look = 0.0
        self._next_second = 0.0
        self._next_minute = 0.0
        self._next_hour = 0.0
        self._evicted = self._late = 0  # as told to the metrics; likewise:
        self._nobody = 0
        self._connect(store.decisions(clock()))

    # -- the loop -----------------------------------------------------------------------------

    def run(self, control: Control, *, once: bool = False) -> None:
        """Turn until told to stop; with `once`, until everything that lies there was read."""
        if self._first_start:
            if self.config.settings.logs.history and not self._read_history(control):
                return
            self.flush()  # from here on nothing is lost, whatever happens to us
        pause = PAUSES[0]
        while not control.stopped():
            config = control.reloaded()
            if config is not None:
                self.reload(config)
            before = self._lines
            if self.turn():
                continue
            if once:
                self._finish()
                return
            pause = PAUSES[0] if self._lines != before else min(pause * 1.5, PAUSES[1])
            time.sleep(pause)

    def turn(self) -> bool:
        """Read what has come, and do what is due; whether there is more to read at once."""
        self._take_answers()
        self._take_reported()  # before the logs, which tell of the same a moment later
        lines = self._fold(self._follow.turn())
        behind = sum(source.behind for source in self._follow.sources)
        if not behind:
            self._release()
        mails = self._take_mails()
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK
            self._look_for_manual()
            self._learn_taken()
        if now >= self._next_second:
            self._next_second = now + SECOND
            self._each_second()
        if now >= self._next_flush and self._has_news():
            self.flush()
        return bool((lines and behind) or (mails and self._intakes.behind))

    def _has_news(self) -> bool:
        """Whether there is something to make safe."""
        said = self._read or self._alerts or self._standing.fresh
        return bool(said or self._checkpoint.needed())

    def flush(self) -> bool:
        """Make everything safe, then tell gateways and sinks; whether it is safe now."""
        begun = time.monotonic()
        outcome = self._shard.take()
        alerts = list({alert.id: alert for alert in [*self._alerts, *outcome.alerts]}.values())
        self._alerts = []
        self._checkpoint.add(alerts, outcome.decisions, [d.sink.name for d in self._deliveries])
        self._checkpoint.note([*self._audit.take(), *map(changed, outcome.changes)])
        for delivery in self._deliveries:
            self._checkpoint.told(delivery.told())
        memory = {JOINER: self._reader.pack(), PRESENCE: self._presence.pack()}
        memory[LISTED], memory[HOSTS] = self._listed.pack(), self._hosts.pack()
        memory[ENFORCING], memory[GATEWAYS] = self._standing.pack(), self._standing.said()
        before = self._checkpoint.trouble
        positions = {**self._follow.positions(), **self._intakes.positions()}
        safe = self._checkpoint.commit(positions, memory, self._clock())
        if safe:
            self._intakes.safe()
        if safe and before:  # a reload may have let go of what could not be written then
            for delivery in self._deliveries:
                self._give(delivery)
        self._read = False
        self._questions.ask(outcome.questions)
        self._say(alerts, outcome.decisions)
        took = time.monotonic() - begun
        metrics.FLUSH_SECONDS.observe(took)
        self._next_flush = begun + (max(FLUSH, SHARE * took) if safe else AGAIN)
        return safe

    def reload(self, config: Config) -> None:
        """Go on with another configuration and the same memory."""
        self.flush()
        self._disconnect()
        self.config.phishing.close()
        self.config = config
        config.phishing.watch()
        fresh = build_shard(config)
        self._shard.adopt(fresh.engine, fresh.response)
        self._count_nobody()
        self._reader = reading.new_reader(config, self._dead, self._reader.pack())
        self._nobody = 0  # a new reader counts from nothing
        self._presence = self._new_presence(self._presence.pack())
        self._standing = self._new_standing(self._standing.pack())
        self._listed.close()
        self._alerts += self._listed.take()
        self._listed = ListedWatch(config.settings.listed, self._listed.pack(), self._clock)
        self._hosts.close()
        self._alerts += self._hosts.take()
        self._hosts = self._new_hosts(self._hosts.pack())
        self._take_answers()
        self._questions.close()
        self._questions = Questions(config.settings.listed.resolvers)
        positions = {**self._follow.positions(), **self._intakes.positions()}
        self._follow.close()
        self._intakes.close()
        self._follow = self._open_sources(config, positions)
        self._intakes = self._open_intakes(config, positions)
        decisions = list(self._blocklist)
        self._blocklist = build_blocklist(config)
        self._connect(decisions)

    def close(self) -> None:
        """Make everything safe, let go of everything."""
        self._listed.close()
        self._hosts.close()
        self._questions.close()
        self.config.phishing.close()
        if not self._abandoned:
            self.flush()
        self._disconnect()
        if not self._abandoned:
            self.flush()
        self._follow.close()
        self._intakes.close()

    @property
    def phishing(self) -> frozenset[str]:
        """Nobody is refused where we only observe."""
        return super().phishing if self.config.settings.response.enforce else frozenset()

    # -- reading ------------------------------------------------------------------------------

    def _read_history(self, control: Control) -> bool:
        """Read the older parts of all files as one, merged by time. Nothing is safe before the
        end of it: a process that ends earlier begins anew. Whether it was read."""
        log.info("history begins; nothing is enforced for what is old")
        stopped = False

        def watched(lines: Lines) -> Lines:
            nonlocal stopped
            for count, line in enumerate(lines):
                if not count % 10_000:
                    self.pulse.beat(Health(degraded=("reads the history of the logs",)))
                    stopped = stopped or control.stopped()
                if stopped:
                    return
                yield line

        lines = self._fold([(name, watched(lines)) for name, lines in self._follow.history()])
        self._abandoned = stopped
        log.info(said("history abandoned" if stopped else "history read", lines=lines))
        return not stopped

    def _fold(self, sources: list[tuple[str, Lines]]) -> int:
        """Read and fold; returns how many lines there were."""
        counts = Counter[str]()
        filled = []
        for name, lines in sources:
            first = next(lines, None)
            if first is not None:
                filled.append((name, _counted(name, chain((first,), lines), counts)))
        if not filled:
            return 0
        self._reader.tell(self._clock())
        self._absorb(self._reader.read(filled))
        for name, count in counts.items():
            metrics.LINES.labels(name).inc(count)
        self._read = True
        self._lines += counts.total()
        return counts.total()

    def _take_mails(self) -> int:
        """Fold what came as mails; returns how many there were."""
        count = 0
        for name, mails, events in self._intakes.take():
            self._absorb((name, event) for event in events)
            metrics.MAILS.labels(name).inc(mails)
            self._read = True
            count += mails
        return count

    def _take_reported(self) -> None:
        """Fold what the gateways saw themselves."""
        events = self._inbox.take()
        if events:
            self._absorb((f"gateway {event.source}", event) for event in events)

    def _take_answers(self) -> None:
        """Fold what the DNS says of clients that detectors asked about."""
        answers = self._questions.take()
        if answers:
            self._absorb(("DNS", answer) for answer in answers)

    def _release(self) -> None:
        """Nothing more has come: what waited for it may go."""
        self._absorb(self._reader.advance(self._clock()))

    def _finish(self) -> None:
        """All is read: release what waits, tell what is open, wait until the sinks know."""
        self._absorb(self._reader.close())
        self._drain(self._clock())
        self.flush()
        for delivery in self._deliveries:
            delivery.hurry()
        until = time.monotonic() + 30
        while time.monotonic() < until and not all(d.idle() for d in self._deliveries):
            if any(d.trouble for d in self._deliveries):
                break
            time.sleep(PAUSES[0])

    def _absorb(self, events: Iterable[tuple[str, Fact]]) -> None:
        now = self._clock()
        counts = Counter[str]()
        gateways = set()
        newest = 0.0
        for name, event in events:
            try:
                self._shard.fold(event, place=name, now=now)
            except Exception as error:
                self._poisoned(name, event, error)
            counts[name] += 1
            gateways.add(event.gateway)
            newest = event.at
        if not counts:
            return
        self._read = True
        for name, count in counts.items():
            metrics.EVENTS.labels(name).inc(count)
        metrics.LAG.set(max(0.0, now - newest))
        self._alerts += self._presence.hear(gateways, now)

    def _poisoned(self, name: str, event: Fact, error: Exception) -> None:
        """An event that cannot be folded stops nothing: it is passed over, and put aside."""
        metrics.BROKEN.inc()
        if self._dead is not None:
            text = wire.encode(event).decode()
            self._dead(DeadLine(f"cannot be folded: {error!r}", name, event.offset, text))

    # -- now and then -------------------------------------------------------------------------

    def _each_second(self) -> None:
        now = self._clock()
        shard = self._shard
        if self._lines == self._drained:
            self._drain(now)
        self._drained = self._lines
        self._alerts += self._presence.check(now)
        self._checkpoint.note(self._audit.take())
        self._alerts += self._standing.look(self._enforcement, now)
        self._alerts += self._listed.take() + self._hosts.take()
        if self._blocklist.expire(now):
            self._enforce(now)
        metrics.RECORDS.set(len(shard))
        metrics.EVICTIONS.inc(shard.evicted - self._evicted)
        self._evicted = shard.evicted
        metrics.LATE.inc(shard.late - self._late)
        self._late = shard.late
        metrics.GATEWAYS_SILENT.set(len(self._presence.silent()))
        self._count_nobody()
        for source in self._follow.sources:
            metrics.SOURCE_UP.labels(source.name).set(not source.trouble)
            metrics.BEHIND.labels(source.name).set(source.behind)
        self.pulse.beat(self._health())
        self._refill()
        if time.monotonic() >= self._next_minute:
            self._next_minute = time.monotonic() + MINUTE
            self._freeze()
        if time.monotonic() >= self._next_hour:
            self._next_hour = time.monotonic() + HOUR
            self._each_hour(now)

    def _count_nobody(self) -> None:
        nobody = self._reader.counts.nobody
        metrics.NOBODY.inc(nobody - self._nobody)
        self._nobody = nobody

    def _drain(self, now: float) -> None:
        """Nothing has come for a second: what is open is told as it stands."""
        try:
            self._shard.drain(now)
        except Exception:
            metrics.BROKEN.inc()
            log.exception("a finding cannot be told")

    def _freeze(self) -> None:
        """Records that have been quiet take a tenth of the room when they are packed."""
        old = self._shard.clock - QUIET
        records = self._shard.records
        quiet = [key for key, record in records.items() if record.last < old]
        self._shard.frozen.deflate([(key, pack(records.pop(key))) for key in quiet])

    def _each_hour(self, now: float) -> None:
        try:
            storage = self.config.settings.storage
            self._store.retire(now, storage.keep_days, storage.audit_days)
        except StoreError as error:
            log.warning(said("store failed", reason=error, task="forgetting old alerts"))

    def _look_for_manual(self) -> None:
        """A person may have put or removed decisions with another command."""
        now = self._clock()
        try:
            revised = self._store.revised()
            if revised == self._revised:
                return
            stored = {decision.id: decision for decision in self._store.decisions(now)}
            self._hear_told(self._store.told())
        except StoreError as error:
            log.warning(said("store failed", reason=error, task="looking for decisions"))
            return
        self._revised = revised
        for decision in list(self._blocklist):
            if stored.get(decision.id) != decision and not self._checkpoint.waits(decision.id):
                self._blocklist.remove(decision.id)
        known = {decision.id for decision in self._blocklist}
        for decision in stored.values():
            self._blocklist.put(decision)
            released = release(decision, self._shard.clock or now)
            if released is not None and decision.id not in known:
                self._shard.fold(released, now=now)
        self._enforce(now)

    def _hear_told(self, words: Iterable[Signal]) -> None:
        """What persons told with other commands; to hear it again changes nothing."""
        for word in words:
            if word.kind == DELISTING:
                self._listed.asked(word.finding, word.account, word.at)

    def _health(self) -> Health:
        troubles = {**self._follow.troubles(), **self._intakes.troubles()}
        failing = [f"{name}: {trouble}" for name, trouble in troubles.items()]
        if self._checkpoint.trouble:
            failing.append(self._checkpoint.trouble)
        degraded = [
            f"gateway {name}: {trouble}" for name, trouble in self._enforcement.troubles().items()
        ]
        degraded += [f"sink {d.sink.name}: {d.trouble}" for d in self._deliveries if d.trouble]
        degraded += [f"{name} is silent" for name in self._presence.silent()]
        degraded += [f"{name}: {why}" for name, why in self._listed.troubles().items()]
        return Health(tuple(failing), tuple(degraded))

    # -- out ----------------------------------------------------------------------------------

    def _say(self, alerts: list[Alert], decisions: list[Decision]) -> None:
        for alert in alerts:
            metrics.FINDINGS.labels(alert.detector, alert.severity).inc()
        tracing.made(alerts, self._clock())
        told = [alert for alert in alerts if alert.stage != "observe"]
        for alert in told:
            self._tell(alert)
        for delivery in self._deliveries:
            delivery.put(told)
        for decision in decisions:
            metrics.DECISIONS.labels(decision.action, str(decision.enforced).lower()).inc()
            self._blocklist.put(decision)
        if decisions:
            self._enforce(self._clock())

    def _enforce(self, now: float) -> None:
        decisions = self._blocklist.in_force(now)
        metrics.IN_FORCE.set(len(decisions))
        self._standing.count(decisions)
        self._enforcement.put(decisions)

    def _refill(self) -> None:
        """What a sink was owed beyond what fits into memory."""
        for delivery in self._deliveries:
            room = delivery.wants()
            if room and self.flush():
                self._give(delivery, room)

    def _give(self, delivery: Delivery, asked: int = HELD + 1) -> None:
        """Hand over what is owed; what cannot be read now is asked for again."""
        try:
            delivery.refill(self._store.owed(delivery.sink.name, asked), asked)
        except StoreError as error:
            log.error(said("store failed", reason=error, task="looking for what is owed"))
            delivery.refill((), 0)

    def _owed(self, sink: Sink) -> list[Alert]:
        try:
            return self._store.owed(sink.name, HELD + 1)
        except StoreError as error:
            log.error(said("store failed", reason=error, task="looking for what is owed"))
            return []

    def _connect(self, decisions: Iterable[Decision]) -> None:
        """Take up gateways with the decisions in force, and sinks with what they are owed."""
        for decision in decisions:
            self._blocklist.put(decision)
        self._enforcement = Enforcement(self.config.gateways, self, lifted=self.config.lifted)
        self._enforce(self._clock())
        try:
            self._store.forget_sinks([sink.name for sink in self.config.sinks])
        except StoreError as error:
            log.warning(said("store failed", reason=error, task="forgetting former sinks"))
        self._learn_taken()
        for sink in self.config.sinks:
            sink.case = self._taken.of
        self._deliveries = [
            Delivery(sink, self._owed(sink), taken=self._taken, clock=self._clock)
            for sink in self.config.sinks
        ]

    def _learn_taken(self) -> None:
        """What people took on, where a sink waits for that."""
        if any(sink.settings.unacknowledged or sink.people for sink in self.config.sinks):
            try:
                judged = self._store.judged()
                if judged != self._judged:
                    self._taken.learn(self._store.cases())
                    self._judged = judged
            except StoreError as error:
                log.warning(said("store failed", reason=error, task="looking for cases"))

    def _disconnect(self) -> None:
        self._enforcement.close()
        for delivery in self._deliveries:
            delivery.close()

    # -- parts of a configuration -------------------------------------------------------------

    def _new_presence(self, memory: bytes) -> Presence:
        site = self.config.settings.site
        return Presence(site.gateways, site.silent_after, self._clock(), memory)

    def _new_hosts(self, memory: bytes) -> HostWatch:
        config = self.config
        return HostWatch(config.settings, config.site.default_domain, memory, self._clock)

    def _new_standing(self, memory: bytes) -> Standing:
        return Standing(self.config, self.host, memory)


def _counted(name: str, lines: Lines, counts: Counter[str]) -> Lines:
    for line in lines:
        counts[name] += 1
        yield line
