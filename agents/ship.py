"""The shipper: sources -> reader -> packer -> outbox, and from there to the bus.

One loop reads; each commit makes safe, in one transaction, what was packed and where reading
stopped. Nothing is sent that is not in the outbox, so a process killed at any point neither
loses a line nor tells it twice.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from agents.configuration import Config
from agents.running import intakes, reading
from agents.running.http import Health, Pulse
from agents.running.loop import Control, Opener
from schemas.events import Fact
from streams import metrics
from streams.bus import Bus
from streams.reader import DeadLine
from streams.said import said
from streams.shipping.heartbeat import Heartbeats
from streams.shipping.outbox import Batch, Outbox, OutboxError
from streams.shipping.packer import TOPIC, Packer
from streams.shipping.sender import Sender
from streams.sources.follow import Lines

log = logging.getLogger(__name__)

COMMIT = 0.05  # seconds between two commits, at least
SHARE = 10.0  # a commit may take a tenth of the time, however much there is to write
BACKLOG = 1.0  # seconds between two commits while much waits: few large batches, not many small
MUCH = 4 << 20  # bytes in the outbox
AGAIN = 2.0  # seconds until a failed commit is tried again
CHUNK = 4 << 20  # bytes of lines that one turn reads of a source
PAUSES = (0.02, 0.1)  # seconds between two turns: right after lines came, and at rest
DRAIN = 5.0  # seconds that the end waits for the broker
SPILL = 20_000  # events of the history between two commits
PATIENCE = 30.0  # seconds that `once` waits for a broker that takes nothing
JOINER = "joiner"
DEAD = "mail.dead"


class Shipper:
    """`open_sources` is asked at the start and at each reload; `connect` makes buses for the
    sender's thread. Raises SettingsError or OutboxError."""

    def __init__(
        self,
        config: Config,
        outbox: Outbox,
        open_sources: Opener,
        connect: Callable[[], Bus],
        open_intakes: intakes.Opener = intakes.none,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.pulse = Pulse()
        self._outbox = outbox
        self._open_sources = open_sources
        self._open_intakes = open_intakes
        self._clock = clock
        self._packer = Packer(
            config.site,
            config.settings.kafka.partitions,
            outbox.shipper,
            outbox.next_positions(),
        )
        self._letters: list[Batch] = []
        self._heartbeats = Heartbeats(
            config.settings.kafka.partitions,
            config.settings.site.silent_after,
            reading.host(config),
        )
        self._beats: list[Batch] = []
        self._reader = reading.new_reader(config, self._dead, outbox.memory(JOINER))
        places = outbox.places()
        self._first_start = not places
        self._follow = open_sources(config, places)
        self._intakes = open_intakes(config, places)
        self._sender = Sender(outbox, connect, config.settings.kafka.partitions)
        self._unsafe: list[Batch] = []  # packed, in a commit that failed
        self._read = False  # something was read since the last commit
        self._trouble = ""  # why the outbox cannot be written
        self._full = False
        self._next_commit = 0.0
        self._next_second = 0.0
        self._nobody = 0  # as told to the metrics

    def run(self, control: Control, *, once: bool = False) -> bool:
        """Turn until told to stop; with `once`, until all that lies there was read and sent.
        Whether nothing is left to send."""
        if self._first_start and self.config.settings.logs.history:
            self._read_history(control)
            if control.stopped():
                return False
        pause = PAUSES[0]
        while not control.stopped():
            config = control.reloaded()
            if config is not None:
                self.reload(config)
            lines = self.turn()
            if once and not lines and not self._behind() and not self._full:
                return self._finish(control)
            pause = PAUSES[0] if lines else min(pause * 1.5, PAUSES[1])
            if not self._behind() or self._full or self._trouble:
                time.sleep(pause)
        return self._sender.drain(DRAIN if self.commit() else 0.0)

    def turn(self) -> int:
        """Read what has come, and do what is due; returns how many lines there were."""
        lines = 0
        self._full = self._outbox.waiting > self.config.settings.kafka.outbox_bytes
        if not self._full and not self._trouble:
            lines = self._take()
            if not self._behind():
                self._pack(self._reader.advance(self._clock()))
            lines += self._take_mails()
        now = time.monotonic()
        if now >= self._next_second:
            self._next_second = now + 1.0
            self._each_second()
        if now >= self._next_commit and (self._read or self._beats or self._trouble):
            self.commit()
        return lines

    def commit(self) -> bool:
        """Make safe what was read; whether it is."""
        begun = time.monotonic()
        self._unsafe += self._packer.take() + self._letters + self._beats
        self._letters.clear()
        self._beats.clear()
        try:
            self._outbox.commit(
                self._unsafe,
                self._packer.next_positions(),
                {**self._follow.positions(), **self._intakes.positions()},
                {JOINER: self._reader.pack()},
            )
        except OutboxError as error:
            self._failed(str(error))
            self._next_commit = begun + AGAIN
            return False
        if self._trouble:
            log.info(said("outbox works again", outbox=self._outbox.path))
            self._trouble = ""
        if self._unsafe:
            self._sender.wake()
        self._unsafe.clear()
        self._intakes.safe()
        self._read = False
        took = time.monotonic() - begun
        metrics.FLUSH_SECONDS.observe(took)
        least = BACKLOG if self._outbox.waiting > MUCH else COMMIT
        self._next_commit = begun + max(least, SHARE * took)
        return True

    def reload(self, config: Config) -> None:
        """Go on with other settings. Those of Kafka stay as they are until the next start."""
        self.commit()
        self.config = msgspec.structs.replace(
            config,
            settings=msgspec.structs.replace(
                config.settings, kafka=self.config.settings.kafka, http=self.config.settings.http
            ),
        )
        self._packer.site = config.site
        self._heartbeats.silent_after = config.settings.site.silent_after
        self._reader = reading.new_reader(config, self._dead, self._reader.pack())
        self._nobody = 0  # a new reader counts from nothing
        places = {**self._follow.positions(), **self._intakes.positions()}
        self._follow.close()
        self._intakes.close()
        self._follow = self._open_sources(self.config, places)
        self._intakes = self._open_intakes(self.config, places)

    def close(self) -> None:
        """Let go of everything. What was not committed is read again at the next start."""
        self._sender.close()
        self._follow.close()
        self._intakes.close()

    # -- reading ------------------------------------------------------------------------------

    def _read_history(self, control: Control) -> None:
        """Read the older parts of all files as one, merged by time. Its place is safe only at
        its end: a process that ends earlier begins anew, gives the same events the same
        positions, and the workers pass over what they have absorbed."""
        log.info("history begins")
        count = 0
        for count, (name, event) in enumerate(self._reader.read(self._follow.history()), 1):
            self._packer.add(name, event)
            if not count % SPILL:
                self._spill(control)
                if control.stopped():
                    log.info(said("history abandoned", events=count))
                    return
        log.info(said("history read", events=count))
        while not self.commit() and not control.stopped():
            time.sleep(AGAIN)

    def _spill(self, control: Control) -> None:
        """Let go of what was packed, and wait while there is no room for more."""
        self._unsafe += self._packer.take() + self._letters
        self._letters.clear()
        while not control.stopped():
            self.pulse.beat(Health(degraded=("reads the history of the logs",)))
            try:
                if self._unsafe:
                    self._outbox.commit(self._unsafe, {}, {}, {})
                    self._unsafe.clear()
                    self._sender.wake()
            except OutboxError as error:
                self._failed(str(error))
            else:
                self._trouble = ""
                if self._outbox.waiting <= self.config.settings.kafka.outbox_bytes:
                    return
            time.sleep(PAUSES[1])

    def _take(self) -> int:
        counts = Counter[str]()
        self._reader.tell(self._clock())  # the machine may have slept since the last lines
        self._pack(
            self._reader.read(
                [(name, _counted(name, lines, counts)) for name, lines in self._follow.turn(CHUNK)]
            )
        )
        for name, count in counts.items():
            metrics.LINES.labels(name).inc(count)
        self._read = self._read or bool(counts)
        return counts.total()

    def _take_mails(self) -> int:
        """Pack what came as mails; returns how many there were."""
        count = 0
        for name, mails, events in self._intakes.take():
            self._pack((name, event) for event in events)
            metrics.MAILS.labels(name).inc(mails)
            self._read = True
            count += mails
        return count

    def _pack(self, events: Iterable[tuple[str, Fact]]) -> None:
        add = self._packer.add
        counts: dict[str, int] = {}
        gateways = set()
        for name, event in events:
            add(name, event)
            counts[name] = counts.get(name, 0) + 1
            gateways.add(event.gateway)
        self._heartbeats.hear(gateways)
        for name, count in counts.items():
            metrics.EVENTS.labels(name).inc(count)
            self._read = True

    def _dead(self, letter: DeadLine) -> None:
        metrics.DEAD.inc()
        self._letters.append(
            Batch(
                DEAD,
                None,
                f"{self._outbox.shipper}:{letter.source}",
                msgspec.json.encode(letter),
            )
        )

    def _behind(self) -> bool:
        return any(source.behind for source in self._follow.sources)

    def _finish(self, control: Control) -> bool:
        """All is read: release what waits for lines that will not come, and send it all. Gives
        up where the broker takes nothing for a while."""
        self._pack(self._reader.close())
        while not self.commit():
            if control.stopped():
                return False
            time.sleep(AGAIN)
        waiting, since = self._outbox.waiting, time.monotonic()
        while not self._sender.drain(PAUSES[1]):
            if self._outbox.waiting != waiting:
                waiting, since = self._outbox.waiting, time.monotonic()
            if control.stopped() or time.monotonic() - since > PATIENCE:
                return False
        return True

    # -- now and then -------------------------------------------------------------------------

    def _each_second(self) -> None:
        for source in self._follow.sources:
            metrics.SOURCE_UP.labels(source.name).set(not source.trouble)
            metrics.BEHIND.labels(source.name).set(source.behind)
        metrics.OUTBOX_FULL.set(self._full)
        if not self._full and not self._trouble:  # else lines come that nobody reads
            self._beat()
        counts = self._reader.counts
        metrics.NOBODY.inc(max(0, counts.nobody - self._nobody))
        self._nobody = counts.nobody
        self.pulse.beat(self._health())

    def _beat(self) -> None:
        """Say which gateways live. No positions: to hear it twice does no harm."""
        origin = f"{self._outbox.shipper}:heartbeat"
        for partition, value in self._heartbeats.due(self._clock()):
            self._beats.append(Batch(TOPIC, partition, origin, value))

    def _health(self) -> Health:
        failing = [f"{name}: {trouble}" for name, trouble in self._troubles().items()]
        if self._trouble:
            failing.append(self._trouble)
        if self._full:
            failing.append("the outbox is full: reading waits for the broker")
        degraded = (self._sender.trouble,) if self._sender.trouble else ()
        return Health(tuple(failing), degraded)

    def _troubles(self) -> dict[str, str]:
        return {**self._follow.troubles(), **self._intakes.troubles()}

    def _failed(self, trouble: str) -> None:
        metrics.STORE_FAILURES.inc()
        if trouble != self._trouble:
            log.error(said("outbox failed", reason=trouble, meanwhile="reading waits"))
        self._trouble = trouble


def _counted(name: str, lines: Lines, counts: Counter[str]) -> Lines:
    """The same lines, counted; the source's name appears when there is one."""
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007
        yield line
    if count:
        counts[name] += count
