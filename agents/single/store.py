"""All that must outlive the process, in one SQLite file.

What the process knows changes in memory and is made safe by `commit`: positions in the logs,
the joiner's memory, records, alerts, decisions and what the sinks still have to be told go into
one transaction. After a crash everything stands where the last commit left it, so the lines
behind it are read again into the very state that they met the first time.

WAL with ``synchronous=NORMAL`` (https://sqlite.org/wal.html): a killed process loses nothing; a
power cut can lose the last commits, but whole and in order, which is a crash a little earlier.

Other processes (`mailwarden alerts`, `mailwarden decisions`) open the same file. They touch
alerts, decisions and cases only, and `revised` tells the running process that decisions were
changed. Whatever changes a decision adds to the trail of changes, in the same transaction.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from agents.incidents.revisions import Turn
from agents.single.tables import (
    AUDIT,
    AUDIT_GUARD,
    INCIDENTS,
    PUT_ALERT,
    PUT_AUDIT,
    PUT_CASE,
    PUT_DECIDED,
    PUT_DECISION,
    PUT_STANDING,
    RETIRE_CASES,
    RETIRE_STANDING,
    RETIRE_TURNS,
    SCHEMA,
    WRITTEN,
)
from schemas import wire
from schemas.audit import Audit, decided
from schemas.events import Signal
from schemas.findings import DAY, Alert, Decision
from schemas.gateways import GatewayState
from schemas.incidents import Case
from schemas.keys import Key

VERSION = 3
APPLICATION = 0x4D57_4152  # "MWAR", shown by file(1)
GATEWAYS = "gateways"  # in its memory: the state of the gateways, as a message of mail.gateways
TOLD = "told"  # likewise: what persons told the watchers of subjects, as a message of mail.facts
KEPT_WORDS = 100
BUSY = 5.0  # seconds to wait for another process's transaction


class StoreError(Exception):
    """The file cannot be used, or not be written now: which, and why."""


class Told(Struct, frozen=True):
    """A revision of an alert, as far as one sink is concerned."""

    sink: str
    alert: str  # its id
    revision: int


class Changes(Struct):
    """What one commit makes safe. None deletes."""

    positions: dict[str, bytes | None] = field(default_factory=dict)
    memory: dict[str, bytes] = field(default_factory=dict)  # joiner, clocks: whatever has a name
    records: dict[Key, bytes | None] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    audit: list[Audit] = field(default_factory=list)  # changes beside these decisions
    owed: list[Told] = field(default_factory=list)  # what sinks must be told
    told: list[Told] = field(default_factory=list)  # what they have been told


class Store:
    """One connection to the file at `path`, which is made where it is missing (mode 0600).

    Raises StoreError where the file is no store of ours, is damaged, or was written by a newer
    version. Not for use by several threads.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock: int | None = None
        with self._explained():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(self.path, timeout=BUSY, isolation_level=None)
        try:
            with self._explained():
                self._prepare()
        except StoreError:
            self._db.close()
            raise

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def own(self) -> None:
        """Claim the file for this process, as the one that detects.

        Raises StoreError where another has it, or where the file is damaged.
        """
        with self._explained():
            self._lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"{self.path}: another mailwarden runs on it") from None
            found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(f"{self.path}: damaged ({found}); move it away to begin anew")

    # -- what the running process keeps -------------------------------------------------------

    def commit(self, changes: Changes, now: float) -> None:
        """Make `changes` safe, all or nothing. Raises StoreError where they are not."""
        with self._transaction() as db:
            for source, position in changes.positions.items():
                if position is None:
                    db.execute("DELETE FROM positions WHERE source = ?", (source,))
                else:
                    db.execute("INSERT OR REPLACE INTO positions VALUES (?, ?)", (source, position))
            db.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?)", changes.memory.items())
            gone = [(key,) for key, record in changes.records.items() if record is None]
            db.executemany("DELETE FROM records WHERE key = ?", gone)
            db.executemany(
                "INSERT OR REPLACE INTO records VALUES (?, ?)",
                (item for item in changes.records.items() if item[1] is not None),
            )
            db.executemany(PUT_ALERT, (_alert_row(alert, now) for alert in changes.alerts))
            db.executemany(PUT_STANDING, (_standing_row(alert) for alert in changes.alerts))
            db.executemany(PUT_DECIDED, ((*_decision_row(d), now) for d in changes.decisions))
            db.executemany(PUT_AUDIT, (_audit_row(decided(d)) for d in changes.decisions))
            db.executemany(PUT_AUDIT, (_audit_row(entry) for entry in changes.audit))
            db.executemany(
                "INSERT OR REPLACE INTO outbox VALUES (?, ?, ?)",
                ((told.sink, told.alert, told.revision) for told in changes.owed),
            )
            db.executemany(
                "DELETE FROM outbox WHERE sink = ? AND alert = ? AND revision <= ?",
                ((told.sink, told.alert, told.revision) for told in changes.told),
            )

    def positions(self) -> dict[str, bytes]:
        """Where reading stopped, by the name of the source."""
        return dict(self._all("SELECT source, position FROM positions"))

    def memory(self, name: str) -> bytes:
        """What was remembered under `name`; empty where nothing was."""
        rows = self._all("SELECT value FROM memory WHERE name = ?", name)
        return rows[0][0] if rows else b""

    def records(self) -> Iterator[tuple[Key, bytes]]:
        with self._explained():
            yield from self._db.execute("SELECT key, record FROM records")

    def owed(self, sink: str, limit: int) -> list[Alert]:
        """Alerts that a sink was not told yet, the oldest first; each in its newest revision."""
        rows = self._all(
            "SELECT alerts.alert FROM outbox JOIN alerts ON alerts.id = outbox.alert"
            " WHERE sink = ? ORDER BY alerts.last, alerts.id LIMIT ?",
            sink,
            limit,
        )
        return [wire.decode_alert(data) for (data,) in rows]

    def retire(self, now: float, keep_days: int, audit_days: int) -> None:
        """Forget alerts that were written too long ago and told to everybody, decisions that
        ended as long ago, cases of which no alert is left, and what is too old of the trail of
        changes. An old log's alerts are as new as its reading."""
        oldest = now - keep_days * DAY
        with self._transaction() as db:
            db.execute(
                "DELETE FROM alerts WHERE written < ? AND id NOT IN (SELECT alert FROM outbox)",
                (oldest,),
            )
            db.execute(RETIRE_STANDING)
            db.execute(RETIRE_TURNS)
            db.execute(RETIRE_CASES, (oldest,))
            db.execute("DELETE FROM decisions WHERE until < ?", (oldest,))
            db.execute("DROP TRIGGER audit_kept")
            db.execute("DELETE FROM audit WHERE at < ?", (now - audit_days * DAY,))
            db.execute(AUDIT_GUARD)

    def forget_sinks(self, kept: list[str]) -> None:
        """Owe nothing to sinks that are no longer configured."""
        with self._transaction() as db:
            marks = ", ".join("?" * len(kept))
            db.execute(f"DELETE FROM outbox WHERE sink NOT IN ({marks})", kept)  # noqa: S608

    def revised(self) -> int:
        """A number that changes with each decision that a person put or removed."""
        return int(self._all("SELECT count FROM revised")[0][0])

    # -- what people ask and say ------------------------------------------------------------

    def alerts(self, limit: int = 100, since: float = 0.0) -> list[Alert]:
        """Alerts with their last event at `since` (Unix seconds) or later, the newest first."""
        rows = self._all(
            "SELECT alert FROM alerts WHERE last >= ? ORDER BY last DESC, id LIMIT ?", since, limit
        )
        return [wire.decode_alert(data) for (data,) in rows]

    def alert(self, id: str) -> Alert | None:  # noqa: A002
        rows = self._all("SELECT alert FROM alerts WHERE id = ?", id)
        return wire.decode_alert(rows[0][0]) if rows else None

    def decisions(self, now: float) -> list[Decision]:
        """The decisions that have not ended at `now`, by id; observed ones included."""
        rows = self._all("SELECT decision FROM decisions WHERE until > ? ORDER BY id", now)
        return [wire.decode_decision(data) for (data,) in rows]

    def put_decision(self, decision: Decision, entry: Audit) -> None:
        """A person's decision or pardon: it takes the place of whatever has its id."""
        with self._transaction() as db:
            db.execute(PUT_DECISION, _decision_row(decision))
            db.execute(PUT_AUDIT, _audit_row(entry))
            db.execute("UPDATE revised SET count = count + 1")

    def remove_decision(self, id: str, entry: Audit) -> bool:  # noqa: A002
        """Whether there was one."""
        with self._transaction() as db:
            found = db.execute("DELETE FROM decisions WHERE id = ?", (id,)).rowcount > 0
            db.execute(PUT_AUDIT, _audit_row(entry))
            db.execute("UPDATE revised SET count = count + 1")
        return found

    def audit(self, limit: int = 100, since: float = 0.0) -> list[Audit]:
        """The trail of changes from `since` on, the newest first."""
        rows = self._all(
            "SELECT entry FROM audit WHERE at >= ? ORDER BY at DESC, rowid DESC LIMIT ?",
            since,
            limit,
        )
        return [wire.decode_audit(data) for (data,) in rows]

    def note(self, entry: Audit) -> None:
        """Add to the trail."""
        with self._transaction() as db:
            db.execute(PUT_AUDIT, _audit_row(entry))

    def turns(self) -> list[Turn]:
        """Where alerts became more or less severe, were withdrawn or stood again."""
        rows = self._all("SELECT alert, revision, at, severity, state FROM turns")
        return [Turn(*row) for row in rows]

    def cases(self) -> list[Case]:
        """What people made of incidents."""
        rows = self._all("SELECT entry FROM cases ORDER BY id")
        return [wire.decode_case(data) for (data,) in rows]

    def judged(self) -> tuple[int, float]:
        """Changes with each word of a person about an incident."""
        [(count, newest)] = self._all("SELECT count(*), coalesce(max(changed), 0) FROM cases")
        return count, newest

    def change_case(self, id: str, change: Callable[[Case], Case], entry: Audit) -> Case:  # noqa: A002
        """Change what people made of an incident; where nobody has yet, what a new case becomes."""
        with self._transaction() as db:
            rows = db.execute("SELECT entry FROM cases WHERE id = ?", (id,)).fetchall()
            case = change(wire.decode_case(rows[0][0]) if rows else Case(id=id))
            db.execute(PUT_CASE, (case.id, case.at, wire.encode(case)))
            db.execute(PUT_AUDIT, _audit_row(entry))
        return case

    def tell(self, signal: Signal, entry: Audit) -> None:
        """A person's word to the watcher of a subject; the newest hundred are kept, for a process
        that begins later."""
        with self._transaction() as db:
            rows = db.execute("SELECT value FROM memory WHERE name = ?", (TOLD,)).fetchall()
            words = wire.decode_events(rows[0][0]) if rows else []
            words = [*words, signal][-KEPT_WORDS:]
            db.execute(
                "INSERT OR REPLACE INTO memory VALUES (?, ?)", (TOLD, wire.encode_events(words))
            )
            db.execute(PUT_AUDIT, _audit_row(entry))
            db.execute("UPDATE revised SET count = count + 1")

    def told(self) -> list[Signal]:
        """What persons told, the oldest first."""
        kept = self.memory(TOLD)
        words = wire.decode_events(kept) if kept else []
        return [word for word in words if isinstance(word, Signal)]

    def gateways(self) -> list[GatewayState]:
        """What the running process last said of its gateways."""
        kept = self.memory(GATEWAYS)
        return [wire.decode_state(kept)] if kept else []

    # -- what is behind it --------------------------------------------------------------------

    def _prepare(self) -> None:
        db = self._db
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA journal_size_limit = 67108864")  # a burst does not leave its log behind
        with self._transaction():
            version = db.execute("PRAGMA user_version").fetchone()[0]
            application = db.execute("PRAGMA application_id").fetchone()[0]
            if application not in (0, APPLICATION) or (version and not application):
                raise StoreError(f"{self.path}: an SQLite file of another program")
            if version > VERSION:
                raise StoreError(
                    f"{self.path}: written by a newer mailwarden"
                    f" (version {version} of the file; this one knows {VERSION})"
                )
            if not version:
                self._create()
            if version == 1:
                self._run(AUDIT, AUDIT_GUARD)
            if version < 3:
                self._run(INCIDENTS)
            self._run(WRITTEN)
            if version != VERSION:
                db.execute(f"PRAGMA user_version = {VERSION}")

    def _create(self) -> None:
        if self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise StoreError(f"{self.path}: an SQLite file of another program")
        self._run(SCHEMA, AUDIT, AUDIT_GUARD)
        self._db.execute(f"PRAGMA application_id = {APPLICATION}")

    def _run(self, *scripts: str) -> None:
        for script in scripts:
            for statement in script.split(";\n"):
                self._db.execute(statement)

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._explained():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite itself rolls back on some errors
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}") from error


def _alert_row(alert: Alert, now: float) -> tuple[str, float, int, float, bytes]:
    return alert.id, alert.last, alert.revision, now, wire.encode(alert)


def _standing_row(alert: Alert) -> tuple[str, int, float, str, str, str]:
    return alert.id, alert.revision, alert.at, alert.severity, alert.state, alert.incident


def _decision_row(decision: Decision) -> tuple[str, float, str, bytes]:
    return decision.id, decision.until, decision.origin, wire.encode(decision)


def _audit_row(entry: Audit) -> tuple[float, str, bytes]:
    return entry.at, entry.decision, wire.encode(entry)
