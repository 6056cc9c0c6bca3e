"""Exchange's message tracking log, 2007 to 2019; rows of ``Get-MessageTrackingLog`` as JSON too.

Columns and events from Microsoft's "Message tracking"; what a version lacks is empty. `client-ip`
is the last hop, `original-client-ip` the client of the front end. Recipients and their statuses
are lists side by side. A mail keeps its internal number within a server, and since 2013 a
network number everywhere; the SMTP protocol logs name the internal one, so what both logs tell
is told once. It cannot tell who logged in over SMTP, nor why a login failed.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import structs

from schemas import net
from schemas.events import Bounce, Delivery, Fact, Message, Verdict
from streams.parsers import reply
from streams.parsers.exchange import rows
from streams.parsers.moments import moment
from streams.parsers.part import DOCUMENT, Format, Item, Items, Mask, Parse, Part, Record

PATIENCE = 5.0  # seconds that an arrival waits for the protocol log, which knows the login

_STATUS = re.compile(r"(?:LED=)?(?P<code>[245]\d\d)[ -](?P<enhanced>[245]\.\d{1,3}\.\d{1,3})?")
_ENHANCED = re.compile(r"[45]\.\d{1,3}\.\d{1,3}")
_MALWARE = re.compile(r"AMA=EV\|[^;]{0,300}\|name=(?P<name>[^|;]{1,200})")
_SPAM = re.compile(r"(?:[|=; ]SCL=|SCL:)(?P<scl>-?\d{1,2})\b")
_EXPIRED = frozenset({"4.4.7", "5.4.7", "4.4.20", "5.4.300"})

_WITHIN = "intra-organization"


class _Columns:
    """Reads the columns of a table that matter here."""

    def __init__(self, columns: list[str]) -> None:
        def column(name: str) -> Callable[[list[str]], str]:
            return rows.optional(columns, name)

        self.event = column("event-id")
        self.source = column("source")
        self.client = column("client-ip")
        self.original = column("original-client-ip")
        self.server_ip = column("server-ip")
        self.server = column("server-hostname")
        self.context = column("source-context")
        self.connector = column("connector-id")
        self.internal = column("internal-message-id")
        self.network = column("network-message-id")
        self.message_id = column("message-id")
        self.recipients = column("recipient-address")
        self.statuses = column("recipient-status")
        self.size = column("total-bytes")
        self.count = column("recipient-count")
        self.reference = column("reference")
        self.sender = column("sender-address")
        self.path = column("return-path")
        self.custom = column("custom-data")


def _layout(columns: list[str]) -> rows.Row:
    of = _Columns(columns)

    def row(record: Record, values: list[str]) -> Items:
        read = _EVENTS.get(of.event(values))
        if read is None or rows.probe(of.sender(values)) or rows.probe(of.recipients(values)):
            return ()
        return read(record, of, values)

    return row


def _received(record: Record, of: _Columns, values: list[str]) -> Items:
    client = net.address(of.original(values)) or net.address(of.client(values))
    if client and client == net.address(of.server_ip(values)):
        client = ""  # handed over within the server
    stored = of.source(values) == "STOREDRIVER"
    account = rows.account(of.sender(values)) if stored else ""
    keeps = _keeps(of, values, client, account)
    message = {
        **_values(of, values),
        "recipients": _number(of.count(values)),
        "size": _number(of.size(values)),
    }
    message.update({name: keeps[name] for name in ("client", "account") if name in keeps})
    part = _part(record, _key(of, values, within=False), keeps, Message, message, "message")
    again = _key(of, values, within=True)
    items = [
        Part(
            part.at,
            part.gateway,
            part.namespace,
            part.key,
            keeps,
            part.offset,
            Message,
            message,
            once="message",
            needs="account",
            wait=0.0 if account else PATIENCE,
            session=again,
        )
    ]
    if again != part.key:
        items.append(_part(record, again, keeps))
    return items


def _submitted(record: Record, of: _Columns, values: list[str]) -> Items:
    """A mailbox's own mail on its way to the transport, which will tell that it came."""
    keeps = {
        "client": net.address(of.original(values)),
        "account": rows.account(of.sender(values)),
    }
    key = _key(of, values, within=True)
    return (Part(record.at, record.host, "session", key, keeps),) if key else ()


