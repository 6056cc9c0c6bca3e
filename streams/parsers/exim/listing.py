"""``exim -bp``: what lies in the queue. A listing is one `queue` event.

For each message a line ``age size id <sender> [*** frozen ***]``, made by queue_list() in
src/queue.c, and its recipients on lines of their own. ``exim -bpc`` only counts the messages; its
number is taken where it comes under a tag that begins with "exim".
"""

import re

from schemas.events import Queue
from streams.parsers.exim.peer import mailbox
from streams.parsers.part import Entry, Items, Record

_MESSAGE = re.compile(
    r"(?P<age>\d{1,5})(?P<unit>[mhd]) +(?P<size>\d{1,6}(?:\.\d)?)(?P<scale>[KMG]?) "
    r"(?P<id>[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4}) <(?P<sender>[^<>]*)>"
    r"(?: \([^()]{0,64}\))?(?P<frozen> +\*\*\* frozen \*\*\*)?"
)
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def read(record: Record, text: str) -> Items | None:
    found = _MESSAGE.fullmatch(text)
    if found is None:
        return None
    sender = mailbox(found["sender"])
    counts = {
        "hold" if found["frozen"] else "deferred": 1,
        "bytes": int(float(found["size"]) * _BYTES[found["scale"]]),
    }
    if not sender:
        counts["null_sender"] = 1
    arrived = record.at - int(found["age"]) * _SECONDS[found["unit"]]
    return (
        Entry(
            record.at,
            record.host,
            "exim",
            found["id"],
            counts,
            sender,
            arrived,
            record.offset,
        ),
    )


def count(record: Record) -> Items:
    """The number that ``exim -bpc`` prints."""
    return (
        Queue(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            deferred=int(record.text[:9]),
        ),
    )
