"""What became of each message to a receiver that answers one by one: taken, refused, put aside.

A receiver that refuses a message for good would be asked for ever. So its refusals are counted:
one that says the message does not fit is believed after `UNFIT` tries, one that says there is
nobody (any more) after `GONE` tries, which with the usual pauses is some eight minutes. Then the
message is put aside: counted, logged and left out. Whatever else a receiver says (401 and 403,
429, 5xx) may change, and the message waits for that.
"""

import logging
from collections.abc import Iterable

from streams.metrics import SINK_REFUSED
from streams.said import said
from streams.sink import SinkError

log = logging.getLogger(__name__)

UNFIT = dict.fromkeys((400, 406, 411, 413, 414, 415, 422), 3)
GONE = dict.fromkeys((404, 405, 410), 10)
TRIES = UNFIT | GONE
"""HTTP status (RFC 9110) by how often it is believed to be a mistake."""
KEPT = 10_000  # messages of which is remembered what became of them


class Posted:
    """Of one sink, whose name is `sink`; messages go by their name, as alert and revision."""

    def __init__(self, sink: str) -> None:
        self.trouble = ""  # why it refused the last messages for good; "" where it took some
        self._sink = sink
        self._done: dict[str, None] = {}
        self._refusals: dict[str, int] = {}
        self._again: dict[str, str] = {}  # in this round: why it is to be sent again
        self._aside = ""  # in this round: why one was put aside
        self._some = False  # in this round: some were taken

    def begin(self, names: Iterable[str]) -> list[str]:
        """A round: which of the messages are still to be sent."""
        self._again = {}
        self._aside = ""
        self._some = False
        return [name for name in names if name not in self._done]

    def taken(self, name: str) -> None:
        self._some = True
        self._settle(name)

    def refused(self, name: str, status: int, reason: str) -> bool:
        """The receiver answered with this status. Whether that is a refusal of this message, after
        which the next one may be sent; else the receiver takes nothing now."""
        if status not in TRIES:
            return False
        why = f"{status} {reason}".strip()
        count = self._refusals[name] = self._refusals.get(name, 0) + 1
        if count < TRIES[status]:
            self._again[name] = why
            _bound(self._refusals)
            return True
        self.aside(name, why)
        return True

    def aside(self, name: str, why: str) -> None:
        """It is never sent again."""
        self._settle(name)
        self._aside = why
        SINK_REFUSED.labels(self._sink).inc()
        log.error(said("alert refused", sink=self._sink, alert=name, reason=why))

    def end(self, shown: str) -> None:
        """The round is over. Raises SinkError where some are to be sent again; `shown` is the
        receiver's name."""
        if self._some:
            self.trouble = ""
        elif self._aside:
            self.trouble = f"{shown}: refused the last alerts for good: {self._aside}"
        if self._again:
            why = next(iter(self._again.values()))
            raise SinkError(f"{shown}: answered {why}")

    def _settle(self, name: str) -> None:
        self._refusals.pop(name, None)
        self._done[name] = None
        _bound(self._done)


def _bound(known: dict[str, int] | dict[str, None]) -> None:
    while len(known) > KEPT:
        del known[next(iter(known))]