def _moved(record: Record, of: _Columns, values: list[str]) -> Items:
    """A part of a mail's recipients goes on under a number of its own."""
    key, before = _key(of, values, within=False), of.reference(values).strip()
    if not key or not before.isdecimal():
        return ()
    return (Part(record.at, record.host, "exchange", key, continues=before),)


def _delivered(status: str) -> Callable[[Record, _Columns, list[str]], Items]:
    def read(record: Record, of: _Columns, values: list[str]) -> Items:
        connector = of.connector(values).lower()
        within = of.source(values) == "STOREDRIVER" or connector.startswith(_WITHIN)
        key = _key(of, values, within=within)
        common = _values(of, values)
        relay = of.server(values) or of.server_ip(values)
        if status == "sent":
            common["relay"] = relay.lower()[:255]
        items: list[Item] = []
        for recipient, said in _recipients(of, values):
            each = {**common, "recipient": recipient, "status": status}
            if status != "sent":
                reason, enhanced = _why(said or of.context(values))
                each["reason"], each["enhanced"] = reason, enhanced
                if status == "bounced" and enhanced in _EXPIRED:
                    each["status"] = "expired"
            once = f"{each['status']} {recipient}" if status != "deferred" else ""
            part = _part(record, key, None, Delivery, each, once)
            # Who logged in is known under the number that the mail has in this server.
            here = _key(of, values, within=False) if within else key
            items.append(part if here == key else structs.replace(part, within=here))
        if status == "bounced" and items:
            items += _failures(record, of, values)
        return items

    return read


def _failures(record: Record, of: _Columns, values: list[str]) -> Iterator[Part]:
    """What a report on this mail will be about."""
    for recipient, said in _recipients(of, values):
        found = _STATUS.search(said or of.context(values))
        reason, enhanced = _why(said or of.context(values))
        keeps = {
            "failed_recipient": recipient,
            "failed_status": "expired" if enhanced in _EXPIRED else "bounced",
            "failed_code": int(found["code"]) if found else 0,
            "failed_enhanced": enhanced,
            "failed_reason": reason,
        }
        yield _part(record, _message_id(of, values), keeps)


def _reported(record: Record, of: _Columns, values: list[str]) -> Items:
    """A delivery report was made: a mail of our own, with the null sender."""
    about = of.reference(values).partition(";")[0].strip("<> ")[:255]
    common = _values(of, values)
    common["sender"] = ""
    message = {**common, "recipients": _number(of.count(values)), "size": _number(of.size(values))}
    items: list[Item] = [
        _part(record, _key(of, values, within=False), None, Message, message, "message")
    ]
    for recipient, _ in _recipients(of, values):
        bounce = {
            "direction": "made",
            "queue_id": common["queue_id"],
            "about": about,
            "recipient": recipient,
        }
        items.append(_part(record, about, None, Bounce, bounce))
    return items


def _examined(record: Record, of: _Columns, values: list[str]) -> Items:
    """What the filters said."""
    custom = of.custom(values)
    if "AMA=EV" not in custom and "SCL" not in custom:
        return ()
    malware, spam = _MALWARE.search(custom), _SPAM.search(custom)
    items: list[Item] = []
    if malware is not None:
        items.append(_verdict(record, of, values, "virus", 0.0, ""))
    if spam is not None:
        scl = int(spam["scl"])
        items.append(_verdict(record, of, values, "spam" if scl >= 5 else "ham", scl, "SCL"))
    return items


def _verdict(
    record: Record, of: _Columns, values: list[str], kind: str, score: float, scale: str
) -> Verdict:
    return Verdict(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=net.address(of.original(values)),
        sender=_sender(of, values),
        queue_id=of.internal(values)[:20],
        kind=kind,
        score=score,
        scale=scale,
    )


# -- the same for all -------------------------------------------------------------------------


def _key(of: _Columns, values: list[str], *, within: bool) -> str:
    """The number that a mail has in this server, or within the organisation."""
    return (of.network(values) if within else "") or of.internal(values) or of.network(values)


