"""Microsoft 365: message trace, unified audit log, sign-ins and directory audit of Entra, and
Defender's table of mails (EmailEvents).

Each comes as JSON objects, one a line, or several in the ``records``, ``value`` or ``d.results``
of one (diagnostic settings, Graph, the reporting web service), or as rows of a spreadsheet.
"""

from collections.abc import Callable
from typing import Any

import orjson

from streams.parsers import fields
from streams.parsers.m365 import audit, directory, hunted, signin, trace
from streams.parsers.part import DOCUMENT, Format, Item, Items, Mask, Parse, Record

Read = Callable[[Record, dict[str, Any]], Items]

MOST_RECORDS = 10_000  # of one object


def _reader(data: dict[str, Any]) -> Read | None:
    """What reads an object like this; known by the names of its fields."""
    if "Operation" in data and ("Workload" in data or "RecordType" in data):
        return audit.read
    if "properties" in data and "category" in data and "operationName" in data:
        return _diagnostic
    if "userPrincipalName" in data and "status" in data and "ipAddress" in data:
        return signin.read
    if "activityDisplayName" in data and "initiatedBy" in data:
        return directory.read
    if "AuditData" in data:
        return _exported
    if trace.known(data):
        return trace.read
    if hunted.known(data):
        return hunted.read
    return None


def _diagnostic(record: Record, data: dict[str, Any]) -> Items:
    """What Azure's diagnostic settings put around a record of Graph."""
    category = fields.text(data["category"])
    inner = fields.record(data["properties"])
    if category in ("SignInLogs", "NonInteractiveUserSignInLogs"):
        around = {
            "createdDateTime": data.get("time"),
            "ipAddress": data.get("callerIpAddress"),
            "resultType": data.get("resultType"),
        }
        return signin.read(record, around | inner)
    if category == "AdvancedHunting-EmailEvents":
        return hunted.read(record, inner)
    if category == "AuditLogs":
        return directory.read(record, {"activityDateTime": data.get("time"), **inner})
    return ()


def _exported(record: Record, data: dict[str, Any]) -> Items:
    """What an export of the audit log puts around a record: the record itself as text."""
    said = data["AuditData"]
    if isinstance(said, str):
        try:
            said = orjson.loads(said)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"AuditData is no JSON: {error}") from error
    inner = fields.record(said)
    return audit.read(record, inner) if "Operation" in inner else ()


def _document(record: Record) -> Items | None:
    data = record.data
    read = _reader(data)
    if read is not None:
        return read(record, data)
    batch = data.get("records") or data.get("value") or fields.record(data.get("d")).get("results")
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


_SIGNIN = {
    "Date (UTC)": "createdDateTime",
    "Username": "userPrincipalName",
    "IP address": "ipAddress",
    "Client app": "clientAppUsed",
    "Sign-in error code": "resultType",
}
"""Columns of Entra's spreadsheet of sign-ins, and their names in Graph."""


def _rows(program: str) -> Parse | None:
    """The parser of the rows of a table with these columns; see tables.py."""
    columns = program[1:].split(",")
    if "AuditData" in columns:
        return lambda record: _exported(record, dict(zip(columns, record.data, strict=False)))
    if _SIGNIN.keys() <= set(columns):
        names = [_SIGNIN.get(column, "") for column in columns]
        return lambda record: signin.read(record, dict(zip(names, record.data, strict=False)))
    return trace.rows(columns)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program == DOCUMENT:
        return _document
    return _rows(program) if program[:1] == "#" else None


FORMAT = Format(
    "m365",
    parser,
    keys=(
        "Operation",
        "properties",
        "userPrincipalName",
        "activityDisplayName",
        "AuditData",
        "SenderAddress",
        "senderAddress",
        "SenderMailFromAddress",
        "records",
        "value",
        "d",
    ),
)
