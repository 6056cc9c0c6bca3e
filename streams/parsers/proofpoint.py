"""Proofpoint Protection Server (PPS), Proofpoint on Demand (PoD), Targeted Attack Protection (TAP).

PPS: the filter's log, ``rprt s=session m=message x=session-message mod=module cmd=command
name=value ...``; its MTA is sendmail and logs as such, and tells of messages and deliveries.
PoD: the Log API's JSON (its guide, revision C): ``message`` documents, one for a message, and
``maillog`` documents, each around a line of sendmail's. TAP: the SIEM API's lists of messages
with threats, ``messagesBlocked`` and ``messagesDelivered``, or these messages one by one. Who
logged in, none of them tells.
"""

import re
from typing import Any

from schemas.events import Connection, Message, Recipient, Verdict
from streams.parsers import fields, sendmail
from streams.parsers.moments import moment
from streams.parsers.part import DOCUMENT, Format, Item, Items, Mask, Parse, Part, Record

SPAM = 50  # the score, of 100, from which Proofpoint takes a message for spam
MOST_RECIPIENTS = 1000

_BEGIN = "rprt s="
_PAIR = re.compile(r"(?P<name>[a-z_-]{1,24})=(?P<value>\"[^\"]{0,1000}\"|[^ ]{0,1000})")
_LINE = re.compile(
    # a line of syslog: stamp, host, program[pid]: text
    r"(?:\S{10,40} |[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )(?P<host>\S{1,255}) "
    r"(?P<program>[\w./-]{1,64})(?:\[(?P<pid>\d{1,10})\])?: (?P<text>.*)",
    re.DOTALL,
)


def read(record: Record) -> Items | None:
    """A line of the filter's log; None where it is none."""
    text = record.text
    if not text.startswith(_BEGIN):
        return None
    said = _pairs(text, 5)
    command = said.get("cmd", "")
    session = f"pps {said['s']}"
    if command == "connect":
        client = fields.client(said.get("ip", ""))
        values: dict[str, Any] = {"client": client}
        return (_session(record, session, values, keeps={"client": client}),)
    if command == "disconnect":
        values = {"outcome": "closed", "helo": said.get("helo", "")[:255]}
        return (_session(record, session, values, ends=True),)
    key = said.get("x", "")
    if not key:
        return ()
    if command == "env_from":
        keeps = {"sender": fields.mailbox(said.get("value", "")), "origin": "pps"}
        return (_message(record, key, session, keeps),)
    if command == "run" and said.get("mod") in ("spam", "av"):
        return _judged(record, key, session, said)
    return ()


def _pairs(text: str, at: int) -> dict[str, str]:
    """``name=value``; the first of a name counts."""
    return {name: value.strip('"') for name, value in reversed(_PAIR.findall(text, at))}


def _session(record: Record, key: str, values: dict[str, Any], **more: Any) -> Part:
    return Part(
        record.at,
        record.host,
        "session",
        key,
        offset=record.offset,
        event=Connection,
        values=values,
        **more,
    )


def _message(
    record: Record,
    key: str,
    session: str,
    keeps: dict[str, Any] | None,
    kind: Any = None,
    values: dict[str, Any] | None = None,
) -> Part:
    return Part(
        record.at,
        record.host,
        "queue",
        f"pps {key}",
        keeps,
        record.offset,
        kind,
        values,
        session=session,
    )


def _judged(record: Record, key: str, session: str, said: dict[str, str]) -> Items:
    """``mod=spam cmd=run rule=notspam score=0``, ``mod=av cmd=run rule=clean``"""
    rule = said.get("rule", "")
    if said["mod"] == "av":
        if rule in ("", "clean", "unscanned"):
            return ()
        return (_message(record, key, session, None, Verdict, {"kind": "virus"}),)
    score = fields.number(said.get("score", ""))
    kind = "spam" if score >= SPAM and not rule.startswith(("notspam", "safe")) else "ham"
    values = {"kind": kind, "score": float(score), "scale": "Proofpoint"}
    return (_message(record, key, session, None, Verdict, values),)


