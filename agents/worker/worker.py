"""The worker: Faust's agents, timers and signals around the partitions.

Faust delivers, restores and rebalances. Here is only what to take of that, when to flush, and
when to stop: between a revocation and the next recovery nothing is folded, and each partition is
folded in the order of its offsets (`order`).
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from faust.types import TP
from msgspec import structs

from agents.configuration import Config, build_shard, signing
from agents.enforcing import Enforcing
from agents.presence import Presence
from agents.running.hosts import HostWatch
from agents.running.http import Health, Pulse
from agents.running.listed import ListedWatch
from agents.running.questions import Questions
from agents.shard import Shard
from agents.worker.app import App
from agents.worker.client import committed_offsets, connected, ends, read_from
from agents.worker.flush import Flusher, Send, flush
from agents.worker.gateways import Hearing
from agents.worker.letters import Letters
from agents.worker.order import Order, Verdict
from agents.worker.partition import Partition, Topic
from agents.worker.router import Router
from agents.worker.table import Slots
from schemas import keys
from schemas.settings import KafkaSettings
from streams import metrics
from streams.bus import BusError
from streams.kafka_lookup import Lookup
from streams.said import said

log = logging.getLogger(__name__)

FLUSH = 1.0  # seconds between two flushes
BEAT = 1.0  # seconds between two words about how it does, also while a flush waits for a broker
ROUTE = 0.05  # seconds that an event of mail.events waits for others
UNFLUSHED = 100_000  # events that may wait for a flush before the stream waits for it
UNROUTED = 2_000


class Worker:
    """`reloaded` is asked each second for a configuration to go on with, each once; `hearing`
    hears the gateways that enforce."""

    def __init__(
        self,
        config: Config,
        app: App,
        topic: Topic,
        reloaded: Callable[[], Config | None] = lambda: None,
        lookup: Callable[[KafkaSettings], Lookup] = Lookup,
        hearing: Hearing | None = None,
    ) -> None:
        settings = config.settings.kafka
        self._hearing = hearing
        self._lookup = lookup(settings)
        self._reloaded = reloaded
        self.app = app
        self.folded = 0  # messages, ever: whether there is progress
        self.reached = False  # a broker answers, as the watchdog sees it
        self.pulse = Pulse()
        self._config = config
        config.phishing.watch()
        self._topic = topic
        self._facts = settings.prefix + "mail.facts"
        self._events = settings.prefix + "mail.events"
        self.sources = frozenset({self._facts, self._events})
        self._partitions: dict[int, Partition] = {}
        self._assigned: frozenset[TP] = frozenset()  # of mail.facts and mail.events
        self._committed: dict[TP, int] = {}  # when they were assigned
        self._order = Order()
        self._unacked: list[Any] = []
        self._unflushed = 0
        self._live = False  # partitions are assigned and restored
        self._term = 0  # of assignments and revocations
        self._failed = False  # nothing may be acked any more: it would pass over what is not safe
        self._flushing = asyncio.Lock()
        self._letters = Letters()
        self._router = Router(config.site, topic.partitions, config.settings.site.silent_after)
        self._unrouted: list[Any] = []
        self._routing = asyncio.Lock()
        self._slots = Slots(app, topic.partitions)
        signing_keys = signing(config)
        self._questions = Questions(config.settings.listed.resolvers)
        self._flusher = Flusher(app, self._slots, settings.prefix, topic.partitions, signing_keys)
        self._declare()

    def _declare(self) -> None:
        app = self.app
        raw: dict[str, Any] = {
            "key_type": bytes,
            "value_type": bytes,
            "key_serializer": "raw",
            "value_serializer": "raw",
        }
        app.agent(app.topic(self._facts, **raw), name="facts")(self.fold)
        app.agent(app.topic(self._events, **raw), name="events")(self.route)

        @app.timer(FLUSH)
        async def on_second() -> None:
            await self.tick()

        @app.timer(BEAT)
        async def on_beat() -> None:
            self.pulse.beat(self._health())

        @app.on_partitions_revoked.connect
        async def on_revoked(*_: Any, **__: Any) -> None:
            await self.revoked()

        @app.on_partitions_assigned.connect
        async def on_assigned(*told: Any, **__: Any) -> None:
            self.assigned(place for place in told[-1] if place.topic in self.sources)

        @app.on_before_shutdown.connect
        async def on_shutdown(*_: Any, **__: Any) -> None:
            await self.flush()

        self._slots.on_restored(self.restored)
        # Faust keeps weak references to what is connected.
        self._handlers = (on_revoked, on_assigned, on_shutdown)

    # -- mail.facts ---------------------------------------------------------------------------

    async def fold(self, stream: Any) -> None:
        """The agent of mail.facts."""
        async for event in _manual(stream):
            message = event.message
            if not await self._is_next(message):
                continue
            partition = self._partitions[message.partition]
            now = time.time()
            before = partition.counts.events
            letters = partition.fold(
                message.offset, event.value, message.headers, min(message.timestamp, now), now
            )
            self._letters.add(letters)
            self._unacked.append(event)
            self.folded += 1
            self._unflushed += partition.counts.events - before
            if self._unflushed > UNFLUSHED:
                await self.flush()

    def _load(self, number: int) -> Partition:
        began = time.monotonic()
        shard = self._new_shard(number)
        stored = self._slots.of(number)
        overdue = self._config.settings.response.overdue
        partition = Partition(
            number,
            shard,
            self._topic,
            stored,
            self._watch(number),
            lambda state: Enforcing(overdue, state),
            self._asking(number),
            self._checking(number),
        )
        self._partitions[number] = partition
        place = TP(self._facts, number)
        # What was folded is known best by what was kept of it; the group may be behind.
        kept = partition.offset + 1 or self._committed.get(place, 0)
        self._order.begin(place, kept)
        log.info(
            said(
                "partition taken",
                partition=number,
                records=len(shard),
                offset=partition.offset,
                seconds=round(time.monotonic() - began, 3),
            )
        )
        return partition

    def _new_shard(self, number: int) -> Shard:
        count = self._topic.partitions
        return build_shard(
            self._config, lambda key: keys.partition(key, count) == number, 1.0 / count
        )

    def _watch(self, number: int) -> Callable[[bytes], Presence]:
        """Makes the watch over the expected gateways of a partition, from now on."""
        site, count = self._config.settings.site, self._topic.partitions
        mine = [name for name in site.gateways if keys.partition(f"g:{name}", count) == number]
        now = time.time()
        return lambda state: Presence(mine, site.silent_after, now, state)

    def _asking(self, number: int) -> Callable[[bytes], ListedWatch]:
        """Makes the one who asks block lists about the gateways whose keys lie in a partition."""
        listed, count = self._config.settings.listed, self._topic.partitions
        mine = tuple(g for g in listed.gateways if keys.partition(f"g:{g}", count) == number)
        settings = structs.replace(listed, gateways=mine)
        return lambda memory: ListedWatch(settings, memory, time.time)

    def _checking(self, number: int) -> Callable[[bytes], HostWatch]:
        """Makes the one who checks those servers of ours whose keys lie in a partition."""
        settings, count = self._config.settings, self._topic.partitions
        names = settings.hosts.names
        mine = tuple(name for name in names if keys.partition(f"g:{name}", count) == number)
        settings = structs.replace(settings, hosts=structs.replace(settings.hosts, names=mine))
        domain = self._config.site.default_domain
        return lambda memory: HostWatch(settings, domain, memory, time.time)

    # -- mail.events --------------------------------------------------------------------------

    async def route(self, stream: Any) -> None:
        """The agent of mail.events."""
        async for event in _manual(stream):
            message = event.message
            if not await self._is_next(message):
                continue
            now = time.time()
            self._letters.add(
                self._router.add(
                    message.partition,
                    message.offset,
                    event.value,
                    min(message.timestamp, now),
                    now,
                )
            )
            if not self._unrouted:
                self.app.add_future(self._send_soon())
            self._unrouted.append(event)
            self.folded += 1
            if self._router.waiting >= UNROUTED:
                await self.send_routed()

    async def _send_soon(self) -> None:
        await asyncio.sleep(ROUTE)
        await self.send_routed()

    async def send_routed(self) -> None:
        await asyncio.shield(self._send_routed())

    async def _send_routed(self) -> None:
        async with self._routing, self._safely() as safe:
            if not safe or not self._unrouted:
                return
            events, self._unrouted = self._unrouted, []
            batches = self._router.take()
            await self._flusher.send(
                Send("mail.facts", None, batch.value, batch.partition, batch.headers)
                for batch in batches
            )
            await self._flusher.ack(events)

    # -- when ---------------------------------------------------------------------------------

    async def tick(self) -> None:
        """Once a second."""
        config = self._reloaded()
        if config is not None:
            self.reload(config)
        if not self._live or self.app.rebalancing:
            return
        await self._read_missing()
        if not connected(self.app):
            for partition in self._partitions.values():
                partition.presence.deaf(time.time())
                partition.enforcing.deaf(time.time())
        elif self._hearing is not None:
            self._watch_gateways(self._hearing, time.time())
        await self._beat()
        await self._answer()
        await self.flush()

    def reload(self, config: Config) -> None:
        """Go on with other settings and the same memory. Those of Kafka and of the server of
        metrics stay as they are until the next start."""
        self._config.phishing.close()
        self._questions.close()
        self._questions = Questions(config.settings.listed.resolvers)
        self._config = config
        config.phishing.watch()
        self._router.site = config.site
        self._router.heartbeats.silent_after = config.settings.site.silent_after
        for number, partition in self._partitions.items():
            fresh = self._new_shard(number)
            partition.shard.adopt(fresh.engine, fresh.response)
            partition.presence = self._watch(number)(partition.presence.pack())
            partition.close()
            partition.tell([*partition.listed.take(), *partition.hosts.take()])
            partition.listed = self._asking(number)(partition.listed.pack())
            partition.hosts = self._checking(number)(partition.hosts.pack())

    def _watch_gateways(self, hearing: Hearing, now: float) -> None:
        """Whether the gateways whose keys lie here enforce what is decided."""
        expected = hearing.expected(now)
        states = hearing.states
        for number, partition in self._partitions.items():
            enforcing = partition.enforcing
            for name in enforcing.names():
                if name not in states and hearing.complete:
                    partition.tell(enforcing.forget(name, now))
            for name, state in states.items():
                if keys.partition(f"g:{name}", self._topic.partitions) == number:
                    enforcing.hear(state, now)
            if hearing.complete:
                partition.tell(enforcing.check(now, expected))
            else:
                enforcing.deaf(now)

    def _health(self) -> Health:
        if not self.reached:
            return Health(degraded=("no broker answers",))
        if not self._live:
            return Health(degraded=("it has no partitions yet",))
        ailing = [one for each in self._partitions.values() for one in each.enforcing.ailing()]
        silent = [f"{name} is silent" for name in self._silent()]
        unasked = [
            f"{name}: {why}"
            for each in self._partitions.values()
            for name, why in each.listed.troubles().items()
        ]
        return Health(degraded=(*silent, *(f"gateway {one}" for one in ailing), *unasked))

    def _silent(self) -> list[str]:
        return [name for each in self._partitions.values() for name in each.presence.silent()]

    async def _beat(self) -> None:
        """Say which gateways the events of mail.events are from."""
        async with self._safely() as safe:
            if safe:
                await self._flusher.send(
                    Send("mail.facts", None, value, partition, {"origin": b"heartbeat"})
                    for partition, value in self._router.heartbeats.due(time.time())
                )

    async def _answer(self) -> None:
        """Say what the DNS says of clients that detectors asked about."""
        answers = self._questions.take()
        if answers:
            async with self._safely() as safe:
                if safe:
                    await self._flusher.answer(answers)

    async def flush(self) -> None:
        """Make safe what was folded. It is not broken off when its caller is."""
        await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        async with self._flushing, self._safely() as safe:
            if not safe:
                return
            events, self._unacked, self._unflushed = self._unacked, [], 0
            await self._flusher.send(
                Send("mail.dead", key, value) for key, value in self._letters.take()
            )
            asked = await flush(self._flusher, list(self._partitions.values()), events)
            self._questions.ask(asked)
            self._count()

    @asynccontextmanager
    async def _safely(self) -> AsyncIterator[bool]:
        """Whether all that was to be made safe until now is; after a failure there is no more
        flush, for it would say that what failed is safe as well."""
        try:
            yield not self._failed
        except BaseException:
            self._failed = True
            raise

    async def revoked(self) -> None:
        """The partitions go, some of them perhaps to others: what they know must be safe."""
        self._live = False
        self._term += 1
        await self.send_routed()
        await self.flush()
        await self.app.consumer.commit()
        for partition in self._partitions.values():
            partition.close()
        self._partitions.clear()
        self._assigned = frozenset()
        self._order.forget()
        self._unacked.clear()
        self._unrouted.clear()
        self._router.forget()

    def assigned(self, places: Iterable[TP]) -> None:
        """Partitions come. Their changelog is not read yet."""
        self._live = False
        self._term += 1
        self._assigned = frozenset(places)
        numbers = sorted(place.partition for place in self._assigned if place.topic == self._facts)
        log.info(said("partitions assigned", assigned=",".join(map(str, numbers)) or "none"))

    async def restored(self) -> None:
        """The changelog of what was assigned is read. Not before may a partition be taken up:
        where one rebalance follows another, Faust ends `app.rebalancing` with the recovery of
        the first, and its memory has still the slots of before. A recovery that a rebalance has
        overtaken counts for nothing."""
        term = self._term
        committed = await committed_offsets(self.app, self._assigned)
        if term != self._term or not self._assigned:
            return
        self._committed = committed
        for place in self._assigned:
            if place.topic == self._facts:
                self._load(place.partition)
            else:
                self._order.begin(place, committed.get(place, 0))
        self._live = True

    async def _is_next(self, message: Any) -> bool:
        """Whether a message may be taken. One that may not comes again."""
        place = message.tp
        if not self._live or place not in self._assigned:
            return False
        verdict = self._order.take(place, message.offset)
        if verdict is Verdict.ASK and await self._bridged(place, message.offset):
            verdict = self._order.take(place, message.offset)
        return verdict is Verdict.TAKE

    async def _bridged(self, place: TP, offset: int) -> bool:
        """Whether there is nothing between the message that comes next and the one at `offset`,
        which came; else it is read again."""
        gap = self._order.next(place)
        if gap is None or not await self._look(place, gap):
            return False
        if self._order.next(place) == offset:
            return True
        await self._read_again(place)
        return False

    async def _read_missing(self) -> None:
        """Read partitions again of which nothing comes although there is more."""
        ended = dict(ends(self.app, self._assigned))
        for place in self._order.missing(ended.items()):
            gap = self._order.next(place)
            if gap is not None and await self._look(place, gap, ended[place]):
                await self._read_again(place)

    async def _look(self, place: TP, gap: int, end: int = 0) -> bool:
        """Ask the broker where the first message from `gap` on lies, and go on from there.
        Whether there is one, and the partition is still ours."""
        try:
            first = await asyncio.to_thread(self._lookup.first, place.topic, place.partition, gap)
        except BusError as error:
            log.warning(said("partition cannot be looked at", **_where(place), reason=error))
            return False
        if self._order.next(place) != gap:
            return False
        if first is None:
            self._order.nothing_before(place, end)
            return False
        if self._order.bridge(place, gap, first):
            log.info(said("offsets without messages", **_where(place), first=gap, last=first - 1))
            consumer: Any = self.app.consumer
            consumer.pass_over(place, first)
        return True

    async def _read_again(self, place: TP) -> None:
        offset = self._order.next(place) or 0
        log.warning(said("partition read again", **_where(place), offset=offset))
        metrics.REREAD.inc()
        await read_from(self.app, place, offset)

    def behind(self, place: TP, end: int) -> int | None:
        """How many messages of a partition that ends at `end` have not been taken. None while it
        is not ours."""
        expected = self._order.next(place)
        return None if expected is None else max(0, end - expected)

    def _count(self) -> None:
        """Raise the counters by what happened since the last flush."""
        metrics.DEAD.inc(self._letters.found)
        metrics.DEAD_DROPPED.inc(self._letters.dropped)
        self._letters.found = self._letters.dropped = 0
        lags = []
        for partition in self._partitions.values():
            counts = partition.take_counts()
            if counts.events:
                lags.append(time.time() - partition.shard.clock)
            metrics.FOLDED.inc(counts.events)
            metrics.MESSAGES.inc(counts.messages)
            metrics.REPEATED.inc(counts.repeated)
            metrics.REPLAYED.inc(counts.replayed)
            metrics.TRIMMED.inc(counts.trimmed)
            metrics.UNPACKED.inc(counts.dropped)
            metrics.EVICTIONS.inc(partition.shard.evicted)
            partition.shard.evicted = 0
            metrics.LATE.inc(partition.shard.late)
            partition.shard.late = 0
        if lags:
            metrics.LAG.set(max(0.0, *lags))
        metrics.GATEWAYS_SILENT.set(len(self._silent()))
        metrics.RECORDS.set(sum(len(each.shard) for each in self._partitions.values()))
        metrics.SLOT_BYTES.set(sum(each.ring.size for each in self._partitions.values()))


def _where(place: TP) -> dict[str, Any]:
    return {"topic": place.topic, "partition": place.partition}


def _manual(stream: Any) -> AsyncIterator[Any]:
    """The messages of a stream, which we ack ourselves."""
    events: AsyncIterator[Any] = stream.noack().events()
    return events
