"""What bouncers were told, and what has changed since. No IO, no clock.

Changes are numbered. Who knows the list at one number is told what has changed since, each value
once, in its last state. Changes are kept up to a limit: who is further behind is told the whole
list, and of all that is no longer on it, as far as it may still be held: what has ended within a
day, and what was lifted before its time until that time is over.

A limit of as many changes as there are entries makes sure that even lifting everything at once is
told as it is.
"""

from collections.abc import Iterable

from msgspec import Struct

from streams.gateways.lapi.entries import MOST, Entry, Key

DAY = 86400.0
SLIGHT = 60.0
"""Seconds by which an end may move without a word, if it is a tenth of what is left at most: that
a second detector decides the same a moment later is no news, and bouncers take news of one value
badly within seconds (crowdsec-custom-bouncer passes over what comes again within 10 s)."""

KEPT = 2000  # changes that a restart remembers


class Gone(Struct, frozen=True):
    entry: Entry
    at: float  # when it ended, or was lifted


class Changes(Struct, frozen=True):
    """What is to be told."""

    new: list[Entry]
    gone: list[Gone]
    renewed: list[Entry]  # in `new` with another end: these are as they were


class Kept(Struct, frozen=True):
    """A book on disk, with its last changes: most bouncers are not far behind."""

    position: int
    entries: list[Entry]
    gone: list[Gone]
    log: list[tuple[Key, Entry | None]]


class Book:
    def __init__(self, kept: Kept | None = None, most: int = 0) -> None:
        self._most = most or MOST
        self.entries: dict[Key, Entry] = {}
        self._gone: dict[Key, Gone] = {}
        self._log: list[tuple[Key, Entry | None]] = []  # what was there before each change
        self._first = 0  # the position of the first of them
        if kept is not None:
            self._log = kept.log
            self._first = kept.position - len(kept.log)
            self.entries = {entry.key: entry for entry in kept.entries}
            self._gone = {gone.entry.key: gone for gone in kept.gone}

    @property
    def position(self) -> int:
        """How many changes there have been."""
        return self._first + len(self._log)

    def update(self, entries: dict[Key, Entry], now: float) -> None:
        """From now on these are in force, and no others."""
        if not (self.entries or self._gone or self._log):
            self._first += len(entries)  # the first list is told whole to whoever asks
            self.entries = entries
            return
        for key, before in self.entries.items():
            if key not in entries:
                self._log.append((key, before))
                self._gone[key] = Gone(before, min(now, before.until))
        for key, entry in entries.items():
            told = self.entries.get(key)
            if told is not None and _is_alike(told, entry, now):
                entries[key] = told
                continue
            self._log.append((key, told))
            self._gone.pop(key, None)
        self.entries = entries
        self._forget(now)

    def everything(self) -> Changes:
        """For somebody of whom nothing is known."""
        return Changes(list(self.entries.values()), list(self._gone.values()), [])

    def since(self, position: int) -> Changes | None:
        """For somebody who was told all up to a position; None where that is too long ago."""
        if not self._first <= position <= self.position:
            return None
        before: dict[Key, Entry | None] = {}
        for key, entry in self._log[position - self._first :]:
            before.setdefault(key, entry)
        new, gone, renewed = [], [], []
        for key, known in before.items():
            entry = self.entries.get(key)
            if entry is not None:
                new.append(entry)
                if known is not None:
                    renewed.append(known)
            elif known is not None:
                gone.append(self._gone.get(key) or Gone(known, known.until))
        return Changes(new, gone, renewed)

    def kept(self) -> Kept:
        entries, gone = list(self.entries.values()), list(self._gone.values())
        return Kept(self.position, entries, gone, self._log[-KEPT:])

    def _forget(self, now: float) -> None:
        extra = len(self._log) - self._most
        if extra > 0:
            del self._log[:extra]
            self._first += extra
        for key in [key for key, gone in self._gone.items() if _is_over(gone, now)]:
            del self._gone[key]
        extra = len(self._gone) - self._most
        if extra > 0:
            for key in _soonest(self._gone.values(), extra):
                del self._gone[key]


def _is_alike(told: Entry, entry: Entry, now: float) -> bool:
    moved = abs(told.until - entry.until)
    return moved == 0 or moved <= min(SLIGHT, 0.1 * (told.until - now))


def _is_over(gone: Gone, now: float) -> bool:
    return max(gone.entry.until, gone.at + DAY) <= now


def _soonest(gone: Iterable[Gone], count: int) -> list[Key]:
    """Those that bouncers will soonest forget by themselves."""
    by_end = sorted(gone, key=lambda one: one.entry.until)
    return [one.entry.key for one in by_end[:count]]
