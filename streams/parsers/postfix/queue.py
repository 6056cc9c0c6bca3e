"""cleanup(8), pickup(8), qmgr(8), bounce(8): a message's way through the queue.

Wordings from src/cleanup/cleanup_message.c and cleanup_milter.c, src/pickup/pickup.c,
src/qmgr/qmgr_active.c, src/bounce/bounce_notify_service.c and its neighbours. ``queue active``
is logged again at each retry.
"""

import re

from schemas.events import Bounce, Delivery, Message, Recipient
from streams.parsers import reply
from streams.parsers.part import Items, Part, Record
from streams.parsers.postfix import delivery, reject
from streams.parsers.postfix.peer import is_queue_id, mailbox, peer

PATIENCE = 10.0  # seconds that a message waits for the line that says where it came from
LONGEST_ID = 255

_EXPIRED = re.compile(r"from=<?(?P<sender>.*?)>?, status=(?:force-)?expired, returned to sender")
_PICKED = re.compile(r"uid=\d+ from=<(?P<sender>.*?)>(?: orig_id=(?P<earlier>\w+))?")
_REPORT = re.compile(
    r"(?:sender|postmaster) (?P<kind>non-delivery|delivery status|delay) notification: "
    r"(?P<report>\w+)"
)
_REFUSALS = frozenset(
    f"{by}{what}"
    for by in ("", "milter-", "milter-header-", "milter-body-")
    for what in ("reject", "discard")
)
_REPORTED = {"non-delivery": "bounced", "delivery status": "sent", "delay": "deferred"}


def cleanup(record: Record) -> Items:
    queue_id, _, rest = record.text.partition(": ")
    if not is_queue_id(queue_id):
        return ()
    if rest.startswith("message-id="):
        keeps = {"message_id": rest[11:].strip(" <>")[:LONGEST_ID]}
        return (Part(record.at, record.host, "queue", queue_id, keeps),)
    action, _, what = rest.partition(": ")
    if action in _REFUSALS:
        return (_refused(record, queue_id, what, action.endswith("discard")),)
    return ()


def _refused(record: Record, queue_id: str, rest: str, discarded: bool) -> Part:
    """Refused by a milter or by header_checks. The client is that of the queue file: in a line
    of header_checks the header, which a stranger wrote, stands before the client."""
    where, _, tail = rest.partition(": ")
    command, _, who = where.partition(" from ")
    by_milter = command.replace("-", "").isupper()
    said = reject.read(tail if by_milter else rest[max(rest.rfind("; from=<"), 0) :])
    verdict, reason = reply.verdict(said.code, said.enhanced, said.text)
    if discarded:
        verdict, reason = "blocked", "discarded"
    elif not by_milter or verdict == "refused":
        verdict, reason = "blocked", "content"
    values = {
        "sender": said.sender,
        "recipient": said.recipient,
        "queue_id": queue_id,
        "verdict": verdict,
        "code": said.code,
        "enhanced": said.enhanced,
        "reason": reason,
        "helo": said.helo if by_milter else "",  # else it is not the last word
    }
    keeps = {}
    if by_milter:
        keeps["client"] = peer(who)[1]
    return Part(
        record.at,
        record.host,
        "queue",
        queue_id,
        keeps,
        offset=record.offset,
        event=Recipient,
        values=values,
        ends=True,
    )


def pickup(record: Record) -> Items:
    queue_id, _, rest = record.text.partition(": ")
    found = _PICKED.fullmatch(rest)
    if not found or not is_queue_id(queue_id):
        return ()
    keeps = {"sender": mailbox(found["sender"]), "origin": "pickup"}
    return (
        Part(
            record.at,
            record.host,
            "queue",
            queue_id,
            keeps,
            begins=True,
            continues=found["earlier"] or "",
        ),
    )


def qmgr(record: Record) -> Items:
    queue_id, _, rest = record.text.partition(": ")
    if not is_queue_id(queue_id):
        return ()
    if rest == "removed" or rest == "canceled":  # noqa: PLR1714 - a set would be slower
        return (Part(record.at, record.host, "queue", queue_id, ends=True),)
    if rest.startswith("from="):
        who, found, counts = rest[5:].rpartition(", size=")
        size, _, count = counts.partition(", nrcpt=")
        count, active, _ = count.partition(" (queue active)")
        if found and active and size.isdecimal() and count.isdecimal():
            sender = mailbox(who)
            return (
                Part(
                    record.at,
                    record.host,
                    "queue",
                    queue_id,
                    {"sender": sender},
                    record.offset,
                    Message,
                    {
                        "queue_id": queue_id,
                        "sender": sender,
                        "size": int(size),
                        "recipients": int(count),
                    },
                    "message",
                    "origin",
                    PATIENCE,
                ),
            )
        expired = _EXPIRED.fullmatch(rest)
        if expired:
            return (_expired(record, queue_id, mailbox(expired["sender"])),)
        raise ValueError(f"a queue line that ends early: {rest[:200]!r}")
    if rest.startswith("to="):
        return delivery.read(record)
    return ()


def postsuper(record: Record) -> Items:
    """What the postmaster takes out of the queue is gone."""
    queue_id, _, rest = record.text.partition(": ")
    if rest != "removed" or not is_queue_id(queue_id):
        return ()
    return (Part(record.at, record.host, "queue", queue_id, ends=True),)


def _expired(record: Record, queue_id: str, sender: str) -> Part:
    """Of all recipients that are left; the line names none, so the last that was deferred."""
    return Part(
        record.at,
        record.host,
        "queue",
        queue_id,
        {"sender": sender, "failed_status": "expired"},
        record.offset,
        Delivery,
        {"queue_id": queue_id, "sender": sender, "status": "expired"},
        needs="origin",
        wait=PATIENCE,
    )


def bounce(record: Record) -> Items:
    queue_id, _, rest = record.text.partition(": ")
    found = _REPORT.fullmatch(rest)
    if not found or not is_queue_id(queue_id):
        return ()
    report = found["report"]
    values = {"direction": "made", "queue_id": report, "about": queue_id}
    values["status"] = _REPORTED[found["kind"]]
    if rest.startswith("postmaster"):
        values["recipient"] = "postmaster"
    return (
        Part(record.at, record.host, "queue", report, {"origin": "bounce"}),
        Part(
            record.at,
            record.host,
            "queue",
            queue_id,
            {},
            record.offset,
            Bounce,
            values,
            needs="origin",
            wait=PATIENCE,
        ),
    )
