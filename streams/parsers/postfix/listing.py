"""mailq and postqueue(1): what lies in the queue. A listing is one `queue` event.

``postqueue -p`` (src/showq/showq.c, src/postqueue/showq_compat.c): a header, for each message a
line ``id[*!#] size date sender``, reasons in parentheses, recipients, and a sum; the header's
columns are wider with long queue ids. It names no year and no zone, so the oldest message's age
is unknown, and a message without a flag may be new or deferred: it counts as deferred. So do all
of them where only the sum was kept. ``postqueue -j`` (3.1, showq_json.c): an object for each
message, with the queue that it is in; only the listing's end is missing.
"""

import re
from typing import Any

from streams.parsers.part import Entry, Items, Record
from streams.parsers.postfix.peer import is_queue_id, mailbox

_HEADER = re.compile(r"-+Queue ID-+ -+Size-+ -+Arrival Time-+ -+Sender/Recipient-+")
_MESSAGE = re.compile(
    r"(?P<id>[0-9A-Za-z]{6,40})(?P<flag>[*!#]{0,2}) +(?P<size>\d{1,20}) "
    r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d +(?P<sender>\S.*)"
)
_SUM = re.compile(r"-- (?P<kilobytes>\d{1,20}) Kbytes in (?P<messages>\d{1,20}) Requests?\.")
_EMPTY = "Mail queue is empty"
_QUEUES = {
    "active": "active",
    "deferred": "deferred",
    "hold": "hold",
    "incoming": "incoming",
    "maildrop": "incoming",
}
_NOBODY = frozenset({"", "mailer-daemon"})  # the null sender's name in listings


def read(record: Record) -> Items | None:
    """A line of ``postqueue -p``; None where it is none that counts."""
    text = record.text
    if text[:1] == "-":
        if _HEADER.fullmatch(text):
            return (_entry(record, "", {}, begins=True),)
        found = _SUM.fullmatch(text)
        if found is None:
            return None
        sums = {"deferred": int(found["messages"]), "bytes": int(found["kilobytes"]) * 1024}
        return (_entry(record, "", sums, ends=True),)
    if text == _EMPTY:
        return (_entry(record, "", {}, begins=True, ends=True),)
    found = _MESSAGE.fullmatch(text)
    if found is None:
        return None
    flag = found["flag"]
    queue = "active" if "*" in flag else "hold" if "!" in flag else "deferred"
    return (_of(record, found["id"], queue, int(found["size"]), found["sender"]),)


def document(record: Record) -> Items | None:
    """An object of ``postqueue -j``."""
    said: dict[str, Any] = record.data
    queue_id, queue, size = said.get("queue_id"), said.get("queue_name"), said.get("message_size")
    sender, arrived = said.get("sender"), said.get("arrival_time")
    if not (isinstance(queue_id, str) and isinstance(queue, str) and isinstance(sender, str)):
        return None
    if not is_queue_id(queue_id) or not isinstance(size, int) or not isinstance(arrived, int):
        return None
    return (_of(record, queue_id, _QUEUES.get(queue, "deferred"), size, sender, arrived),)


def _of(
    record: Record, queue_id: str, queue: str, size: int, sender: str, arrived: float = 0.0
) -> Entry:
    sender = mailbox(sender)
    counts = {queue: 1, "bytes": size}
    if sender in _NOBODY:
        counts["null_sender"], sender = 1, ""
    return _entry(record, queue_id, counts, sender, arrived)


def _entry(
    record: Record,
    queue_id: str,
    counts: dict[str, int],
    sender: str = "",
    arrived: float = 0.0,
    *,
    begins: bool = False,
    ends: bool = False,
) -> Entry:
    return Entry(
        record.at,
        record.host,
        "postfix",
        queue_id,
        counts,
        sender,
        arrived,
        record.offset,
        begins=begins,
        ends=ends,
    )
