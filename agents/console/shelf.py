"""The read model: alerts, decisions, cases and the trail of changes, so that they can be searched.

One SQLite file that may be deleted: it is made anew from the store of this server or from Kafka.
One process keeps it, by one connection that writes (the follower's thread) and one that reads.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from msgspec import Struct, field

from agents.console.shelf_tables import (
    PUT_ALERT,
    PUT_AUDIT,
    PUT_CASE,
    PUT_DECISION,
    PUT_MEMORY,
    PUT_TURN,
    SCHEMA,
    THIN_TURNS,
)
from agents.incidents.revisions import Turn
from agents.words import printable
from schemas import wire
from schemas.audit import Audit
from schemas.findings import DAY, Action, Alert, Decision
from schemas.incidents import Case

VERSION = 1
APPLICATION = 0x4D57_434F  # "MWCO", shown by file(1)
IDENTITY = "identity"
SOURCE = "source"
ENDED = 8 * DAY  # seconds that a decision is kept after its end
CHUNK = 500  # values of one question

Standing = Literal["enforced", "observed", "waits", "pardon"]
"""What a decision is by itself: whether another outranks it is asked when it is shown."""
STANDINGS: tuple[Standing, ...] = get_args(Standing)


class Batch(Struct):
    """What has become known; written in one transaction."""

    alerts: list[Alert] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)  # ids of decisions that were taken back
    audit: list[tuple[str, Audit]] = field(default_factory=list)  # place, entry
    memory: dict[str, bytes] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.alerts or self.cases or self.decisions or self.gone or self.audit)


class Wanted(Struct, frozen=True, kw_only=True):
    """Which decisions are looked for. "" is any."""

    text: str = ""  # part of the target, the reason or the detector
    kind: str = ""
    action: str = ""
    origin: str = ""
    standing: str = ""


class Shelf:
    """One connection to the file at `path`, made where it is missing (mode 0600), made anew where
    it is damaged or of another version. Raises sqlite3.Error and OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._db = _opened(path)
        except sqlite3.DatabaseError:
            for part in ("", "-wal", "-shm"):
                path.with_name(path.name + part).unlink(missing_ok=True)
            self._db = _opened(path)

    def close(self) -> None:
        self._db.close()

    @property
    def identity(self) -> str:
        """Of this file: one that was made anew has another."""
        return self.memory(IDENTITY).decode()

    # -- the follower's ------------------------------------------------------------------------

    def put(self, batch: Batch) -> None:
        """Write all of it, or nothing. To write something again changes nothing."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany(
                PUT_ALERT, ((a.id, a.last, a.revision, wire.encode(a)) for a in batch.alerts)
            )
            for turn in batch.turns:
                db.execute(
                    PUT_TURN, (turn.alert, turn.revision, turn.at, turn.severity, turn.state)
                )
            for alert in {turn.alert for turn in batch.turns}:
                db.execute(THIN_TURNS, (alert, alert))
            db.executemany(PUT_CASE, ((case.id, wire.encode(case)) for case in batch.cases))
            db.executemany("DELETE FROM decisions WHERE id = ?", ((name,) for name in batch.gone))
            db.executemany(PUT_DECISION, map(_row, batch.decisions))
            db.executemany(
                PUT_AUDIT,
                ((place, e.at, e.target, e.alert, wire.encode(e)) for place, e in batch.audit),
            )
            db.executemany(PUT_MEMORY, batch.memory.items())
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise

    def last(self) -> None:
        """What is written from now on outlives a power cut: it will not be asked for again."""
        self._db.execute("PRAGMA synchronous = FULL")

    def belong(self, source: str) -> None:
        """Forget everything that another source has told than this one."""
        if self.memory(SOURCE).decode() == source:
            return
        for table in ("alerts", "turns", "cases", "decisions", "audit", "memory"):
            self._db.execute(f"DELETE FROM {table}")
        self._db.execute(PUT_MEMORY, (IDENTITY, _identity()))
        self._db.execute(PUT_MEMORY, (SOURCE, source.encode()))

    def forget(self, now: float, keep_days: int, audit_days: int) -> None:
        """Let go of what is too old, as the store does."""
        oldest = now - keep_days * DAY
        self._db.execute("DELETE FROM alerts WHERE last < ?", (oldest,))
        self._db.execute("DELETE FROM turns WHERE alert NOT IN (SELECT id FROM alerts)")
        self._db.execute("DELETE FROM decisions WHERE until < ?", (now - ENDED,))
        self._db.execute("DELETE FROM audit WHERE at < ?", (now - audit_days * DAY,))

    def memory(self, name: str) -> bytes:
        rows = self._all("SELECT value FROM memory WHERE name = ?", name)
        return rows[0][0] if rows else b""

    def newest_alerts(self, limit: int) -> list[Alert]:
        rows = self._all("SELECT alert FROM alerts ORDER BY last DESC, id LIMIT ?", limit)
        return [wire.decode_alert(data) for (data,) in rows]

    def cases(self) -> list[Case]:
        return [wire.decode_case(data) for (data,) in self._all("SELECT entry FROM cases")]

    # -- questions -----------------------------------------------------------------------------

    def alert(self, id: str) -> Alert | None:  # noqa: A002
        rows = self._all("SELECT alert FROM alerts WHERE id = ?", id)
        return wire.decode_alert(rows[0][0]) if rows else None

    def alerts(self, ids: Sequence[str]) -> list[Alert]:
        rows = self._in("SELECT alert FROM alerts WHERE id IN", ids)
        return [wire.decode_alert(data) for (data,) in rows]

    def turns(self, ids: Sequence[str]) -> list[Turn]:
        rows = self._in(
            "SELECT alert, revision, at, severity, state FROM turns WHERE alert IN", ids
        )
        return [Turn(*row) for row in rows]

    def decision(self, id: str) -> Decision | None:  # noqa: A002
        rows = self._all("SELECT decision FROM decisions WHERE id = ?", id)
        return wire.decode_decision(rows[0][0]) if rows else None

    def decisions(
        self, now: float, wanted: Wanted, limit: int, offset: int
    ) -> tuple[list[Decision], int]:
        """Those in force that are looked for, the newest first, and how many there are of all."""
        where, values = _where(wanted)
        count = self._all(f"SELECT count(*) FROM decisions WHERE until > ?{where}", now, *values)
        rows = self._all(
            f"SELECT decision FROM decisions WHERE until > ?{where}"
            " ORDER BY since DESC, id LIMIT ? OFFSET ?",
            now,
            *values,
            limit,
            offset,
        )
        return [wire.decode_decision(data) for (data,) in rows], count[0][0]

    def about(self, now: float, targets: Iterable[tuple[str, str]]) -> list[Decision]:
        """Those in force about any of these targets (kind, value)."""
        found = []
        by_kind: dict[str, list[str]] = {}
        for kind, value in dict.fromkeys(targets):
            by_kind.setdefault(kind, []).append(value)
        for kind, values in by_kind.items():
            for (data,) in self._in(
                "SELECT decision FROM decisions WHERE until > ? AND kind = ? AND value IN",
                values,
                now,
                kind,
            ):
                found.append(wire.decode_decision(data))
        return found

    def of_alerts(self, now: float, ids: Sequence[str]) -> list[Decision]:
        """Those in force that were taken for one of these alerts."""
        rows = self._in("SELECT decision FROM decisions WHERE until > ? AND alert IN", ids, now)
        return [wire.decode_decision(data) for (data,) in rows]

    def counts(self, now: float) -> dict[tuple[Standing, Action], int]:
        """How many decisions are in force, by standing and action."""
        rows = self._all(
            "SELECT standing, action, count(*) FROM decisions WHERE until > ?"
            " GROUP BY standing, action",
            now,
        )
        return {(standing, action): count for standing, action, count in rows}

    def decided(self, since: float) -> dict[str, int]:
        """How many decisions that are still known were taken since then, by detector."""
        rows = self._all(
            "SELECT detector, count(*) FROM decisions WHERE since >= ? GROUP BY detector", since
        )
        return dict(rows)

    def audit(
        self, limit: int, *, targets: Sequence[str] = (), alerts: Sequence[str] = ()
    ) -> list[Audit]:
        """The trail, the newest first: about these targets (KIND:VALUE) or alerts; all of it where
        none is named."""
        if not targets and not alerts:
            rows = self._all("SELECT entry FROM audit ORDER BY at DESC LIMIT ?", limit)
            return [wire.decode_audit(data) for (data,) in rows]
        found: dict[str, tuple[float, bytes]] = {}
        for column, values in (("target", targets), ("alert", alerts)):
            for chunk in _chunks(values):
                marks = ",".join("?" * len(chunk))
                for place, at, data in self._all(
                    f"SELECT place, at, entry FROM audit WHERE {column} IN ({marks})"
                    " ORDER BY at DESC LIMIT ?",
                    *chunk,
                    limit,
                ):
                    found[place] = at, data
        newest = sorted(found.values(), key=lambda one: -one[0])[:limit]
        return [wire.decode_audit(data) for _, data in newest]

    # -- what is behind it ---------------------------------------------------------------------

    def _in(self, query: str, values: Sequence[str], *before: Any) -> Iterable[tuple[Any, ...]]:
        for chunk in _chunks(values):
            yield from self._all(f"{query} ({','.join('?' * len(chunk))})", *before, *chunk)

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._db.execute(query, values).fetchall()


def standing(decision: Decision) -> Standing:
    if decision.origin == "pardon":
        return "pardon"
    if decision.enforced:
        return "enforced"
    return "waits" if decision.needs else "observed"


def _opened(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # a power cut is a look a little earlier
        db.execute("PRAGMA journal_size_limit = 67108864")
        db.execute("BEGIN IMMEDIATE")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        application = db.execute("PRAGMA application_id").fetchone()[0]
        if (version, application) != (VERSION, APPLICATION):
            if db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                raise sqlite3.DatabaseError(f"{path}: of another version")
            for statement in SCHEMA.split(";\n"):
                db.execute(statement)
            db.execute(PUT_MEMORY, (IDENTITY, _identity()))
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def _identity() -> bytes:
    return secrets.token_hex(6).encode()


def _row(decision: Decision) -> tuple[Any, ...]:
    target = decision.target
    said = f"{target.value} {decision.detector} {decision.reason}"
    return (
        decision.id,
        target.kind,
        target.value,
        decision.action,
        decision.origin,
        standing(decision),
        decision.detector,
        decision.alert,
        decision.since,
        decision.until,
        printable(said).lower()[:500],
        wire.encode(decision),
    )


def _where(wanted: Wanted) -> tuple[str, list[str]]:
    where, values = "", []
    for column in ("kind", "action", "origin", "standing"):
        value = getattr(wanted, column)
        if value:
            where += f" AND {column} = ?"
            values.append(value)
    if wanted.text:
        where += " AND instr(said, ?)"
        values.append(printable(wanted.text).lower())
    return where, values


def _chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
