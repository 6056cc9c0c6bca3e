"""Memory of the recent past, bounded for each key whatever an attacker does.

A window is a ring of slices. What counts at its edge: at least the whole `seconds`, at most one
slice more (5 %), so that no pace slips between two windows. Everything here folds late events
as long as their slice is in memory, in any order, and is plain data that packs with msgpack;
the window itself (its width and how it is cut) belongs to the detector's settings, not to what
is remembered.
"""

import math
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct, field

from schemas.findings import Evidence

EXACT = 64  # distinct values that are kept one by one
NAMED = 8  # of which so many by name
NAME_LENGTH = 80
REGISTERS = 256
DAY = 86400


@lru_cache(maxsize=131072)
def fingerprint(value: str) -> int:
    """64 bits that stand for a value: BLAKE2b, the same in every process."""
    return int.from_bytes(blake2b(value.encode(), digest_size=8).digest(), "big")


class Counts(Struct, array_like=True):
    """How much happened in the slices of a window."""

    head: int = -1  # the newest slice
    total: int = 0  # of all slices in memory
    slices: dict[int, int] = field(default_factory=dict)


class Distinct(Struct, array_like=True):
    """Which values were seen in a window: each once for its newest slice, and how often."""

    head: int = -1
    seen: dict[int, list[int]] = field(default_factory=dict)  # fingerprint: newest slice, times,
    # and the slice of the oldest of them
    names: dict[int, str] = field(default_factory=dict)  # of up to NAMED of them
    registers: bytes = b""  # HyperLogLog of what came once there were more than EXACT
    lost: int = 0  # evictions since there are registers

    @property
    def estimated(self) -> bool:
        """Whether there were too many to be counted one by one."""
        return self.registers != b""


@lru_cache(maxsize=256)
def window(seconds: float, slices: int = 20, registers: int = REGISTERS) -> "Window":
    """The window of a setting, made once."""
    return Window(seconds, slices, registers)


