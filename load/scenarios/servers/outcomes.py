"""What becomes of a message at each recipient, in no server's words."""

import re
from random import Random
from typing import Literal

from msgspec import Struct

from agents.demo.postfix_lines import MAILBOXES, Outcome, exchanger_of

_REPLY = re.compile(r"host \S+ said: (?P<reply>.*) \(in reply to [A-Z ]+ command\)")


class Fate(Struct, frozen=True):
    """`name` and `ip` are those of the recipient's mail exchanger, empty where the mailbox is
    here. `reply` is what the exchanger answered; empty where it could not be reached. `took`
    seconds is what the delivery took."""

    recipient: str
    status: Literal["sent", "bounced", "deferred"]
    dsn: str
    reply: str
    name: str
    ip: str
    took: float

    @property
    def local(self) -> bool:
        return not self.name


def fate(given: str | tuple[str, Outcome], domain: str, random: Random) -> Fate:
    """Of a recipient for whom an outcome is given or the usual one comes; mailboxes of `domain`
    are here."""
    recipient, outcome = (given, None) if isinstance(given, str) else given
    its = recipient.rpartition("@")[2]
    outcome = outcome or Outcome(MAILBOXES if its == domain else exchanger_of(its))
    local = outcome.relay == MAILBOXES
    took = 0.08 + random.random() * (0.2 if local else 1.6)
    relay = exchanger_of(its) if outcome.relay == "none" else outcome.relay
    name, _, rest = relay.partition("[")
    said = _REPLY.fullmatch(outcome.reply)
    reply = said["reply"] if said else ""
    if outcome.status == "sent":
        reply = f"250 2.0.0 Ok: queued as {random.getrandbits(44):011X}"
    status: Literal["sent", "bounced", "deferred"] = "sent"
    if outcome.status in ("bounced", "deferred"):
        status = "bounced" if outcome.status == "bounced" else "deferred"
    name, ip = ("", "") if local else (name, rest.partition("]")[0])
    return Fate(recipient, status, outcome.dsn, reply, name, ip, took)
