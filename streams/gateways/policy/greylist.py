"""Come again later: whoever keeps a queue does, and most programs that only send spam do not.

What is told apart are client network, sender and recipient (RFC 6647, 2.3): large senders come
again from a neighbour. No IO, no clock.
"""

from collections import OrderedDict

KEPT = 86400.0  # seconds in which a sender that was deferred may come again
ROOM = 100_000


class Greylist:
    """Bounded: beyond `room` the oldest is forgotten, and deferred once more."""

    def __init__(self, wait: float, room: int = ROOM) -> None:
        self._wait = wait
        self._room = room
        self._came: OrderedDict[int, float] = OrderedDict()  # when first; the oldest first

    def passes(self, network: str, sender: str, recipient: str, now: float) -> bool:
        """Whether these three have waited long enough since they came first."""
        came = self._came
        while came and next(iter(came.values())) <= now - KEPT:
            came.popitem(last=False)
        key = hash((network, sender, recipient))  # of strings: keyed anew in each process
        first = came.get(key)
        if first is not None:
            return now - first >= self._wait
        if len(came) >= self._room:
            came.popitem(last=False)
        came[key] = now
        return False
