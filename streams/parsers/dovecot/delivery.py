"""Dovecot's LMTP and LDA: mail that is saved, refused or answered.

Wordings from src/lib-lda (mail-deliver.c, mail-send.c) and Pigeonhole's src/lib-sieve
(sieve-actions.c, ext-vacation, ext-reject). The Message-ID is a stranger's, and stands before the
server's words. An automatic reply goes out through the MTA, whose own line does not tell that it
is one; a redirected mail is told by the MTA alone.
"""

import re

from schemas.events import Bounce, Delivery, Message
from streams.parsers import reply
from streams.parsers.dovecot.words import LEVEL, account
from streams.parsers.part import Items, Part, Record

PATIENCE = 10.0  # seconds that a saved mail waits for the MTA's word on the same delivery

_LINE = re.compile(
    r"(?:\((?P<user>[^()]*)\))?(?:<\d+>)?(?:<[^<>]*>)?: "
    rf"{LEVEL}(?:[^\s:=]{{1,64}}: ){{0,2}}msgid=(?P<id>.*?): (?P<what>saved mail to|"
    r"stored mail into mailbox|save failed to|failed to store into mailbox|rejected: |"
    r"(?:vacation action: )?sent vacation response to|rejected message from|"
    r"(?:reject action: )?rejected)(?P<rest>.*)",
    re.DOTALL,
)
_FAILED = frozenset({"save failed to", "failed to store into mailbox"})


def read(record: Record, name: str, rest: str) -> Items:
    """What follows the name of a process that delivers."""
    found = _LINE.match(rest)
    if found is None:
        return ()
    user = account((found["user"] or "").rpartition(", ")[2])
    message_id = found["id"].strip(" <>")[:255]
    what, more = found["what"], found["rest"]
    if what.endswith("vacation response to"):
        return (
            Message(
                at=record.at,
                gateway=record.host,
                offset=record.offset,
                account=user,
                sender=user,
                recipients=1,
                auto=True,
                answers="<>" if more.strip() == "<>" else account(more.strip()),
            ),
        )
    if what.endswith(("rejected", "message from")):
        return (
            Bounce(
                at=record.at,
                gateway=record.host,
                offset=record.offset,
                direction="made",
                about=message_id,
                recipient=account(more.partition(" (")[0].strip()),
                failed_recipient=user,
                status="bounced",
                reason="policy",
            ),
        )
    values = {"message_id": message_id, "recipient": user, "relay": "dovecot"}
    if what in _FAILED:
        values["status"] = "deferred"
    elif what == "rejected: ":
        values["status"] = "bounced"
    if "status" in values:
        values["reason"] = reply.failure("", more)
    return (
        Part(
            record.at,
            record.host,
            "mailbox",
            message_id,
            offset=record.offset,
            event=Delivery,
            values=values,
            wait=PATIENCE,
        ),
    )
