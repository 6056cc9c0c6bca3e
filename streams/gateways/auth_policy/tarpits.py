"""Who is kept waiting just now: not too many, and one of each network, or an attacker would
exhaust the mail server through us."""

from collections import deque


class Tarpits:
    """At most `most` at the same time."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._ends: deque[tuple[float, str]] = deque()  # the soonest first: all last alike
        self._waiting: set[str] = set()  # networks

    def enter(self, network: str, now: float) -> bool:
        """Whether somebody of this network is to wait from now on."""
        ends, waiting = self._ends, self._waiting
        while ends and ends[0][0] <= now:
            waiting.remove(ends.popleft()[1])
        if network in waiting or len(waiting) >= self._most:
            return False
        waiting.add(network)
        ends.append((now + self._seconds, network))
        return True
