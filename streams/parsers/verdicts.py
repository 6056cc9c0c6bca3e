"""A filter's verdict on the message of a queue file.

What the filter does not know, client, account and sender, the mail server's own lines of that
queue file tell, where they are read too.
"""

from typing import Any

from schemas.events import Verdict
from streams.parsers.part import Items, Part, Record


def verdict(
    record: Record, kind: str, queue_id: str = "", *, at: float = 0.0, **known: Any
) -> Items:
    """A verdict; of `known`, what is empty is left to the queue."""
    values = {name: value for name, value in known.items() if value}
    values["kind"] = kind
    values["queue_id"] = queue_id
    return (
        Part(
            at or record.at,
            record.host,
            "queue",
            queue_id,
            offset=record.offset,
            event=Verdict,
            values=values,
            asks=True,
        ),
    )
