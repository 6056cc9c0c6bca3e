"""What has changed in the store since somebody looked last: for another process that follows it.

Alerts are followed by when they were written, decisions and cases by the trail of changes, which
names each of them in the transaction that changes it.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from agents.incidents.revisions import Turn
from agents.single.store import APPLICATION, GATEWAYS, StoreError
from schemas import wire
from schemas.audit import Audit
from schemas.findings import Alert, Decision
from schemas.gateways import GatewayState
from schemas.incidents import Case
from schemas.keys import Key

BUSY = 5.0  # seconds to wait for another process's transaction
MANY = 2000  # rows of one look


class Place(Struct, frozen=True, array_like=True):
    """How far somebody has looked."""

    written: float = 0.0  # when the newest alert was written that is known
    alert: str = ""  # and its id
    entry: int = 0  # row of the newest entry of the trail


class Changed:
    """A connection that only reads. Raises StoreError. For one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._version = -1
        if not path.exists():
            raise StoreError(f"{path}: nothing is kept here yet; has `mailwarden run` run here?")
        with self._explained():
            found = path.stat()
            self.identity = f"{os.fspath(path.resolve())}:{found.st_dev}:{found.st_ino}"
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY, isolation_level=None
            )
        try:
            application = self._all("PRAGMA application_id")[0][0]
            if application != APPLICATION:
                raise StoreError(f"{path}: no store of mailwarden")
        except StoreError:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    def news(self) -> bool:
        """Whether another process has written since the last call."""
        version = self._all("PRAGMA data_version")[0][0]
        before, self._version = self._version, version
        return bool(version != before)

    def moved(self) -> bool:
        """Whether another file has taken the place of this one."""
        try:
            found = self.path.stat()
        except OSError:
            return True
        return not self.identity.endswith(f":{found.st_dev}:{found.st_ino}")

    def checked(self, place: Place) -> Place:
        """The place, or the beginning where the clock went back or the trail began anew."""
        written, entry = self._all("SELECT max(written), 0 FROM alerts")[0]
        entry = self._all("SELECT max(rowid) FROM audit")[0][0]
        if (written or 0.0) < place.written or (entry or 0) < place.entry:
            return Place()
        return place

    def alerts(self, place: Place) -> list[tuple[float, Alert]]:
        """Alerts that were written later, the earliest first, with when they were."""
        rows = self._all(
            "SELECT written, alert FROM alerts WHERE written > ?1 OR (written = ?1 AND id > ?2)"
            " ORDER BY written, id LIMIT ?3",
            place.written,
            place.alert,
            MANY,
        )
        return [(written, wire.decode_alert(data)) for written, data in rows]

    def trail(self, place: Place) -> list[tuple[int, Audit]]:
        """Later entries of the trail, with their rows."""
        rows = self._all(
            "SELECT rowid, entry FROM audit WHERE rowid > ? ORDER BY rowid LIMIT ?",
            place.entry,
            MANY,
        )
        return [(row, wire.decode_audit(data)) for row, data in rows]

    def decision(self, id: str) -> Decision | None:  # noqa: A002
        rows = self._all("SELECT decision FROM decisions WHERE id = ?", id)
        return wire.decode_decision(rows[0][0]) if rows else None

    def case(self, id: str) -> Case | None:  # noqa: A002
        rows = self._all("SELECT entry FROM cases WHERE id = ?", id)
        return wire.decode_case(rows[0][0]) if rows else None

    def turns(self, ids: Sequence[str]) -> list[Turn]:
        """Earlier revisions of these alerts, where they became more or less severe."""
        found = []
        for id in ids:  # noqa: A001
            rows = self._all(
                "SELECT alert, revision, at, severity, state FROM turns WHERE alert = ?", id
            )
            found += [Turn(*row) for row in rows]
        return found

    def gateways(self) -> list[GatewayState]:
        """What the running process last said of its gateways."""
        kept = self.memory(GATEWAYS)
        return [wire.decode_state(kept)] if kept else []

    def memory(self, name: str) -> bytes:
        rows = self._all("SELECT value FROM memory WHERE name = ?", name)
        return rows[0][0] if rows else b""

    def record(self, key: Key) -> bytes:
        """What the running process last made safe of a subject; b"" where it knows none."""
        rows = self._all("SELECT record FROM records WHERE key = ?", key)
        return rows[0][0] if rows else b""

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._explained():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error
        except (sqlite3.Error, ValueError) as error:
            raise StoreError(f"{self.path}: {error}") from error
