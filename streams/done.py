"""What was done about which decision: a restart must not tell everybody again."""

import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct, field

from schemas.findings import Decision
from streams import atomic
from streams.gateway import GatewayError


class Entry(Struct):
    """A decision, and the steps that were taken for it."""

    decision: Decision
    steps: list[str] = field(default_factory=list)
    active: bool = True  # it is in force; else its undo is done as well
    seen: float = 0.0  # when this process heard of it, by the monotonic clock


_entries = msgspec.json.Decoder(dict[str, Entry])


class Done:
    """Kept in `path`. Raises GatewayError where that cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self.unsafe = False  # something was done that is not kept yet
        self._path = path
        self._entries: dict[str, Entry] | None = None

    def of(self, decision: Decision) -> Entry:
        """What was done for a decision; a renewed one begins anew."""
        entries = self._all()
        entry = entries.get(decision.id)
        if entry is None:
            entry = entries[decision.id] = Entry(decision, seen=time.monotonic())
        elif entry.decision.generation != decision.generation:
            entry.steps, entry.seen = [], time.monotonic()
        entry.decision, entry.active = decision, True
        return entry

    def left(self, wanted: Iterable[str]) -> list[Entry]:
        """Those that are in force no more, and not undone yet."""
        names = set(wanted)
        return [e for name, e in self._all().items() if e.active and name not in names]

    def keep(self, now: float) -> None:
        """Make it safe; what has ended is forgotten."""
        self.unsafe = True
        entries = self._all()
        for name in [n for n, e in entries.items() if not e.active and e.decision.until <= now]:
            del entries[name]
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.replace(self._path, msgspec.json.encode(entries).decode(), 0o600)
        except OSError as error:
            raise GatewayError(f"{self._path}: {error.strerror}") from error
        self.unsafe = False

    def _all(self) -> dict[str, Entry]:
        if self._entries is None:
            try:
                self._entries = _entries.decode(self._path.read_bytes())
            except FileNotFoundError:
                self._entries = {}
            except (OSError, ValueError) as error:
                raise GatewayError(f"{self._path}: {error}") from error
        return self._entries
