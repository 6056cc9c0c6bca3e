"""News from the store of `mailwarden run` on this server."""

import threading
from collections import deque
from pathlib import Path

import msgspec

from agents.console.shelf import Batch, Shelf
from agents.console.source import DeadLetter, letter
from agents.incidents.revisions import turn_of
from agents.single.changed import Changed, Place
from agents.single.store import StoreError
from schemas.findings import Decision
from schemas.gateways import GatewayState
from schemas.incidents import Case

LOOK = 0.25  # seconds between two looks
PLACE = "place"
LETTERS = 100
TAIL = 1 << 18  # bytes of the file of dead letters that are looked at
INCIDENT = "incident:"

_place = msgspec.json.Decoder(Place)


class FromStore:
    """Follows the store at `path`; `dead` is the file of dead letters."""

    def __init__(self, path: Path, shelf: Shelf, dead: Path, closing: threading.Event) -> None:
        self._changed = Changed(path)
        self.name = f"store {self._changed.identity}"
        shelf.belong(self.name)
        self._closing = closing
        self._dead = dead
        kept = shelf.memory(PLACE)
        self._place = self._changed.checked(_place.decode(kept) if kept else Place())
        self._complete = False
        self._more = True

    def take(self) -> Batch:
        changed = self._changed
        if not self._more:
            self._complete = True
            self._closing.wait(LOOK)
            if changed.moved():
                raise StoreError(f"{changed.path}: another file has taken its place")
            if not changed.news():
                return Batch()
            self._place = changed.checked(self._place)
        alerts = changed.alerts(self._place)
        trail = changed.trail(self._place)
        self._more = bool(alerts or trail)
        if alerts:
            written, newest = alerts[-1]
            self._place = msgspec.structs.replace(self._place, written=written, alert=newest.id)
        if trail:
            self._place = msgspec.structs.replace(self._place, entry=trail[-1][0])
        decisions, gone = self._decided({e.decision for _, e in trail if e.decision})
        return Batch(
            alerts=[alert for _, alert in alerts],
            turns=[*changed.turns([a.id for _, a in alerts]), *(turn_of(a) for _, a in alerts)],
            cases=self._cases(
                {e.target.removeprefix(INCIDENT) for _, e in trail if e.target.startswith(INCIDENT)}
            ),
            decisions=decisions,
            gone=gone,
            audit=[(f"{row} {entry.at!r}", entry) for row, entry in trail],
            memory={PLACE: msgspec.json.encode(self._place)},
        )

    def safe(self) -> None:
        """The place is written with what was taken."""

    def complete(self) -> bool:
        return self._complete

    def gateways(self) -> list[GatewayState]:
        return self._changed.gateways()

    def lifted(self) -> bool:
        """The file of the switch says it, which the settings name."""
        return False

    def dead(self) -> list[DeadLetter]:
        try:
            with self._dead.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - TAIL))
                lines = deque(file.read(TAIL).splitlines(), LETTERS)
        except OSError:
            return []
        return [found for line in reversed(lines) if (found := letter(line)) is not None]

    def close(self) -> None:
        self._changed.close()

    def _decided(self, ids: set[str]) -> tuple[list[Decision], list[str]]:
        """The decisions of these ids, and the ids of those that are no more."""
        found, gone = [], []
        for name in ids:
            decision = self._changed.decision(name)
            if decision is None:
                gone.append(name)
            else:
                found.append(decision)
        return found, gone

    def _cases(self, ids: set[str]) -> list[Case]:
        return [case for name in ids if (case := self._changed.case(name)) is not None]
