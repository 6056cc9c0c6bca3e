"""What libraries log again and again is logged once in a while: aiokafka says at each attempt, for
each of its clients, that no broker answers, some seventy times a second."""

import logging
import time
from collections.abc import Callable

PAUSE = 60.0  # seconds between two records of one wording
WORDINGS = 1024


class Quiet(logging.Filter):
    """Lets one record of each wording pass in a minute. A wording is what the code says, before
    its values."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        wording = (record.name, str(record.msg))
        now = self._clock()
        if now - self._said.get(wording, now - PAUSE) < PAUSE:
            return False
        if len(self._said) >= WORDINGS:
            self._said.clear()
        self._said[wording] = now
        return True


def quieten(handlers: list[logging.Handler], *chatty: str) -> None:
    """Let only warnings of these loggers through `handlers`, each wording once in a while."""
    quiet = Quiet()
    for name in chatty:
        logging.getLogger(name).setLevel(logging.WARNING)

    def passes(record: logging.LogRecord) -> bool:
        return not record.name.startswith(chatty) or quiet.filter(record)

    for handler in handlers:
        handler.addFilter(passes)
