"""Samples of Exchange's queues: the transport's performance counters, and ``Get-Queue``.

Counters of the object "MSExchangeTransport Queues" as NXLog (im_winperfcount), Metricbeat
(windows.perfmon) and Telegraf (win_perf_counters) ship them as JSON, and as ``typeperf`` and the
data collector write them (PDH-CSV); ``Get-Queue | ConvertTo-Json`` with one object a queue. Neither
knows how old the mails are, nor their senders.
"""

import csv
import re
from collections.abc import Iterable
from typing import Any

from schemas.events import Queue
from streams.parsers import fields
from streams.parsers.event import event as made
from streams.parsers.part import DOCUMENT, Entry, Format, Items, Mask, Parse, Record

_OBJECT = "msexchangetransport queues"
# "\\EX1\MSExchangeTransport Queues(_total)\Submission Queue Length"
_PATH = re.compile(
    r"(?:\\\\[^\\]{1,255})?\\?MSExchangeTransport Queues\((?P<instance>[^()]{1,60})\)\\"
    r"(?P<counter>.+)",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[^a-z]+")

# The counters that add up, by Exchange's names; those of 2013 split the older ones.
_COUNTERS = {
    "submission queue length": "incoming",
    "active mailbox delivery queue length": "active",
    "active remote delivery queue length": "active",
    "active non smtp delivery queue length": "active",
    "internal active remote delivery queue length": "active",
    "external active remote delivery queue length": "active",
    "retry mailbox delivery queue length": "deferred",
    "retry remote delivery queue length": "deferred",
    "retry non smtp delivery queue length": "deferred",
    "internal retry remote delivery queue length": "deferred",
    "external retry remote delivery queue length": "deferred",
    "poison queue length": "hold",
    "unreachable queue length": "hold",
}
_ALL = ("aggregate delivery queue length all queues", "internal aggregate delivery queue length")

_STATES = {"retry": "deferred", "suspended": "hold"}
_NAMES = {"submission": "incoming", "unreachable": "hold", "poison": "hold"}


def _counted(counters: Iterable[tuple[str, Any]]) -> dict[str, int]:
    """The fields of a Queue event that counters make; empty where none is known."""
    counts: dict[str, int] = {}
    total = 0
    for name, value in counters:
        plain = _WORDS.sub(" ", name.lower()).strip()
        number = _number(value)
        field = _COUNTERS.get(plain)
        if field is not None:
            counts[field] = counts.get(field, 0) + number
        elif plain in _ALL:
            total += number
    if total and "active" not in counts:
        counts["active"] = total
    return counts


def _number(value: Any) -> int:
    if isinstance(value, str):
        try:
            value = float(value.strip() or 0)
        except ValueError:
            return 0
    if isinstance(value, int | float) and 0 <= value < 1e15:
        return int(value)
    return 0


def _document(record: Record) -> Items | None:
    data = record.data
    if "DeliveryType" in data and "MessageCount" in data:
        return _queue(record, fields.text(data.get("Identity")), data)
    if "windows" in data or "tags" in data or "Queues(" in "\n".join(data):
        return _sample(record, _counters(data))
    return None


def _counters(data: dict[str, Any]) -> list[tuple[str, Any]]:
    """The counters in an object of a shipper, of all queues together."""
    perfmon = fields.record(fields.record(data.get("windows")).get("perfmon"))
    if perfmon:
        total = fields.text(perfmon.get("instance")) in ("", "_total", "_Total")
        known = fields.text(perfmon.get("object")).lower() == _OBJECT
        return list(fields.record(perfmon.get("metrics")).items()) if known and total else []
    tags = fields.record(data.get("tags"))
    if fields.text(tags.get("objectname")).lower() == _OBJECT:
        total = fields.text(tags.get("instance")).lower() in ("", "_total")
        return list(fields.record(data.get("fields")).items()) if total else []
    return [
        (found["counter"], value)
        for name, value in data.items()
        if "Queues(" in name
        and (found := _PATH.fullmatch(name))
        and found["instance"].lower() == "_total"
    ]


def _sample(record: Record, counters: list[tuple[str, Any]]) -> Items | None:
    counts = _counted(counters)
    return (made(Queue, record, **counts),) if counts else None


def _queue(record: Record, identity: str, data: dict[str, Any]) -> Items:
    """One of the queues that are listed together."""
    name = identity.rpartition("\\")[2].lower()
    status = str(data.get("Status", "")).lower()
    field = _NAMES.get(name) or _STATES.get(status, "active")
    return (
        Entry(
            record.at,
            record.host,
            "exchange",
            identity,
            {field: _number(data.get("MessageCount"))},
            offset=record.offset,
        ),
    )


def _rows(columns: list[str]) -> Parse:
    """The parser of a table of counters: each column but the first is one."""
    known = [
        (number, found["counter"])
        for number, name in enumerate(columns)
        if (found := _PATH.fullmatch(name)) and found["instance"].lower() == "_total"
    ]

    def row(record: Record) -> Items | None:
        values = record.data
        return _sample(record, [(name, values[number]) for number, name in known]) or ()

    return row


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program == DOCUMENT:
        return _document
    if program.startswith("#(PDH-CSV") and _OBJECT in program.lower():
        return _rows(next(csv.reader((f'"{program[1:]}"',)), []))
    return None


FORMAT = Format("exchange-queue", parser)
