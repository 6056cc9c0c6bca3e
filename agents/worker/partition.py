"""One partition of mail.facts: the records that live there and how far it has been read.

Without IO: the app hands in messages and the slots that it restored, and takes out what must be
made safe. One object lives from one assignment of the partition until its next revocation.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from agents.enforcing import Enforcing
from agents.enforcing import nobody as none_watched
from agents.listed import DELISTING
from agents.presence import Presence, nobody
from agents.record import Episode, Record, pack, unpack
from agents.running.hosts import HostWatch
from agents.running.listed import ListedWatch
from agents.shard import Outcome, Shard
from agents.worker import messages
from agents.worker.origins import Origins
from agents.worker.slots import Meta, Ring, Write
from schemas import wire
from schemas.events import Fact, Signal
from schemas.findings import Alert
from schemas.keys import Key
from schemas.settings import ListedSettings, Settings
from streams import metrics
from streams.said import said
from streams.shipping import heartbeat

log = logging.getLogger(__name__)

GIANT = 100_000  # bytes of a record: beyond it samples and lists go, then everything


def none_asked(memory: bytes) -> ListedWatch:
    return ListedWatch(ListedSettings(), memory, lambda: 0.0)


def none_checked(memory: bytes) -> HostWatch:
    return HostWatch(Settings(), "", memory, lambda: 0.0)


class Topic(Struct, frozen=True):
    """The topic that the partition belongs to, as its broker knows it."""

    id: str
    partitions: int


class Counts(Struct):
    """What happened since the counts were taken last."""

    messages: int = 0
    events: int = 0  # folded
    repeated: int = 0  # events that a shipper sent again
    replayed: int = 0  # messages that were absorbed before
    trimmed: int = 0  # records too large
    dropped: int = 0  # records that nothing can pack


class Partition:
    """Folds messages in the order of their offsets, each exactly once.

    Whatever was folded up to a flush is safe with it, all or nothing, together with the offset:
    after a crash the messages up to that offset are skipped. A record's own `absorbed` guards
    it besides, against a worker that wrote although it had lost the partition.

    `watch` makes the watch over the expected gateways whose keys lie here, from what an earlier
    life knew of them. Their time is the worker's: they are heard when a message is folded.
    `enforcing` does so for those that enforce; the worker tells it what it hears of them.
    `listed` asks block lists about those whose keys lie here, and `hosts` the servers of ours
    themselves, so that one worker asks for each.
    """

    def __init__(
        self,
        number: int,
        shard: Shard,
        topic: Topic,
        stored: Iterable[tuple[int, bytes]] = (),
        watch: Callable[[bytes], Presence] = nobody,
        enforcing: Callable[[bytes], Enforcing] = none_watched,
        listed: Callable[[bytes], ListedWatch] = none_asked,
        hosts: Callable[[bytes], HostWatch] = none_checked,
    ) -> None:
        self.number = number
        self.shard = shard
        self.ring = Ring()
        self.counts = Counts()
        self._topic = topic
        meta, records = self.ring.restore(stored)
        same = (meta.topic, meta.partitions) == (topic.id, topic.partitions)
        if records and not same:
            why = "offsets and positions begin afresh, what is known of the subjects stays"
            log.error(said("topic made anew", partition=number, meanwhile=why))
            records = {key: _unread(packed) for key, packed in records.items()}
        self.offset = meta.offset if same else -1  # of the newest message that was folded
        self._kept = self.offset  # by the newest slot
        self._origins = Origins(meta.origins if same else None)
        self.presence = watch(meta.presence)
        self.enforcing = enforcing(meta.enforcing)
        self.listed = listed(meta.listed)
        self.hosts = hosts(meta.hosts)
        self._alerts: list[Alert] = []  # about gateways
        shard.begun, shard.clock = meta.begun, meta.clock
        if meta.reporters:
            shard.reporters.restore(meta.reporters)
        for key, packed in records.items():
            shard.restore(key, packed)

    def fold(
        self, offset: int, value: bytes | None, found: Any, received: float, now: float
    ) -> list[messages.Dead]:
        """Fold the events of one message. `received` is when it was published, `now` the time
        by which decisions are made. Returns what could not be read."""
        self.counts.messages += 1
        if offset <= self.offset:  # read again after a crash or, by Faust, after a rebalance
            self.counts.replayed += 1
            return []
        self.offset = offset
        place = f"mail.facts/{self.number}:{offset}"
        events, bad = messages.read(value)
        letters = [messages.dead(reason, place, data, now) for reason, data in bad]
        origin, positions = messages.positions(messages.headers(found), len(events))
        repeated = self._origins.skip(origin, positions) if origin else 0
        self.counts.repeated += repeated
        shard = self.shard
        known = origin or place
        if self.presence:
            self._hear(events, now)
        for event in events[repeated:] if repeated else events:
            if event is None or (type(event) is Signal and event.kind == heartbeat.KIND):
                continue
            if type(event) is Signal and event.kind == DELISTING:
                self.listed.asked(event.finding, event.account, event.at)
                continue
            wrong = messages.wrong_time(event, received)
            if not wrong:
                try:
                    shard.fold(event, place=known, absorbed=offset, now=now)
                except Exception as error:  # poison must not stop the stream
                    metrics.BROKEN.inc()
                    wrong = f"cannot be folded: {error!r}"
                else:
                    self.counts.events += 1
                    continue
            letters.append(messages.dead(wrong, place, wire.encode(event), now))
        return letters

    def flush(self, now: float) -> tuple[Outcome, Write | None]:
        """What must be made safe: first the outcome, then the slots. None where nothing was
        folded since the last one."""
        shard = self.shard
        shard.drain(now)
        outcome = shard.take()
        said = self._alerts + self.presence.check(now) + self.listed.take() + self.hosts.take()
        self._alerts = []
        outcome.alerts += said
        if not shard.dirty and not said and self.offset == self._kept:
            return outcome, None
        self._kept = self.offset
        fresh: list[tuple[Key, bytes]] = []
        gone = []
        dirty, shard.dirty = shard.dirty, set()
        for key in dirty:
            record = shard.records.get(key)
            packed = self._packed(key, record) if record is not None else shard.frozen.get(key)
            if packed is None:
                gone.append(key)
            else:
                fresh.append((key, packed))
        meta = Meta(
            self._topic.id,
            self._topic.partitions,
            self.offset,
            shard.begun,
            shard.clock,
            self._origins.absorbed,
            self.presence.pack() if self.presence else b"",
            shard.reporters.pack(),
            self.enforcing.pack() if self.enforcing else b"",
            self.listed.pack(),
            self.hosts.pack(),
        )
        return outcome, self.ring.write(fresh, gone, meta, self._carry)

    def close(self) -> None:
        """Ask nobody any more."""
        self.listed.close()
        self.hosts.close()

    def tell(self, alerts: Iterable[Alert]) -> None:
        """Alerts to go out with the next flush."""
        self._alerts += alerts

    def _hear(self, events: list[Fact | None], now: float) -> None:
        """Note whose lines came, and whose shipper lives."""
        spoke = set()
        for event in events:
            if type(event) is Signal:
                if event.kind == heartbeat.KIND and event.detail == heartbeat.QUIET:
                    self.presence.alive(event.gateway, min(event.at, now))
                elif event.kind == heartbeat.KIND:
                    spoke.add(event.gateway)
            elif event is not None:
                spoke.add(event.gateway)
        self._alerts += self.presence.hear(spoke, now)

    def take_counts(self) -> Counts:
        counts, self.counts = self.counts, Counts()
        return counts

    def _carry(self, key: Key) -> bytes:
        """A record that was quiet for a whole round of the ring: from now on it stays packed."""
        packed = self.shard.frozen.get(key)
        if packed is None:
            packed = self._packed(key, self.shard.records[key]) or pack(Record())
            self.shard.freeze(key, packed)
        return packed

    def _packed(self, key: Key, record: Record) -> bytes | None:
        """The record, small enough for a slot. None where nothing can pack it: it is dropped."""
        try:
            packed = pack(record)
            if len(packed) > GIANT:
                self.counts.trimmed += 1
                trim(record)
                packed = pack(record)
            if len(packed) <= GIANT:
                return packed
        except (ValueError, TypeError, OverflowError) as error:  # a number beyond 64 bits
            log.error("a record cannot be packed: %s", error)
        self.counts.dropped += 1
        self.shard.records.pop(key, None)
        return None


def trim(record: Record) -> None:
    """Leave what a finding and its decision rest on; samples and names go."""
    record.recent.clear()
    for episode in record.episodes.values():
        _thin(episode)


def _thin(episode: Episode) -> None:
    episode.samples.clear()
    for names in (episode.clients, episode.accounts, episode.targets):
        del names[8:]


def _unread(packed: bytes) -> bytes:
    """The record as if it had absorbed nothing of the present topic."""
    try:
        record = unpack(packed)
    except ValueError:
        return packed
    record.absorbed = -1
    return pack(record)
