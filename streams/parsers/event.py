"""Events out of a record: when it was, who tells it and where it lay is the record's word."""

from typing import Any, TypeVar

from schemas.events import Fact
from streams.parsers.part import Record

LONGEST_NAME = 320  # characters of a mailbox or login (RFC 5321: 64 + 1 + 255)

Kind = TypeVar("Kind", bound=Fact)


def event(kind: type[Kind], record: Record, /, **fields: Any) -> Kind:
    """An event of that kind, as the record tells it."""
    return kind(at=record.at, gateway=record.host, offset=record.offset, **fields)


def name(text: str) -> str:
    """A login or mailbox as events have it: lower case, without ``<>``, bounded."""
    return text.strip(" <>")[:LONGEST_NAME].lower()
