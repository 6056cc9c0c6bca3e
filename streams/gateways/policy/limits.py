"""How many recipients an account had in the last hour. No IO, no clock.

An hour slides in steps of five minutes: never more than the limit in any hour, and what is
counted falls away within five minutes of its time.
"""

from collections import OrderedDict

STEP = 300.0  # seconds
STEPS = 12
ROOM = 10_000  # accounts


class Limits:
    """Bounded: beyond `room` the account that was quiet longest begins anew."""

    def __init__(self, hourly: int, room: int = ROOM) -> None:
        self._hourly = hourly
        self._room = room
        self._counts: OrderedDict[str, dict[int, int]] = OrderedDict()  # by step

    def left(self, account: str, now: float) -> int:
        """How many recipients it may still have."""
        oldest = int(now // STEP) - STEPS
        counts = self._counts.get(account, {})
        return self._hourly - sum(count for step, count in counts.items() if step >= oldest)

    def count(self, account: str, recipients: int, now: float) -> None:
        """It has so many more."""
        step = int(now // STEP)
        before = self._counts.pop(account, {})
        counts = {one: count for one, count in before.items() if one >= step - STEPS}
        counts[step] = counts.get(step, 0) + recipients
        if len(self._counts) >= self._room:
            self._counts.popitem(last=False)
        self._counts[account] = counts
