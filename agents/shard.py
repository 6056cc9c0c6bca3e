"""Everything that is known of the subjects of one partition, and what it concludes.

Records, engine and response in one, without IO and without a clock: the worker keeps one for
each partition, the single process one for all, replay and tests the same. An event is folded
for those of its keys that live here; signals to keys that live here are folded at once, others
wait in `Outcome.signals` for the bus. Records that have long been quiet can be kept packed.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct, field, structs

from agents.detector import Question
from agents.engine import WARM, Engine, Listeners
from agents.frozen import Frozen
from agents.record import Record, pack, unpack, worth
from agents.reporters import Reporters
from agents.response import Response
from agents.windows import DAY, Past
from schemas import keys
from schemas.events import Auth, Change, Fact, Signal
from schemas.findings import Alert, Decision, Evidence, Finding, Subject
from schemas.keys import Key

LATE = 300.0  # seconds behind the newest event: until then the order of events changes nothing
SWEEP = 3600.0  # seconds of event time between two looks for what can be forgotten
DRAIN = 10.0  # seconds of event time between two drains, so that every run tells alike
HOT = 20_000  # records that are kept unpacked
KEPT = 30 * DAY  # what succeeded is remembered so long
CHANGES = 1000  # that are kept until somebody takes them
HOPS = 8  # signals that one event may cause in a row


class Outcome(Struct):
    """What came of it, in order, for the bus or whoever asked."""

    alerts: list[Alert] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)  # of accounts about which something stands


class Shard:
    """`mine` tells which keys live here. `limit` bounds the records; beyond it those that were
    longest quiet go, and `evicted` counts them."""

    def __init__(
        self,
        engine: Engine,
        response: Response,
        mine: Callable[[Key], bool] | None = None,
        limit: int = 400_000,
    ) -> None:
        self.adopt(engine, response)
        self.records: dict[Key, Record] = {}
        self.frozen = Frozen()  # further records, packed; none is in both
        self.dirty: set[Key] = set()
        self.outcome = Outcome()
        self.reporters = Reporters()
        self.begun = 0.0  # event time of the first event ever: tells a cold start
        self.clock = 0.0  # newest event time
        self.evicted = 0
        self.late = 0  # events more than LATE behind: folded where their slice is still kept
        self.unreadable = 0  # packed records that could not be unpacked: begun anew
        self._mine = mine
        self._limit = limit
        self._pending: set[Key] = set()
        self._message = -1  # the offset that is being folded
        self._touched: set[Key] = set()  # keys that this message has reached already
        self._swept = 0.0
        self._drained = 0.0
        self._grown = False  # a record was added since the bounds were looked at

    def fold(self, event: Fact, *, place: str = "", absorbed: int = -1, now: float = 0.0) -> None:
        """Fold one event into the records of its keys that live here.

        `absorbed` is the offset of the message that the event came in (-1: there is none): a
        record that absorbed this offset or a later one in an earlier life skips the event.
        `now` is the time by which decisions are made; 0: event time.
        """
        if absorbed != self._message:
            self._message = absorbed
            self._touched.clear()
        at = event.at
        drain = False
        if at > self.clock:
            if not self.begun:
                self.begun = at
            drain = at >= self._drained + DRAIN
            self.clock = at
        elif at < self.clock - LATE:
            self.late += 1
        engine = self.engine
        listeners = engine.listeners(event)
        if type(event) is Auth:
            news = self.reporters.hear(event)
            if news is not event:
                listeners = engine.enriched if news is not None else {}
                event = news or event
        about = keys.keys(event, engine.site) if listeners else ()
        if about:
            engine.look(event, cold=self.clock - self.begun < WARM, place=place)
            mine = self._mine
            for key in about:
                heard = listeners.get(key[0])
                if heard is not None and (mine is None or mine(key)):
                    self._fold(event, key, heard, absorbed)
            if engine.findings or engine.signals or engine.questions:
                self._settle(place, absorbed, now)
            if type(event) is Change:
                self._note(event, about)
        if drain:
            self._drained = at // DRAIN * DRAIN
            self.drain(now)
            if at - self._swept > SWEEP:
                self.sweep()
        if self._grown:
            self._grown = False
            if len(self.records) > HOT:
                self._cool()
            if len(self) > self._limit:
                self.sweep()

    def drain(self, now: float = 0.0) -> None:
        """Tell what is open and has grown since it was told last."""
        pending, self._pending = self._pending, set()
        for key in sorted(pending):
            if key not in self:
                continue
            record = self._record(key)
            if self.engine.pending(record):
                self.engine.drain(key, record, cold=self.cold)
                self.dirty.add(key)
        self._settle("", -1, now)

    def weigh(self, key: Key, at: float) -> list[tuple[str, list[Evidence]]]:
        """Each detector's counts of a subject beside their thresholds."""
        if key not in self:
            return []
        return list(self.engine.weigh(key, self._record(key), at, cold=self.cold))

    def take(self) -> Outcome:
        """What came of it since the last call."""
        outcome, self.outcome = self.outcome, Outcome()
        return outcome

    def adopt(self, engine: Engine, response: Response) -> None:
        """Go on with other settings and the same memory."""
        self.engine, self.response = engine, response
        engine.surround(self._around)

    @property
    def cold(self) -> bool:
        """Too little was seen yet to rest a silence on the past."""
        return self.clock - self.begun < WARM

    def __len__(self) -> int:
        return len(self.records) + len(self.frozen)

    def __contains__(self, key: Key) -> bool:
        return key in self.records or key in self.frozen

    def freeze(self, key: Key, packed: bytes) -> None:
        """Keep the record of `key` as `packed`, which is its present content or, after a
        restart, what was kept of it."""
        self.records.pop(key, None)
        self.frozen.put(key, packed)

    def restore(self, key: Key, packed: bytes) -> None:
        """Take up the record of `key` where an earlier process left it; what that had not told
        yet is told by the next `drain`."""
        self.freeze(key, packed)
        if worth(packed)[0]:
            self._pending.add(key)

    def sweep(self) -> None:
        """Forget what has nothing left to remember; evict what is over the limit. What is known
        of the site as a whole stays: it is little, and it is the past of everything."""
        before, self._swept = self._swept, self.clock
        old = self.clock - self.engine.horizon
        due = [key for key, kept in self.frozen.worths() if self._is_due(kept[2], before)]
        for key in due:
            self._thaw(key)
            self.dirty.add(key)
        gone = [
            key
            for key, record in self.records.items()
            if key[0] != "s" and self._forgettable(record, old)
        ]
        for key in gone:
            del self.records[key]
            self.dirty.add(key)
        if len(self) > self._limit:
            order = {key: _worth(record) for key, record in self.records.items()}
            order |= dict(self.frozen.worths())
            order = {key: value for key, value in order.items() if key[0] != "s"}
            quiet = sorted(order, key=order.__getitem__)[: len(self) - int(self._limit * 0.9)]
            for key in quiet:
                self.records.pop(key, None)
                self.frozen.pop(key)
                self.dirty.add(key)
            self.evicted += len(quiet)

    def _forgettable(self, record: Record, old: float) -> bool:
        if record.last >= old:
            return False
        for name in list(record.states):
            if record.last < self.clock - self.engine.memory.get(name, 0.0):
                del record.states[name]
        record.recent.clear()
        for name in [n for n, episode in record.episodes.items() if episode.last < old]:
            del record.episodes[name]
        record.past.forget(self.clock)
        for kind in [k for k, s in record.sentences.items() if s.until < self.clock - 8 * 7 * DAY]:
            del record.sentences[kind]
        return not (record.states or record.episodes or record.past.seen or record.sentences)

    def _is_due(self, last: float, before: float) -> bool:
        """Whether a packed record has outlived, since the sweep `before`, one of the spans after
        which something in it is forgotten."""
        spans = {self.engine.horizon, *self.engine.memory.values(), KEPT}
        return any(before - last <= span < self.clock - last for span in spans)

    def _fold(self, event: Fact, key: Key, listeners: Listeners, absorbed: int) -> None:
        record = self.records.get(key)
        if record is None:
            record = self._thaw(key)
        if absorbed >= 0:
            if record.absorbed < absorbed:
                record.absorbed = absorbed
            elif key not in self._touched:
                return
            self._touched.add(key)
        self.engine.fold(event, key, record, listeners)
        self.dirty.add(key)
        if record.episodes:
            self._pending.add(key)

    def _note(self, event: Change, about: Iterable[Key]) -> None:
        """Keep for the trail what happened to an account that something was found about."""
        mine = self._mine
        for key in about:
            if key[0] == "m" and key in self and (mine is None or mine(key)):
                if self._record(key).episodes and len(self.outcome.changes) < CHANGES:
                    # The account is named as its alerts name it.
                    self.outcome.changes.append(structs.replace(event, account=key[2:]))
                return

    def _record(self, key: Key) -> Record:
        record = self.records.get(key)
        return self._thaw(key) if record is None else record

    def _thaw(self, key: Key) -> Record:
        """The record of a key that is not in `records`: unpacked, else a new one."""
        packed = self.frozen.pop(key)
        record = Record()
        if packed is not None:
            try:
                record = unpack(packed)
            except ValueError:
                self.unreadable += 1
        self.records[key] = record
        self._grown = True
        return record

    def _cool(self) -> None:
        """Pack the half of the records that was quiet the longest: a packed one takes a tenth
        of the memory."""
        order = sorted(self.records, key=lambda key: self.records[key].last)
        self.frozen.deflate([(key, pack(self.records.pop(key))) for key in order[: HOT // 2]])

    def _around(self, key: Key) -> Past | None:
        """The past of the network around a client: its record lives in the same partition."""
        network = keys.route(key)
        if network in self.records or network in self.frozen:
            return self._record(network).past
        return None

    def _settle(self, place: str, absorbed: int, now: float) -> None:
        """Answer findings, deliver signals; a signal may cause further ones, a bounded number."""
        engine = self.engine
        for _ in range(HOPS):
            findings, engine.findings = engine.findings, []
            signals, engine.signals = engine.signals, []
            for finding in findings:
                self._answer(finding, now)
            if engine.questions:
                self.outcome.questions += engine.questions
                engine.questions = []
            if not signals:
                return
            for signal in signals:
                if self._mine is None or self._mine(signal.about):
                    heard = engine.listeners(signal).get(signal.about[0])
                    if heard:
                        engine.look(signal, cold=self.cold, place=place)
                        self._fold(signal, signal.about, heard, absorbed)
                else:
                    self.outcome.signals.append(signal)

    def _answer(self, finding: Finding, now: float) -> None:
        key = key_of(finding.subject)
        record = self._record(key)
        alert, decision = self.response.answer(finding, record.sentences, now or self.clock)
        self.outcome.alerts.append(alert)
        if decision is not None:
            self.outcome.decisions.append(decision)


def _worth(record: Record) -> tuple[bool, bool, float]:
    """What is evicted first: no finding, no past, longest quiet."""
    return (bool(record.episodes), bool(record.past.seen), record.last)


_LETTER = {kind: letter for letter, kind in keys.KINDS.items()}


def key_of(subject: Subject) -> Key:
    """The key of the record that findings about a subject come from."""
    return f"{_LETTER[subject.kind]}:{subject.value}"
