"""How often somebody may be wrong about a password: few times from one network, and for one name
so many times that nobody keeps its owner out by guessing."""

import time
from collections import OrderedDict
from collections.abc import Callable

from schemas import net

WINDOW = 300.0  # seconds
OF_CLIENT = 10  # wrong passwords in it, from one client
OF_NAME = 100  # for one name, from everywhere
MOST = 10_000  # clients and names that are remembered


class Attempts:
    """`clock` is monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, list[float]] = OrderedDict()

    def wait(self, client: str, name: str) -> float:
        """Seconds until another attempt is looked at; 0: now."""
        return max(self._wait(_client(client), OF_CLIENT), self._wait(f"name {name}", OF_NAME))

    def failed(self, client: str, name: str) -> None:
        now = self._clock()
        for key, most in ((_client(client), OF_CLIENT), (f"name {name}", OF_NAME)):
            recent = [at for at in self._failed.pop(key, []) if now - at < WINDOW]
            self._failed[key] = [*recent, now][-most:]
        while len(self._failed) > MOST:
            self._failed.popitem(last=False)

    def _wait(self, key: str, most: int) -> float:
        now = self._clock()
        recent = [at for at in self._failed.get(key, []) if now - at < WINDOW]
        return WINDOW - (now - recent[0]) if len(recent) >= most else 0.0


def _client(address: str) -> str:
    canonical = net.address(address)
    return net.client(canonical) if canonical else "unknown"