# -- Proofpoint on Demand -----------------------------------------------------------------------


def document(record: Record) -> Items | None:
    """A document of the Log API; None where it is none."""
    data = record.data
    if not isinstance(data, dict):
        return None
    if {"connection", "envelope", "filter"} <= data.keys():
        return _whole(record, data)
    if "sm" in data and isinstance(data.get("data"), str):
        return _line(record, data)
    if "threatsInfoMap" in data and "senderIP" in data:
        return _threatening(record, data)
    if any(isinstance(data.get(name), list) for name in _LISTS):
        told: list[Item] = []
        for name in _LISTS:
            for one in fields.records(data.get(name)):
                told += _threatening(record, one)
        return told
    inner = data.get("data")
    if isinstance(inner, dict) and "threatsInfoMap" in inner:
        return _threatening(record, inner)
    return None


_LISTS = ("messagesBlocked", "messagesDelivered")


def _threatening(record: Record, data: dict[str, Any]) -> Items:
    """TAP's word on a message; it may have been blocked after it was accepted."""
    threats = list(fields.records(data.get("threatsInfoMap")))
    kinds = {fields.text(one.get("classification")).lower() for one in threats}
    return [
        Verdict(
            at=moment(data.get("messageTime")) or record.at,
            gateway=record.host,
            offset=record.offset,
            client=fields.client(data.get("senderIP")),
            sender=fields.mailbox(data.get("sender")),
            queue_id=fields.text(data.get("QID")),
            kind="virus" if "malware" in kinds else "spam",
            score=float(fields.number(data.get("spamScore"))),
            scale="Proofpoint",
        )
    ]


def _line(record: Record, data: dict[str, Any]) -> Items:
    found = _LINE.match(data["data"])
    if found is None:
        return ()
    line = Record(
        moment(data.get("ts")) or record.at,
        found["host"],
        found["program"],
        found["pid"] or "",
        found["text"],
        record.offset,
    )
    return sendmail.read(line)


def _whole(record: Record, data: dict[str, Any]) -> Items:
    connection, envelope = fields.record(data["connection"]), fields.record(data["envelope"])
    filtered, message = fields.record(data["filter"]), fields.record(data.get("msg"))
    header = fields.record(message.get("normalizedHeader")) or fields.record(message.get("header"))
    recipients = envelope.get("rcpts")
    recipients = recipients if isinstance(recipients, list) else []
    common: dict[str, Any] = {
        "at": moment(data.get("ts")) or record.at,
        "gateway": record.host,
        "offset": record.offset,
        "client": fields.client(connection.get("ip")),
        "sender": fields.mailbox(envelope.get("from")),
        "queue_id": fields.text(filtered.get("qid")),
    }
    told: list[Item] = []
    if filtered.get("disposition") == "reject":
        told += [
            Recipient(**common, recipient=fields.mailbox(one), verdict="blocked", reason="content")
            for one in recipients[:MOST_RECIPIENTS]
        ]
    elif recipients:
        told.append(
            Message(
                **common,
                message_id=fields.message_id(header.get("message-id")),
                recipients=len(recipients),
                size=fields.number(message.get("sizeBytes")),
            )
        )
    spam = fields.record(fields.record(filtered.get("modules")).get("spam"))
    if spam:
        score = fields.number(fields.record(spam.get("scores")).get("overall"))
        kind = "spam" if score >= SPAM else "ham"
        told.append(Verdict(**common, kind=kind, score=float(score), scale="Proofpoint"))
    return told


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program == DOCUMENT:
        return document
    return read if not program or program.startswith("filter_instance") else None


FORMAT = Format(
    "proofpoint",
    parser,
    begins=_BEGIN,
    keys=("connection", "sm", "threatsInfoMap", "message_type", *_LISTS),
)
