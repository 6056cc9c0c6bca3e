"""The consolidated event: one CEF line for a message.

``CEF:0|Cisco|...|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|name=value name=value ...``
Values are not escaped, some are a stranger's (subject, names, Message-ID), and the order of the
names differs: an address counts only where its name stands but once in the line.
"""

import re
from datetime import UTC, datetime
from typing import Any

from schemas import net
from schemas.events import Connection, Delivery, Fact, Message, Verdict
from streams.parsers.part import Items, Record

BEGIN = "CEF:0|Cisco|"
EVENT = "|ESA_CONSOLIDATED_LOG_EVENT|"
MOST_RECIPIENTS = 1000
CTIME = "%a %b %d %H:%M:%S %Y"
ZONES = 26 * 3600.0  # seconds between the clocks of two places on earth

_NAME = re.compile(r" [A-Za-z]\w{1,40}=")
_ACTIONS = {"DELIVERED": "sent", "BOUNCED": "bounced"}
_SPAM = frozenset({"POSITIVE", "SUSPECT"})


def read(record: Record, text: str) -> Items | None:
    at = text.find(EVENT, 0, 300)
    if at < 0:
        return None
    extension = " " + text[at + len(EVENT) :].partition("|")[2].partition("|")[2]
    once = extension.count(" sourceAddress=") == 1
    client = net.address(_value(extension, "sourceAddress")) if once else ""
    common: dict[str, Any] = {
        "at": _at(record, extension),
        "gateway": record.host,
        "offset": record.offset,
        "client": client,
    }
    if _value(extension, "ESAMailFlowPolicy") in ("REJECT", "TCPREFUSE"):
        return (Connection(**common, outcome="refused", reason="policy"),)
    mid = _value(extension, "ESAMID")
    queue_id = f"MID {mid}" if mid.isdecimal() else ""
    common |= {"sender": _mailbox(_value(extension, "suser")), "queue_id": queue_id}
    said = _value(extension, "duser").replace(";", ",").split(",")
    recipients = [_mailbox(one) for one in said if one]
    told: list[Fact] = [
        Verdict(**common, kind=kind)
        for kind, found in (
            ("spam", _value(extension, "ESAASVerdict") in _SPAM),
            ("virus", _value(extension, "ESAAVVerdict") in ("VIRAL", "POSITIVE")),
        )
        if found
    ]
    if not queue_id or not recipients:
        return told
    common["message_id"] = _value(extension, "cs4").strip(" '<>")[:255]
    told.append(Message(**common, recipients=len(recipients)))
    status = _ACTIONS.get(_value(extension, "act"))
    if status:
        told += [
            Delivery(**common, recipient=recipient, status=status)
            for recipient in recipients[:MOST_RECIPIENTS]
        ]
    return told


def _at(record: Record, extension: str) -> float:
    """The record's time; the event's own, which names no zone, where that is another day's: then
    the line had no stamp, or an archive's."""
    try:
        own = datetime.strptime(_value(extension, "startTime"), CTIME).replace(tzinfo=UTC)
    except ValueError:
        return record.at
    return own.timestamp() if abs(own.timestamp() - record.at) > ZONES else record.at


def _value(extension: str, name: str) -> str:
    """What stands between the first of a name and the next name."""
    at = extension.find(f" {name}=")
    if at < 0:
        return ""
    begin = at + len(name) + 2
    following = _NAME.search(extension, begin)
    return extension[begin : following.start() if following else None].strip()


def _mailbox(text: str) -> str:
    return text.strip(" <>'")[:320].lower()
