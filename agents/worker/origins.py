"""What was absorbed of each origin, so that a batch which a shipper sends again counts once."""

from bisect import bisect_right
from collections.abc import Sequence

KEPT = 1024  # origins of one partition; beyond them the one longest silent is forgotten


class Origins:
    """Positions of an origin rise, in each partition by itself."""

    def __init__(self, absorbed: dict[str, int] | None = None) -> None:
        self.absorbed: dict[str, int] = absorbed or {}

    def skip(self, origin: str, positions: Sequence[int]) -> int:
        """How many of the first events of a batch were absorbed before; from now on all are."""
        known = self.absorbed.pop(origin, -1)
        repeated = bisect_right(positions, known)
        self.absorbed[origin] = max(known, positions[-1]) if positions else known
        if len(self.absorbed) > KEPT:
            del self.absorbed[next(iter(self.absorbed))]
        return repeated
