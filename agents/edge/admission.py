"""What may come in from the topic of decisions. The broker is believed in nothing: whoever can
write to the topic could have everybody blocked, or nobody.

A message is refused where it is not signed though keys are configured, where it does not lie
under the key of what it decides (a deletion could not reach it), where its lease is longer than
any can be, and where the block list has an objection (streams/blocklist.py). What is refused is
an alarm: it is counted, logged once for each reason, and told in the health and the reports.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

from agents.edge.canary import Canary
from schemas import wire
from schemas.findings import Decision
from streams import metrics
from streams.blocklist import Blocklist, Refusal
from streams.bus import Message
from streams.said import said
from streams.signing import Keys, SigningError

log = logging.getLogger(__name__)

LONGEST = 8 * 86400.0  # seconds of a lease: after so long the topic forgets it
QUIET = 3600.0  # seconds without another one until an alarm ends

Why = Refusal | Literal["unsigned", "key", "lease", "approval"]

WORDS: dict[str, str] = {
    "unsigned": "without a valid signature",
    "key": "under a key that is not theirs",
    "lease": "for longer than any lease",
    "approval": "without the approvals that they need",
    "target": "about no target",
    "spared": "against networks that are our own, allowed or trusted",
    "wide": "about networks that are too wide",
    "mailbox": "against mailboxes that must take mail",
    "domain": "against a domain of ours",
    "full": "beyond the room of the list",
}


class Alarm:
    """Remembers what was refused. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counter[str] = Counter()  # by reason, since the alarm began
        self._clock = clock
        self._last: dict[str, float] = {}

    def sound(self, why: Why, message: Message, detail: str = "") -> None:
        metrics.REFUSED.labels(why).inc()
        self._end()
        self.counts[why] += 1
        if why not in self._last:
            log.error(
                said(
                    "decision refused",
                    place=f"{message.topic}/{message.partition}:{message.offset}",
                    key=message.key[:100].decode("ascii", "backslashreplace"),
                    reason=WORDS[why],
                    **({"detail": detail} if detail else {}),
                    meanwhile="others are taken; told once",
                )
            )
        self._last[why] = self._clock()

    def troubles(self) -> list[str]:
        """In words, what was refused within the last hour."""
        self._end()
        return [f"{count} decisions {WORDS[why]} refused" for why, count in self.counts.items()]

    def _end(self) -> None:
        now = self._clock()
        for why in [why for why, last in self._last.items() if now - last > QUIET]:
            del self._last[why], self.counts[why]


class Admission:
    """Takes messages of the topic into a block list. `keys` verify them, if there are any;
    `clock` is the wall clock; `canary` says what counts here already."""

    def __init__(
        self, alarm: Alarm, keys: Keys | None, canary: Canary, clock: Callable[[], float]
    ) -> None:
        self._alarm = alarm
        self._keys = keys
        self._canary = canary
        self._clock = clock

    def take(self, blocklist: Blocklist, message: Message, known: Blocklist) -> None:
        """Change the list as the message says, if it may. `known` is the list in force. Raises
        ValueError where the message cannot be read."""
        signed = math.inf
        if self._keys is not None:
            try:
                signed = self._keys.verify(
                    message.topic, message.key, message.value, message.headers
                )
            except SigningError as error:
                self._alarm.sound("unsigned", message, str(error))
                return
        if message.value is None:
            self._delete(blocklist, message.key.decode(errors="replace"), signed)
            return
        decision = wire.decode_decision(message.value)
        now = self._clock()
        if decision.id.encode() != message.key:
            self._alarm.sound("key", message)
        elif decision.until - now > LONGEST:
            self._alarm.sound("lease", message)
        elif decision.enforced and len(set(decision.approvals)) < decision.needs:
            self._alarm.sound("approval", message)
        elif decision.until <= now:
            self._end(blocklist, decision)
        else:
            why = self.put(blocklist, decision, known)
            if why not in ("", "older"):
                self._alarm.sound(why, message)

    def put(self, blocklist: Blocklist, decision: Decision, known: Blocklist) -> Refusal:
        """Take a decision in as it counts here; why not, if so."""
        if not self._canary.waits:
            return blocklist.admit(decision)
        before = blocklist.get(decision.id) or known.get(decision.id)
        here = self._canary.here(decision, before, self._clock())
        why = blocklist.admit(here)
        if not why:
            self._canary.note(decision, here)
        return why

    def _end(self, blocklist: Blocklist, decision: Decision) -> None:
        """A lease that has ended, and so has the one that it replaced."""
        before = blocklist.get(decision.id)
        if before is not None and before.generation <= decision.generation:
            self._remove(blocklist, decision.id)

    def _delete(self, blocklist: Blocklist, name: str, signed: float) -> None:
        """A deletion that was signed takes back what was decided before it, and nothing that
        came later: who repeats an old one lifts nothing new."""
        decision = blocklist.get(name)
        if decision is not None and decision.since <= signed:
            self._remove(blocklist, name)

    def _remove(self, blocklist: Blocklist, name: str) -> None:
        blocklist.remove(name)
        self._canary.forget(name)
