"""Connections to port 25 that a firewall or router saw, for the hunt for infected hosts.

A host that speaks SMTP to foreign servers itself is a mail server or infected. What comes from
outside to one of ours is not told here: the mail server tells it.
"""

from typing import Final

from schemas import net
from schemas.events import Connection
from streams.parsers import fields
from streams.parsers.part import Items, Record

PORT: Final = "25"
REASON: Final = "port_25"

_OURS = net.Networks(net.PRIVATE)


def connection(
    record: Record, source: str, destination: str, *, refused: bool, at: float = 0.0
) -> Items:
    """A connection from `source` to port 25 of `destination`."""
    client = fields.client(source)
    if not client or (fields.client(destination) in _OURS and client not in _OURS):
        return ()
    return (
        Connection(
            at=at or record.at,
            gateway=record.host,
            offset=record.offset,
            client=client,
            outcome="refused" if refused else "opened",
            reason=REASON,
        ),
    )
