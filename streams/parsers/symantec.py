"""Symantec Messaging Gateway (Brightmail Gateway) 8 to 10: message audit log by syslog.

From Broadcom's description of the log: ``Unix time|audit id|EVENT|value|value...``, logged by
ecelerity and bmserver once a message is through. Values are written as they came; the names of
events stand before them. Connections that bring no message, and logins, are not told.
"""

from collections.abc import Callable
from typing import Any

from schemas import net
from schemas.events import Delivery, Message, Verdict
from streams.parsers.part import Format, Items, Mask, Parse, Part, Record

PATIENCE = 10.0  # seconds that a message waits for what is said of it in the same second
_TAGS = frozenset({"ecelerity", "bmserver"})


def read(record: Record) -> Items | None:
    """A line; None where it is another program's."""
    stamp, _, rest = record.text.partition("|")
    key, _, rest = rest.partition("|")
    event, _, values = rest.partition("|")
    if not stamp.isdecimal() or len(stamp) > 12 or not key or not event:
        return None
    tell = _EVENTS.get(event)
    return tell(record, key, values) if tell is not None else ()


def _part(
    record: Record,
    key: str,
    keeps: dict[str, Any] | None = None,
    kind: Any = None,
    values: dict[str, Any] | None = None,
    **more: Any,
) -> tuple[Part]:
    return (Part(record.at, record.host, "queue", key, keeps, record.offset, kind, values, **more),)


def _mailbox(text: str) -> str:
    return text.strip(" <>").lower()[:320]


def _client(record: Record, key: str, values: str) -> Items:
    """``192.0.2.1``, ``192.0.2.1:25``"""
    said = values.partition("|")[0].strip()
    address = net.address(said) or net.address(said.rpartition(":")[0])
    return _part(record, key, {"client": address}) if address else ()


def _sender(record: Record, key: str, values: str) -> Items:
    return _part(record, key, {"sender": _mailbox(values)})


def _recipients(record: Record, key: str, values: str) -> Items:
    return _part(record, key, {"recipients": values.count("|") + 1, "origin": "smtp"})


def _size(record: Record, key: str, values: str) -> Items:
    size = values.strip()
    return _part(record, key, {"size": int(size)}) if size.isdecimal() else ()


def _message_id(record: Record, key: str, values: str) -> Items:
    return _part(record, key, {"message_id": values.strip(" <>")[:255]})


def _verdict(record: Record, key: str, values: str) -> Items:
    """``VERDICT|recipient|verdict|policy|...``; of no recipient where it is the connection's"""
    recipient, _, rest = values.partition("|")
    if recipient == "<none>":
        return ()
    name = rest.partition("|")[0].lower()
    message = _part(
        record,
        key,
        None,
        Message,
        {"queue_id": key},
        once="message",
        needs="recipients",
        wait=PATIENCE,
    )
    kind = "virus" if "virus" in name or "malware" in name else "spam" if "spam" in name else ""
    if not kind:
        return message
    judged = {"queue_id": key, "kind": kind}
    return (*message, *_part(record, key, None, Verdict, judged, once=kind))


def _delivered(record: Record, key: str, values: str) -> Items:
    """``DELIVER|where|recipient``"""
    relay, _, recipient = values.partition("|")
    told = {"queue_id": key, "relay": relay[:255], "recipient": _mailbox(recipient)}
    return _part(record, key, None, Delivery, {**told, "status": "sent"})


_EVENTS: dict[str, Callable[[Record, str, str], Items]] = {
    "ACCEPT": _client,
    "LOGICAL_IP": _client,
    "SENDER": _sender,
    "ORCPTS": _recipients,
    "MSG_SIZE": _size,
    "MSGID": _message_id,
    "VERDICT": _verdict,
    "DELIVER": _delivered,
}


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return read if program in _TAGS else None


FORMAT = Format("symantec", parser)
