"""Who is kept waiting just now. What waits is a process of the mail server's, and an attacker would
have all of them: so few wait at the same time, and of one network only one. No IO, no clock."""

from collections import deque

LONGEST = 30  # seconds; Postfix under stress gives up after 10, Dovecot after 60


class Tarpits:
    """At most `most` at the same time, each for `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._ends: deque[tuple[float, str]] = deque()  # the soonest first: all last alike
        self._waiting: set[str] = set()  # networks

    def enter(self, network: str, now: float) -> bool:
        """Whether somebody of this network is to wait from now on. `now` only grows."""
        ends, waiting = self._ends, self._waiting
        while ends and ends[0][0] <= now:
            waiting.remove(ends.popleft()[1])
        if network in waiting or len(waiting) >= self._most:
            return False
        waiting.add(network)
        ends.append((now + self._seconds, network))
        return True