def _values(of: _Columns, values: list[str]) -> dict[str, Any]:
    return {
        "queue_id": of.internal(values)[:20],
        "message_id": _message_id(of, values),
        "sender": _sender(of, values),
    }


def _keeps(of: _Columns, values: list[str], client: str, account: str) -> dict[str, Any]:
    known = {
        "client": client,
        "account": account,
        "sender": _sender(of, values),
        "message_id": _message_id(of, values),
    }
    return {name: value for name, value in known.items() if value}


def _message_id(of: _Columns, values: list[str]) -> str:
    return of.message_id(values).strip("<> ")[:255]


def _sender(of: _Columns, values: list[str]) -> str:
    path = of.path(values) or of.sender(values)
    return path.strip("<> ").lower()[:320]


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 16 else 0


def _recipients(of: _Columns, values: list[str]) -> Iterator[tuple[str, str]]:
    """Each recipient with what is said of it."""
    recipients = of.recipients(values).split(";")
    statuses = of.statuses(values)
    each = statuses.split(";") if "{" not in statuses else statuses.split("];[")
    one = len(recipients) == 1 or len(each) != len(recipients)
    for number, recipient in enumerate(recipients):
        if recipient:
            yield recipient.strip("<> ").lower()[:320], statuses if one else each[number]


def _why(said: str) -> tuple[str, str]:
    """(class of the failure, enhanced status code)."""
    said = said[said.find("LED=") + 4 :] if "LED=" in said else said
    found = _ENHANCED.search(said)
    enhanced = found[0] if found else ""
    return reply.failure(enhanced, said), enhanced


def _part(
    record: Record,
    key: str,
    keeps: dict[str, Any] | None,
    event: type[Fact] | None = None,
    values: dict[str, Any] | None = None,
    once: str = "",
) -> Part:
    return Part(
        record.at, record.host, "exchange", key, keeps, record.offset, event, values, once=once
    )


_EVENTS: dict[str, Callable[[Record, _Columns, list[str]], Items]] = {
    "RECEIVE": _received,
    "SUBMIT": _submitted,
    "TRANSFER": _moved,
    "SEND": _delivered("sent"),
    "SENDEXTERNAL": _delivered("sent"),
    "DELIVER": _delivered("sent"),
    "DEFER": _delivered("deferred"),
    "FAIL": _delivered("bounced"),
    "BADMAIL": _delivered("bounced"),
    "DROP": _delivered("bounced"),
    "SUBMITFAIL": _delivered("bounced"),
    "DSN": _reported,
    "AGENTINFO": _examined,
}


# What Get-MessageTrackingLog calls the columns
_NAMES = {
    "ClientIp": "client-ip",
    "ServerIp": "server-ip",
    "ServerHostname": "server-hostname",
    "SourceContext": "source-context",
    "ConnectorId": "connector-id",
    "Source": "source",
    "EventId": "event-id",
    "InternalMessageId": "internal-message-id",
    "MessageId": "message-id",
    "NetworkMessageId": "network-message-id",
    "Recipients": "recipient-address",
    "RecipientStatus": "recipient-status",
    "TotalBytes": "total-bytes",
    "RecipientCount": "recipient-count",
    "Reference": "reference",
    "Sender": "sender-address",
    "ReturnPath": "return-path",
    "OriginalClientIp": "original-client-ip",
}
_listed = _layout(list(_NAMES.values()))


def _shown(record: Record) -> Items | None:
    """A row as PowerShell shows it, made JSON."""
    data = record.data
    if "InternalMessageId" not in data or "EventId" not in data:
        return None
    values = [_text(data.get(name)) for name in _NAMES]
    at = moment(data.get("Timestamp")) or record.at
    return _listed(structs.replace(record, at=at), values)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ";".join(map(str, value))
    return "" if value is None else str(value)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a table; see `Format`."""
    needs = ("client-ip", "source", "event-id", "internal-message-id", "recipient-address")
    read = rows.of_table(program, "event-id", needs, _layout)
    if program != DOCUMENT or read is None:
        return read
    return rows.either(read, _shown)


FORMAT = Format(
    "exchange-tracking",
    parser,
    begins=rows.BEGINS,
    keys=("event-id", "InternalMessageId"),
)
