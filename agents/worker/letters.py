"""Dead letters, within a limit: bad code at a publisher must not fill a topic."""

from agents.worker.messages import Dead
from schemas import wire

A_MINUTE = 600


class Letters:
    """Keeps what may be sent; beyond the limit of a minute they are counted only."""

    def __init__(self, a_minute: int = A_MINUTE) -> None:
        self.found = 0
        self.dropped = 0
        self._a_minute = a_minute
        self._minute = 0
        self._sent = 0
        self._waiting: list[Dead] = []

    def add(self, letters: list[Dead]) -> None:
        for letter in letters:
            self.found += 1
            minute = int(letter.at // 60)
            if minute != self._minute:
                self._minute, self._sent = minute, 0
            if self._sent < self._a_minute:
                self._sent += 1
                self._waiting.append(letter)
            else:
                self.dropped += 1

    def take(self) -> list[tuple[bytes, bytes]]:
        """(key, value) of the messages to be sent; the key is the place without its offset."""
        waiting, self._waiting = self._waiting, []
        return [
            (letter.place.rpartition(":")[0].encode(), wire.encode(letter)) for letter in waiting
        ]