class Window(Struct, frozen=True):
    """A span of time and how it is cut. The methods fold into and read what was remembered.

    `registers` of the estimate of distinct values beyond EXACT: a power of 2 from 64 on. The
    standard error is 1.04 / sqrt(registers): 6.5 % with 256, 3 % with 1024.
    """

    seconds: float
    slices: int = 20
    registers: int = REGISTERS

    def slice(self, at: float) -> int:
        return int(at * self.slices / self.seconds)

    # -- counts ---------------------------------------------------------------------------

    def add(self, counts: Counts, at: float, n: int = 1) -> int:
        """Count `n` at `at`; returns the total of the window that ends at the newest slice."""
        now = int(at * self.slices / self.seconds)
        if now != counts.head:
            if now > counts.head:
                self._expire(counts, now)
            elif now < counts.head - self.slices:
                return counts.total  # its slice is gone
        slices = counts.slices
        slices[now] = slices.get(now, 0) + n
        counts.total += n
        return counts.total

    def total(self, counts: Counts, at: float) -> int:
        """The total of the window that ends at `at`, or at the newest slice if that is later."""
        now = int(at * self.slices / self.seconds)
        if now > counts.head:
            self._expire(counts, now)
        return counts.total

    def _expire(self, counts: Counts, now: int) -> None:
        counts.head = now
        oldest = now - self.slices
        slices = counts.slices
        if slices and min(slices) < oldest:
            for gone in [at for at in slices if at < oldest]:
                counts.total -= slices.pop(gone)

    # -- distinct values ------------------------------------------------------------------

    def see(self, distinct: Distinct, value: str, at: float, n: int = 1, name: str = "") -> int:
        """Remember that `value` was seen; returns how many distinct ones the window holds.

        `name` is what people call it, where that is not the value.
        """
        now = int(at * self.slices / self.seconds)
        if now != distinct.head:
            if now > distinct.head:
                self._forget(distinct, now)
            elif now < distinct.head - self.slices:
                return self.distinct(distinct, at)
        mark = fingerprint(value)
        seen = distinct.seen
        entry = seen.get(mark)
        if entry is not None:
            if now != entry[0]:
                self._age(entry, now)
            entry[1] += n
        else:
            if len(seen) >= EXACT:
                self._make_room(distinct)
            seen[mark] = [now, n, now]
            if len(distinct.names) < NAMED:
                distinct.names[mark] = (name or value)[:NAME_LENGTH]
        registers = distinct.registers
        if not registers:
            return len(seen)
        distinct.registers = registers = _register(registers, mark)
        return _between(distinct)

    def distinct(self, distinct: Distinct, at: float) -> int:
        """How many distinct values the window that ends at `at` holds: exact up to EXACT, an
        estimate beyond (HyperLogLog)."""
        now = int(at * self.slices / self.seconds)
        if now > distinct.head:
            self._forget(distinct, now)
        if not distinct.registers:
            return len(distinct.seen)
        return _between(distinct)

    def evidence(self, sign: str, distinct: Distinct, at: float, threshold: float) -> Evidence:
        """How many distinct values there are, beside a threshold."""
        return Evidence(sign, self.distinct(distinct, at), threshold, estimated=distinct.estimated)

    def since(self, distinct: Distinct, at: float, seconds: float) -> int:
        """How many of the values that are kept (the EXACT newest) were seen in the last
        `seconds`, a part of this window that its slices divide."""
        self.distinct(distinct, at)
        oldest = distinct.head - round(seconds * self.slices / self.seconds)
        return len([entry for entry in distinct.seen.values() if entry[0] >= oldest])

    def tries(self, distinct: Distinct, at: float) -> list[int]:
        """How often each value that is kept was seen: exact until the oldest sight has left the
        window, from then on as if they had come evenly."""
        self.distinct(distinct, at)
        return [entry[1] for entry in distinct.seen.values()]

    def seldom(self, distinct: Distinct, most: int) -> int:
        """How many of the values that are kept were seen `most` times or less."""
        return len([entry for entry in distinct.seen.values() if entry[1] <= most])

    def holds(self, distinct: Distinct, value: str, at: float) -> bool:
        """Whether `value` is among those kept."""
        self.distinct(distinct, at)
        return fingerprint(value) in distinct.seen

    def first(self, distinct: Distinct, value: str) -> float:
        """When `value` was first seen in the window, to its slice; infinite where it is not
        among those kept."""
        entry = distinct.seen.get(fingerprint(value))
        return entry[2] * self.seconds / self.slices if entry is not None else math.inf

    def times(self, distinct: Distinct, value: str) -> int:
        """How often `value` was seen; 0 where it is not among those kept."""
        entry = distinct.seen.get(fingerprint(value))
        return entry[1] if entry is not None else 0

    def drop(self, distinct: Distinct, value: str) -> None:
        """Unsee a value, unless it is one of those that are only estimated."""
        mark = fingerprint(value)
        distinct.seen.pop(mark, None)
        distinct.names.pop(mark, None)

    def names(self, distinct: Distinct) -> list[str]:
        """Up to NAMED of the values, by name, the first seen first."""
        return list(distinct.names.values())

    def top(self, distinct: Distinct) -> list[tuple[str, int]]:
        """The values that are known by name, and how often each was seen, the most first."""
        named = [(name, distinct.seen[mark][1]) for mark, name in distinct.names.items()]
        return sorted(named, key=lambda entry: (-entry[1], entry[0]))

    def _age(self, entry: list[int], now: int) -> None:
        newest, times, oldest = entry
        left = now - self.slices - oldest  # slices of it that have left the window
        if left > 0:
            entry[1] = times - -(-times * left // (newest - oldest + 1))
            entry[2] = now - self.slices
        else:
            entry[2] = min(oldest, now)
        entry[0] = max(newest, now)

    def _forget(self, distinct: Distinct, now: int) -> None:
        distinct.head = now
        oldest = now - self.slices
        gone = [mark for mark, entry in distinct.seen.items() if entry[0] < oldest]
        for mark in gone:
            del distinct.seen[mark]
            distinct.names.pop(mark, None)
        if gone and distinct.registers and len(distinct.seen) < EXACT // 2:
            distinct.registers = b""
            distinct.lost = 0

    def _make_room(self, distinct: Distinct) -> None:
        if not distinct.registers:
            registers = bytes(self.registers)
            for mark in distinct.seen:
                registers = _register(registers, mark)
            distinct.registers = registers
        oldest = next(iter(distinct.seen))
        del distinct.seen[oldest]
        distinct.names.pop(oldest, None)
        distinct.lost += 1


def _between(distinct: Distinct) -> int:
    """The estimate, within what is known for sure: the values that are kept, and those with
    all that went for others (one that came again is among these twice)."""
    kept = len(distinct.seen)
    return min(max(kept, _estimate(distinct.registers)), kept + distinct.lost)


def _register(registers: bytes, mark: int) -> bytes:
    bits = len(registers).bit_length() - 1
    where = mark & (len(registers) - 1)
    rest = mark >> bits | 1 << (64 - bits)
    rank = (rest & -rest).bit_length()
    if registers[where] >= rank:
        return registers
    return registers[:where] + bytes((rank,)) + registers[where + 1 :]


@lru_cache(maxsize=4096)  # under an attack the same registers are asked at every event
def _estimate(registers: bytes) -> int:
    """Flajolet et al. 2007, with linear counting while registers are empty."""
    m = len(registers)
    alpha = 0.709 if m == 64 else 0.7213 / (1 + 1.079 / m)
    raw = alpha * m * m / sum(2.0**-rank for rank in registers)
    empty = registers.count(0)
    if empty and raw <= 2.5 * m:
        return round(m * math.log(m / empty))
    return round(raw)


class Past(Struct, array_like=True):
    """Who succeeded here, day by day: the good evidence of a client, network or mailbox.

    Values are logins (of a client or network) or networks (of a mailbox). An entry is the first
    day, the last day and the number of days on which it was seen. Holds `KEPT` values, or
    as many as `note` is told; beyond that the one longest unseen goes, and is counted.
    """

    KEPT = 48
    CROWD = 256  # of a client or network: an office behind one address has many logins

    seen: dict[int, list[int]] = field(default_factory=dict)
    lost: int = 0

    def note(self, value: str, at: float, most: int = KEPT) -> None:
        """`value` succeeded at `at`; at most so many values are kept."""
        day = int(at) // DAY
        mark = fingerprint(value)
        entry = self.seen.get(mark)
        if entry is None:
            if len(self.seen) >= most:
                del self.seen[next(iter(self.seen))]
                self.lost += 1
            self.seen[mark] = [day, day, 1]
        elif day > entry[1]:
            entry[1] = day
            entry[2] += 1
            self.seen[mark] = self.seen.pop(mark)  # the order of the dict is that of the last day
        elif day < entry[0]:
            entry[0] = day
            entry[2] += 1

    def knows(self, value: str, at: float, days: int = 30) -> bool:
        """Whether `value` succeeded in the `days` before `at`, today included."""
        if not self.seen:
            return False
        entry = self.seen.get(fingerprint(value))
        return entry is not None and int(at) // DAY - entry[1] <= days

    def settled(self, value: str, at: float) -> bool:
        """Whether `value` succeeded here two days before `at` or earlier: it did not come with
        what happens now."""
        entry = self.seen.get(fingerprint(value))
        return entry is not None and int(at) // DAY - entry[0] >= 2

    def earlier(self, value: str, at: float) -> bool:
        """Whether `value` succeeded here on a day before that of `at`."""
        entry = self.seen.get(fingerprint(value))
        return entry is not None and entry[0] < int(at) // DAY

    def homes(self, at: float) -> list[int]:
        """The fingerprints of all that is `settled`, that of the newest last."""
        oldest = int(at) // DAY - 2
        return [mark for mark, entry in self.seen.items() if entry[0] <= oldest]

    def oldest(self) -> int:
        """The first day, since 1970, on which anything that is kept succeeded; 0: none."""
        return min((entry[0] for entry in self.seen.values()), default=0)

    def any(self, at: float, days: int = 30) -> bool:
        """Whether anything succeeded in the `days` before `at`."""
        oldest = int(at) // DAY - days
        return any(entry[1] >= oldest for entry in self.seen.values())

    def count(self, at: float, days: int = 30) -> int:
        """How many values succeeded in the `days` before `at`, of those that are kept."""
        oldest = int(at) // DAY - days
        return sum(entry[1] >= oldest for entry in self.seen.values())

    def regulars(self, before: float, days: int = 7) -> int:
        """How many were here on two days before the day of `before`, one of them in the last
        `days`: good evidence (a login that came with the attack is none)."""
        today = int(before) // DAY
        found = 0
        for first, last, count in self.seen.values():
            earlier = count - 1 if last >= today else count
            if first < today and earlier >= 2 and last >= today - days:
                found += 1
        return found

    def forget(self, at: float, days: int = 30) -> None:
        """Drop what was not seen for `days`."""
        oldest = int(at) // DAY - days
        for mark in [mark for mark, entry in self.seen.items() if entry[1] < oldest]:
            del self.seen[mark]


def merged(values: Iterable[str], more: Iterable[str], at_most: int) -> list[str]:
    """Values of both, each once, in order, at most so many."""
    return list(dict.fromkeys([*values, *more]))[:at_most]
