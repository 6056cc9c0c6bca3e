"""Old logs through the same code in event time: what would have been found and blocked.

Nothing is enforced, sent or stored. Decisions are made by the time of the events, so the answer
is that of a process which had been running then.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import msgspec
from msgspec import Struct

from agents.configuration import Config, build_shard
from agents.shard import Shard
from schemas.events import Fact
from schemas.findings import Alert, Decision
from streams.reader import DeadLine, Reader, ReadOptions

KEEP = 60.0  # seconds of event time between two looks at what was concluded
GLANCE = 8  # batches between two reports of progress
BATCH = 512  # events that are read before they are folded: by turns, each event, reading and
# folding push one another out of the processor's caches

Sources = Sequence[tuple[str, Iterable[tuple[int, bytes]]]]  # name, (offset, line)
Progress = Callable[[str, int], None]  # name of a source, offset of an event in it


class Verdict(Struct, frozen=True):
    """The final state of everything that was concluded, in the order of first offences."""

    alerts: list[Alert]
    decisions: list[Decision]
    told: dict[str, float] = {}  # when each alert was told first, by its id


class Conclusions:
    """A shard and the newest state of all that it concluded."""

    def __init__(self, config: Config) -> None:
        self.shard: Shard = build_shard(config)
        self._alerts: dict[str, Alert] = {}
        self._decisions: dict[str, Decision] = {}
        self._told: dict[str, float] = {}

    def keep(self) -> None:
        outcome = self.shard.take()
        for alert in outcome.alerts:
            self._alerts[alert.id] = alert
            self._told.setdefault(alert.id, alert.at)
        for decision in outcome.decisions:
            self._decisions[decision.id] = msgspec.structs.replace(decision, enforced=False)

    def verdict(self) -> Verdict:
        self.shard.drain()
        self.keep()
        return Verdict(
            sorted(self._alerts.values(), key=lambda alert: (alert.first, alert.id)),
            sorted(self._decisions.values(), key=lambda decision: (decision.since, decision.id)),
            self._told,
        )


class Replay:
    """One pass over old logs. `shard` and `reader` tell the rest: records, counts.

    What is read is also shown to shards of `others`, settings to compare with; `verdicts` has
    then one more for each of them.
    """

    def __init__(
        self,
        config: Config,
        options: ReadOptions,
        dead: Callable[[DeadLine], None] | None = None,
        others: Sequence[Config] = (),
    ) -> None:
        self.reader = Reader(options, dead=dead)
        self.events = 0
        self.verdicts: list[Verdict] = []
        self._conclusions = [Conclusions(config) for config in (config, *others)]
        self.shards = [each.shard for each in self._conclusions]
        self.shard = self.shards[0]

    def run(
        self,
        sources: Sources,
        *,
        progress: Progress | None = None,
        watch: Callable[[Fact], None] | None = None,
    ) -> Verdict:
        """Read all sources to their end, merged by event time. `watch` sees every event, when
        all shards have seen it."""
        with _undisturbed():
            self._fold(self.reader.read(sources), progress, watch)
            self._fold(self.reader.close(), progress, watch)
        self.verdicts = [each.verdict() for each in self._conclusions]
        return self.verdicts[0]

    def _fold(
        self,
        facts: Iterable[tuple[str, Fact]],
        progress: Progress | None,
        watch: Callable[[Fact], None] | None,
    ) -> None:
        fold = self.shard.fold
        others = [shard.fold for shard in self.shards[1:]]
        kept = self.shard.clock
        facts, batches = iter(facts), 0
        while batch := list(islice(facts, BATCH)):
            for place, event in batch:
                fold(event, place=place)
                for other in others:
                    other(event, place=place)
                if watch is not None:
                    watch(event)
                if event.at > kept + KEEP:
                    kept = event.at
                    for each in self._conclusions:
                        each.keep()
            self.events += len(batch)
            batches += 1
            if progress is not None and not batches % GLANCE:
                progress(place, event.offset)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Spare the collector the search for cycles among records, which have none."""
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()
