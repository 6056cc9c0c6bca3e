"""The consolidated event: one CEF line for a message.

``CEF:0|Cisco|...|ESA_CONSOLIDATED_LOG_EVENT|Consolidated Log Event|5|name=value name=value ...``
Values are not escaped, some are a stranger's (subject, names, Message-ID), and the order of the
names differs: an address counts only where its name stands but once in the line.
"""

import re
from typing import Any

from schemas import net
from schemas.events import Connection, Delivery, Fact, Message, Verdict
from streams.parsers.part import Items, Record

BEGIN = "CEF:0|Cisco|"
EVENT = "|ESA_CONSOLIDATED_LOG_EVENT|"
MOST_RECIPIENTS = 1000

_NAME = re.compile(r"(?:^|\s)(?P<name>[A-Za-z]\w{1,40})=")
_ACTIONS = {"DELIVERED": "sent", "BOUNCED": "bounced"}
_SPAM = frozenset({"POSITIVE", "SUSPECT"})


def read(record: Record, text: str) -> Items | None:
    at = text.find(EVENT, 0, 300)
    if at < 0:
        return None
    extension = text[at + len(EVENT) :].partition("|")[2].partition("|")[2]
    fields, twice = _fields(extension)
    client = "" if "sourceAddress" in twice else net.address(fields.get("sourceAddress", ""))
    common: dict[str, Any] = {
        "at": record.at,
        "gateway": record.host,
        "offset": record.offset,
        "client": client,
    }
    if fields.get("ESAMailFlowPolicy") in ("REJECT", "TCPREFUSE"):
        return (Connection(**common, outcome="refused", reason="policy"),)
    queue_id = f"MID {fields['ESAMID']}" if fields.get("ESAMID", "").isdecimal() else ""
    common |= {"sender": _mailbox(fields.get("suser", "")), "queue_id": queue_id}
    recipients = [_mailbox(one) for one in re.split("[;,]", fields.get("duser", "")) if one.strip()]
    told: list[Fact] = [
        Verdict(**common, kind=kind)
        for kind, found in (
            ("spam", fields.get("ESAASVerdict") in _SPAM),
            ("virus", fields.get("ESAAVVerdict") in ("VIRAL", "POSITIVE")),
        )
        if found
    ]
    if not queue_id or not recipients:
        return told
    common["message_id"] = fields.get("cs4", "").strip(" '<>")[:255]
    told.append(Message(**common, recipients=len(recipients)))
    status = _ACTIONS.get(fields.get("act", ""))
    if status:
        told += [
            Delivery(**common, recipient=recipient, status=status)
            for recipient in recipients[:MOST_RECIPIENTS]
        ]
    return told


def _fields(extension: str) -> tuple[dict[str, str], set[str]]:
    """The first value of each name, and the names that stand there more than once."""
    fields: dict[str, str] = {}
    twice: set[str] = set()
    name, begin = "", 0
    for found in _NAME.finditer(extension):
        if name:
            fields.setdefault(name, extension[begin : found.start()].strip())
        name, begin = found["name"], found.end()
        if name in fields:
            twice.add(name)
    if name:
        fields.setdefault(name, extension[begin:].strip())
    return fields, twice


def _mailbox(text: str) -> str:
    return text.strip(" <>'")[:320].lower()
