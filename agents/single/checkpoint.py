"""What one commit makes safe, gathered from those who know it; and given back to them.

A store that cannot be written stops nothing: what was to be safe is kept and tried again, the
records being still dirty, with all that has come since.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from agents.record import pack
from agents.shard import Shard
from agents.single.store import Changes, Store, StoreError, Told
from schemas.audit import Audit
from schemas.findings import Alert, Decision
from streams.metrics import STORE_FAILURES
from streams.said import said

log = logging.getLogger(__name__)

KEPT = 20_000  # alerts and decisions each that wait for a store that cannot be written
CLOCKS = "clocks"
JOINER = "joiner"
PRESENCE = "presence"
LISTED = "listed"
HOSTS = "hosts"
REPORTERS = "reporters"
ENFORCING = "enforcing"

_clocks = msgspec.msgpack.Decoder(tuple[float, float])


class Checkpoint:
    """Commits to `store` what has changed in `shard` and around it."""

    def __init__(self, store: Store, shard: Shard) -> None:
        self.trouble = ""  # why the last commit failed
        self._store = store
        self._shard = shard
        self._alerts: dict[str, Alert] = {}
        self._decisions: dict[str, Decision] = {}
        self._audit: dict[int, Audit] = {}
        self._audited = 0
        self._owed: dict[tuple[str, str], Told] = {}
        self._told: dict[tuple[str, str], Told] = {}
        self._memory: dict[str, bytes] = {}  # as committed last
        self._positions: dict[str, bytes] = {}  # likewise; those of sources not followed stay

    def restore(self) -> dict[str, bytes]:
        """Give the shard what the store holds; returns the positions in the sources.

        Raises StoreError where the store cannot be read.
        """
        for key, packed in self._store.records():
            self._shard.restore(key, packed)
        clocks = self._store.memory(CLOCKS)
        if clocks:
            self._shard.begun, self._shard.clock = _clocks.decode(clocks)
        reporters = self._store.memory(REPORTERS)
        if reporters:
            self._shard.reporters.restore(reporters)
        return self._store.positions()

    def add(
        self, alerts: Iterable[Alert], decisions: Iterable[Decision], sinks: Iterable[str]
    ) -> None:
        """What has been concluded, and whom it is owed to."""
        sinks = tuple(sinks)
        for alert in alerts:
            self._alerts[alert.id] = alert
            for sink in sinks if alert.stage != "observe" else ():
                self._owed[sink, alert.id] = Told(sink, alert.id, alert.revision)
        for decision in decisions:
            self._decisions[decision.id] = decision
        for waiting in (self._alerts, self._decisions, self._owed):
            _bound(waiting)

    def note(self, entries: Iterable[Audit]) -> None:
        """Changes that others made."""
        for entry in entries:
            self._audited += 1
            self._audit[self._audited] = entry
        _bound(self._audit)

    def told(self, told: Iterable[Told]) -> None:
        """What sinks have been told."""
        self._told.update(((one.sink, one.alert), one) for one in told)
        _bound(self._told)

    def waits(self, decision: str) -> bool:
        """Whether the decision of this id is not in the store yet."""
        return decision in self._decisions

    def needed(self) -> bool:
        """Whether there is anything to make safe but positions."""
        return bool(
            self._shard.dirty or self._alerts or self._decisions or self._audit or self._told
        )

    def commit(self, positions: dict[str, bytes], memory: dict[str, bytes], now: float) -> bool:
        """Make it all safe; whether that went well."""
        shard = self._shard
        clocks = msgspec.msgpack.encode((shard.begun, shard.clock))
        memory = {**memory, CLOCKS: clocks, REPORTERS: shard.reporters.pack()}
        dirty, shard.dirty = shard.dirty, set()
        changes = Changes(
            positions=dict(_changed(self._positions, positions)),
            memory={name: value for name, value in memory.items() if self._is_new(name, value)},
            records={key: _packed(shard, key) for key in dirty},
            alerts=list(self._alerts.values()),
            decisions=list(self._decisions.values()),
            audit=list(self._audit.values()),
            owed=list(self._owed.values()),
            told=list(self._told.values()),
        )
        try:
            self._store.commit(changes, now)
        except StoreError as error:
            shard.dirty |= dirty
            self._failed(str(error))
            return False
        if self.trouble:
            log.info(said("store works again", store=self._store.path))
            self.trouble = ""
        self._positions, self._memory = dict(positions), memory
        for waiting in (self._alerts, self._decisions, self._audit, self._owed, self._told):
            waiting.clear()
        return True

    def _is_new(self, name: str, value: bytes) -> bool:
        return self._memory.get(name) != value

    def _failed(self, trouble: str) -> None:
        STORE_FAILURES.inc()
        if trouble != self.trouble:
            kept = "kept in memory, tried again"
            log.error(said("store failed", reason=trouble, meanwhile=kept))
        self.trouble = trouble


def _changed(
    before: dict[str, bytes], after: dict[str, bytes]
) -> Iterator[tuple[str, bytes | None]]:
    yield from ((name, at) for name, at in after.items() if before.get(name) != at)
    yield from ((name, None) for name in before if name not in after)


def _packed(shard: Shard, key: str) -> bytes | None:
    record = shard.records.get(key)
    return pack(record) if record is not None else shard.frozen.get(key)


def _bound(waiting: dict[Any, Any]) -> None:
    while len(waiting) > KEPT:
        del waiting[next(iter(waiting))]
