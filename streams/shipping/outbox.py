"""What a shipper has read and no broker has taken yet, in one SQLite file.

Batches, their positions, the places in the sources and the joiner's memory become safe in one
transaction, before anything is sent. A process killed at any point goes on there: it sends a
batch again under the same positions, by which a worker knows that it has absorbed it, and reads
no line twice.

``synchronous=FULL`` (https://sqlite.org/pragma.html#pragma_synchronous): after a power cut a
batch that was sent must not be forgotten, or its positions would be given to other events.
"""

import fcntl
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

VERSION = 1
APPLICATION = 0x4D57_4F42  # "MWOB", shown by file(1)
SHIPPER = "shipper"
PARTITIONS = "partitions"

SCHEMA = """
CREATE TABLE batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    partition INTEGER,
    origin TEXT NOT NULL,
    positions BLOB NOT NULL,
    value BLOB NOT NULL
);
CREATE TABLE next_positions (
    origin TEXT NOT NULL,
    partition INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (origin, partition)
) WITHOUT ROWID;
CREATE TABLE places (source TEXT PRIMARY KEY, place BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE memory (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""

Lane = tuple[str, int]
"""Origin and partition: batches of one lane are sent, and absorbed, in order."""


class OutboxError(Exception):
    """The file cannot be used, or not be written now: which, and why."""


class Batch(Struct, frozen=True):
    """A message for the bus."""

    topic: str
    partition: int | None  # None: by the origin
    origin: str  # who packed it: shipper and file; also its key
    value: bytes
    positions: bytes = b""  # schemas/wire.py; empty where a repetition does no harm
    id: int = 0  # in the outbox, rising


class Outbox:
    """The file at `path`, made where it is missing (mode 0600), for this process alone.

    `partitions` is that of mail.facts: what waits was routed for it. `shipper` names this
    outbox among all that ever were, so that its positions are never taken for another's. Safe
    for several threads. Raises OutboxError.
    """

    def __init__(self, path: Path, partitions: int, host: str) -> None:
        self.path = path
        self.waiting = 0  # bytes of batches
        self._lock = threading.Lock()
        with self._explained():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._fd)
                raise OutboxError(f"{path}: another shipper runs on it") from None
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            with self._explained():
                self._prepare()
            self.shipper = self._name(host)
            self._settle_partitions(partitions)
        except OutboxError:
            self.close()
            raise
        (self.waiting,) = self._all("SELECT coalesce(sum(length(value)), 0) FROM batches")[0]

    def close(self) -> None:
        self._db.close()
        os.close(self._fd)

    # -- the reader's side --------------------------------------------------------------------

    def places(self) -> dict[str, bytes]:
        """Where reading stopped, by the name of the source."""
        return dict(self._all("SELECT source, place FROM places"))

    def memory(self, name: str) -> bytes:
        """What was remembered under `name`; empty where nothing was."""
        rows = self._all("SELECT value FROM memory WHERE name = ?", name)
        return rows[0][0] if rows else b""

    def next_positions(self) -> dict[Lane, int]:
        """The position of each lane's next event."""
        rows = self._all("SELECT origin, partition, position FROM next_positions")
        return {(origin, partition): position for origin, partition, position in rows}

    def commit(
        self,
        batches: Iterable[Batch],
        next_positions: Mapping[Lane, int],
        places: Mapping[str, bytes],
        memory: Mapping[str, bytes],
    ) -> None:
        """Make it safe, all or nothing. Raises OutboxError where it is not."""
        size = 0
        with self._transaction() as db:
            for batch in batches:
                size += len(batch.value)
                db.execute(
                    "INSERT INTO batches (topic, partition, origin, positions, value)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (batch.topic, batch.partition, batch.origin, batch.positions, batch.value),
                )
            db.executemany(
                "INSERT OR REPLACE INTO next_positions VALUES (?, ?, ?)",
                ((*lane, position) for lane, position in next_positions.items()),
            )
            db.executemany("INSERT OR REPLACE INTO places VALUES (?, ?)", places.items())
            db.executemany("INSERT OR REPLACE INTO memory VALUES (?, ?)", memory.items())
        with self._lock:
            self.waiting += size

    # -- the sender's side --------------------------------------------------------------------

    def oldest(self, limit: int) -> list[Batch]:
        """The oldest batch of each lane, as far as `limit` bytes reach; at least one, if any
        waits. Never two of a lane: if the first fails, the second must not overtake it."""
        found: dict[tuple[str, str, int | None], int] = {}
        size = 0
        rows = self._all(
            "SELECT id, topic, origin, partition, length(value) FROM batches ORDER BY id LIMIT 256"
        )
        for number, topic, origin, partition, length in rows:
            if (topic, origin, partition) in found:
                continue
            size += length
            if found and size > limit:
                break
            found[topic, origin, partition] = number
        return [self._batch(number) for number in found.values()]

    def done(self, batches: Iterable[Batch]) -> None:
        """They are safe on the bus. Raises OutboxError; to be told again then does no harm."""
        batches = list(batches)
        with self._transaction() as db:
            db.executemany("DELETE FROM batches WHERE id = ?", [(b.id,) for b in batches])
        with self._lock:
            self.waiting -= sum(len(batch.value) for batch in batches)

    # -- what is behind it --------------------------------------------------------------------

    def _batch(self, number: int) -> Batch:
        rows = self._all(
            "SELECT topic, partition, origin, value, positions, id FROM batches WHERE id = ?",
            number,
        )
        return Batch(*rows[0])

    def _prepare(self) -> None:
        db = self._db
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION:
            raise OutboxError(f"{self.path}: not an outbox of mailwarden")
        if version > VERSION:
            raise OutboxError(f"{self.path}: written by a newer mailwarden (version {version})")
        if not tables:
            db.execute("PRAGMA page_size = 16384")  # batches are large
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if not tables:
            db.executescript(
                f"BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION};"
                f" PRAGMA user_version = {VERSION}; COMMIT;"
            )

    def _name(self, host: str) -> str:
        known = self.memory(SHIPPER)
        if known:
            return known.decode()
        name = f"{host}/{secrets.token_hex(4)}"
        self.commit([], {}, {}, {SHIPPER: name.encode()})
        return name

    def _settle_partitions(self, partitions: int) -> None:
        before = self.memory(PARTITIONS)
        if before and int(before) != partitions:
            (waiting,) = self._all("SELECT count(*) FROM batches")[0]
            if waiting:
                raise OutboxError(
                    f"{self.path}: {waiting} batches wait that were routed for"
                    f" kafka.partitions = {int(before)}, which is now {partitions};"
                    " let them be sent with the old number first"
                )
        self.commit([], {}, {}, {PARTITIONS: str(partitions).encode()})

    def _all(self, query: str, *parameters: object) -> list[Any]:
        with self._lock, self._explained():
            return self._db.execute(query, parameters).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutboxError(f"{self.path}: {error.strerror}") from error
        except sqlite3.Error as error:
            raise OutboxError(f"{self.path}: {error}") from error
