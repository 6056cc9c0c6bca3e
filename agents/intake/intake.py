"""`mailwarden intake`: foreign topics -> mail.lines -> mail.facts, one loop over both.

Each turn polls, takes what came one step further, and publishes the outcome and then how far it
has read. Nothing that counts is only in this process: lines that wait for others were not
committed, and what is half joined is in a snapshot and in the lines after it (joining.py). So it
may be killed, or lose its partitions, between any two steps, and nothing is lost. Nor is
anything published twice: mail.lines and the snapshots are written in the transaction that also
says how far was read, and what lies on mail.facts since then is looked up before more is told.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from msgspec import Struct, field

from agents.configuration import Config
from agents.intake import lines, snapshots
from agents.intake.joining import Joining
from agents.intake.lines import LARGEST, Line, Lines
from agents.intake.publisher import Publisher
from agents.intake.rekey import Lane, Place, Rekey
from agents.intake.snapshots import Snapshot
from agents.running.http import Health, Pulse
from schemas import keys
from schemas.settings import TopicSettings
from streams import metrics
from streams.bus import Message
from streams.kafka_flow import Flow, Made
from streams.reader import DeadLine
from streams.said import said
from streams.shipping.heartbeat import Heartbeats

log = logging.getLogger(__name__)

LINES = "mail.lines"
POLL = 0.2  # seconds that a turn waits for messages
GATHER = 0.03  # seconds between two transactions, so that many small messages make few
SNAPSHOT = 10.0  # seconds between two snapshots of a partition, at least
SHARE = 10.0  # they may take a tenth of the time, however much there is to write
QUIET = 2.0  # seconds without lines after which a message tells the time
ASLEEP = 120.0  # seconds without lines after which it does so only every
SELDOM = 60.0  # seconds
SKEW = 5.0  # seconds between two clocks that say when something was published
UNKNOWN = 3600.0  # seconds in which something may have been told before the first commit


class Partition(Struct):
    """One of mail.lines that is ours."""

    joining: Joining
    next: int  # offset of the message that comes next
    told: int  # all before it was told
    pieces: int = 0  # of its newest snapshot
    saved: float = 0.0  # monotonic, when that was made
    changed: bool = False  # since then
    spoke: float = field(default_factory=time.monotonic)  # when lines came last
    ticked: float = field(default_factory=time.monotonic)  # when it was told the time last


class Names(Struct, frozen=True):
    """Topics as the broker calls them."""

    raw: dict[str, TopicSettings]
    lines: str
    facts: str
    changelog: str
    origin: str  # of mail.lines: unlike that of any other topic that had its name


class Intake:
    """Raises BusError from `turn`: then it can only be closed."""

    def __init__(
        self,
        config: Config,
        flow: Flow,
        names: Names,
        pulse: Pulse,
        clock: Callable[[], float] = time.time,
    ) -> None:
        settings = config.settings
        self._partitions = settings.kafka.partitions
        self._formats = config.formats
        self._flow = flow
        self._names = names
        self._pulse = pulse
        self._clock = clock
        self._letters: list[DeadLine] = []
        self._rekey = Rekey(
            settings.site.host, names.raw.__getitem__, self._letters.append, clock()
        )
        self._publisher = Publisher(
            config.site, self._partitions, settings.kafka.prefix, names.origin
        )
        self._heartbeats = Heartbeats(self._partitions, settings.site.silent_after)
        self._mine: dict[int, Partition] = {}
        self._next_snapshot = 0.0
        flow.subscribe([*names.raw, names.lines])

    def turn(self) -> int:
        """Poll, and publish what comes of it; returns how many messages there were."""
        found = self._flow.poll(0.0 if self._rekey.waiting else POLL)
        if self._flow.changed():
            self._assign(found)
        made: list[Made] = []
        done: dict[Place, int] = {}
        for place, messages in found.items():
            if place[0] == self._names.lines:
                self._join(place, messages, done)
            else:
                for message in messages:
                    self._rekey.add(message)
        made += self._forward(done)
        made += self._tell_time()
        made += self._snapshots()
        now = self._clock()
        self._publisher.dead(self._letters)
        metrics.DEAD.inc(len(self._letters))
        self._letters.clear()
        self._publisher.beat(self._heartbeats.due(now))
        told = self._publisher.take()
        if told or made or done:
            # Where the offsets of a partition are not ours to commit, nothing else is either.
            for partition, mine in self._mine.items():
                done.setdefault((self._names.lines, partition), mine.told)
            self._flow.commit(told, made, done, now)
            for one in told:
                metrics.SHIPPED.labels("mail.facts").inc(len(one.value or b""))
        self._pulse.beat(Health())
        count = sum(map(len, found.values()))
        if count and count < 100:
            time.sleep(GATHER)
        return count

    # -- partitions come and go ---------------------------------------------------------------

    def _assign(self, found: dict[Place, list[Message]]) -> None:
        """Begin where the last transaction of each partition ended. What was polled of a
        partition that is new is polled again."""
        assigned = self._flow.assigned()
        raw = {place for place in assigned if place[0] in self._names.raw}
        for place in raw:
            self._flow.seek(place, self._flow.committed(place)[0])
            self._rekey.rewind(place)
            found.pop(place, None)
        self._rekey.assign(raw)
        ours = {place[1]: place for place in assigned if place[0] == self._names.lines}
        before, self._mine = self._mine, {}
        new: list[tuple[int, Place, int]] = []
        now = since = self._clock()
        for partition, place in ours.items():
            found.pop(place, None)
            told, at = self._flow.committed(place)
            one = before.get(partition)
            if one is not None and one.next == told:
                self._mine[partition] = one
                self._flow.seek(place, told)
            else:
                new.append((partition, place, told))
                since = min(since, at or now - UNKNOWN)
        for place in [place for place in found if place not in assigned]:
            del found[place]
        if new:
            self._restore(new)
            self._publisher.told(self._flow.since(self._names.facts, since - SKEW))
        lines = ",".join(map(str, sorted(self._mine)))
        log.info(said("partitions assigned", raw=len(raw), lines=lines or "none"))

    def _restore(self, new: list[tuple[int, Place, int]]) -> None:
        kept = snapshots.newest(
            self._flow.since(self._names.changelog, 0.0, [partition for partition, _, _ in new])
        )
        for partition, place, told in new:
            snapshot = kept.get(partition, Snapshot(0, b""))
            joining = Joining(self._formats)
            if snapshot.packed:
                try:
                    joining.restore(snapshot.packed)
                except ValueError as error:
                    log.error(said("snapshot unreadable", reason=error, meanwhile="joins anew"))
                    joining, snapshot = Joining(self._formats), Snapshot(0, b"")
            self._mine[partition] = Partition(
                joining, snapshot.next, told, snapshot.pieces, time.monotonic()
            )
            self._flow.seek(place, snapshot.next)

    # -- what comes of messages ---------------------------------------------------------------

    def _forward(self, done: dict[Place, int]) -> list[Made]:
        """Lines whose turn it is, on their way to the partition of their gateway."""
        flow, now = self._flow, self._clock()
        behind = {
            place
            for place in flow.assigned()
            if place[0] in self._names.raw and not flow.caught_up(place)
        }
        taken, far = self._rekey.take(behind, now)
        done.update(far)
        flow.hold(self._rekey.full())
        made: list[Made] = []
        lanes: dict[Lane, list[Line]] = defaultdict(list)
        sizes: dict[Lane, int] = defaultdict(int)
        for lane, source, one in taken:
            some = lanes[lane]
            some.append(Line(source, one.offset, one.letter))
            sizes[lane] += len(one.letter.text) + 200
            if sizes[lane] >= LARGEST:
                made.append(self._lines(lane, some, now))
                lanes[lane], sizes[lane] = [], 0
        made += [self._lines(lane, some, now) for lane, some in lanes.items() if some]
        return made

    def _lines(self, lane: Lane, some: list[Line], now: float) -> Made:
        value = lines.encode(Lines(now, lane.format, lane.zone, some))
        partition = keys.partition(f"g:{lane.gateway}", self._partitions)
        return Made(self._names.lines, partition, lane.gateway.encode(), value)

    def _join(self, place: Place, messages: Iterable[Message], done: dict[Place, int]) -> None:
        partition = place[1]
        mine = self._mine[partition]
        joining, add = mine.joining, self._publisher.add
        count = 0
        for message in messages:
            fresh = message.offset >= mine.told
            for position, event in joining.read(message.offset, message.value or b""):
                if fresh:
                    add(partition, position, event)
                    count += 1
            mine.next = message.offset + 1
            if fresh:
                self._letters += joining.dead
            joining.dead.clear()
        if joining.settled:
            mine.spoke = time.monotonic()
        mine.changed = True
        if mine.next > mine.told:
            mine.told = done[place] = mine.next
            self._heartbeats.hear(joining.gateways)
        metrics.LINES.labels("kafka").inc(joining.lines)
        metrics.EVENTS.labels("kafka").inc(count)
        metrics.NOBODY.inc(joining.nobody)
        joining.gateways.clear()
        joining.lines = joining.nobody = 0

    def _tell_time(self) -> list[Made]:
        """Where no lines come, the time goes on all the same: it must be in the log, so that all
        who read it find the same."""
        now, at = time.monotonic(), self._clock()
        made = []
        for partition, mine in self._mine.items():
            quiet = now - mine.spoke
            every = QUIET if quiet < ASLEEP else SELDOM
            if mine.joining.waits and quiet > QUIET and now - mine.ticked > every:
                mine.ticked = now
                made.append(Made(self._names.lines, partition, None, lines.encode(Lines(at))))
        return made

    def _snapshots(self) -> list[Made]:
        """Now and then the state of a partition that has changed: less is then read again."""
        begun = time.monotonic()
        if begun < self._next_snapshot:
            return []
        for partition, mine in self._mine.items():
            joining = mine.joining
            if mine.changed and joining.settled and begun - mine.saved > SNAPSHOT:
                snapshot = Snapshot(mine.next, joining.pack())
                made = snapshots.made(self._names.changelog, partition, snapshot, mine.pieces)
                mine.pieces = sum(one.value is not None for one in made)
                mine.saved, mine.changed = time.monotonic(), False
                self._next_snapshot = mine.saved + SHARE * (mine.saved - begun)
                return made
        return []
