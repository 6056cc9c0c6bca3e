"""What people took on, as mail.incidents says."""

import time

from agents.incidents.taken import Taken
from schemas import wire
from schemas.incidents import Case
from streams.bus import Bus

TOPIC = "mail.incidents"
PAUSE = 1.0  # seconds between two looks


class Cases:
    """Tells `taken` of all there is on the topic, and of what comes, each time it is read. Raises
    BusError. It lives as long as its bus, in the thread of that."""

    def __init__(self, bus: Bus, taken: Taken) -> None:
        self._taken = taken
        self._known: dict[bytes, Case] = {}
        self._next = 0.0
        self._subscription = bus.subscribe([TOPIC], None)

    def read(self) -> None:
        if self._subscription.caught_up() and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PAUSE
        messages = self._subscription.poll(0.05)
        for message in messages:
            if message.value is None:
                self._known.pop(message.key, None)
                continue
            try:
                self._known[message.key] = wire.decode_case(message.value)
            except ValueError:
                continue  # of a newer version, or nobody's: what was known of it holds
        if messages:
            self._taken.learn(self._known.values())

    def close(self) -> None:
        self._subscription.close()
