"""Google Workspace: login events, changes of accounts, Gmail's log.

As JSON objects: activities of the Reports API, entries of Cloud Audit Logs, rows of the BigQuery
export, by name or by position; also several in the ``items`` or ``rows`` of one.
"""

from collections.abc import Callable
from typing import Any

from streams.parsers import fields
from streams.parsers.google import activity, gmail
from streams.parsers.part import DOCUMENT, Format, Item, Items, Mask, Parse, Record

Read = Callable[[Record, dict[str, Any]], Items]

MOST_RECORDS = 10_000  # of one object


def _reader(data: dict[str, Any]) -> Read | None:
    """What reads an object like this; known by the names of its fields."""
    if "message_info" in data and "event_info" in data:
        return gmail.row
    if "id" in data and "applicationName" in fields.record(data["id"]):
        return activity.report
    if "protoPayload" in data:
        return activity.audited
    if isinstance(data.get("gmail"), dict):
        return gmail.exported
    inner = data.get("row", data)
    if isinstance(inner, dict) and gmail.positional(inner) is not None:
        return gmail.raw
    return None


def _document(record: Record) -> Items | None:
    data = record.data
    read = _reader(data)
    if read is not None:
        return read(record, data)
    batch = data.get("items") or data.get("rows")
    if not isinstance(batch, list):
        return None
    items: list[Item] = []
    known = False
    for inner in fields.records(batch[:MOST_RECORDS]):
        read = _reader(inner)
        if read is not None:
            known = True
            items += read(record, inner)
    return items if known else None


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return _document if program == DOCUMENT else None


FORMAT = Format(
    "google",
    parser,
    keys=("message_info", "id", "protoPayload", "gmail", "row", "f", "items", "rows"),
)
