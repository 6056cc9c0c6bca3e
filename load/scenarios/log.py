"""What the programs of a scenario write to: lines of several hosts, given out by time, each in
the carrier that was asked for."""

from bisect import bisect_left
from collections.abc import Iterator

from agents.demo.log import Log
from load.scenarios.carriers import CARRIERS, SECOND, Told

FOLLOWER = "filebeat"  # carries lines of files where another carrier was asked that cannot


class CarriedLog(Log):
    """Lines are written in any order; `take` gives them by time. `digits` of a second are told:
    as many as the carrier can tell, or fewer."""

    def __init__(self, carrier: str, digits: int = 6) -> None:
        super().__init__()
        found = CARRIERS[carrier]
        self._carry = found.carry
        self._follow = (found if found.follows else CARRIERS[FOLLOWER]).carry
        self._unit = 10 ** (6 - min(digits, found.digits))
        self._count = 0
        self._told: list[tuple[float, int, str, str, str]] = []

    def write(self, at: float, host: str, text: str) -> None:
        """A line by way of syslog at `at` (Unix seconds); `text` begins with the tag."""
        self.follow(at, host, "", text)

    def follow(self, at: float, host: str, file: str, text: str) -> None:
        """A line, with its own stamp, of a program's `file` on `host`."""
        self._count += 1
        self._told.append((at, self._count, host, file, text))

    def take(self, before: float) -> Iterator[bytes]:
        self._told.sort()
        stop = bisect_left(self._told, (before, 0))
        taken, self._told = self._told[:stop], self._told[stop:]
        for at, _, host, file, text in taken:
            second = int(at)
            us = second * SECOND + int((at - second) * 1e6) // self._unit * self._unit
            told = Told(us, host, file, text)
            yield f"{self._follow(told) if file else self._carry(told)}\n".encode()
