"""Message trace: one row for each recipient of a message.

Sources: the reporting web service's MessageTrace report, the PowerShell commands
Get-MessageTrace and Get-MessageTraceV2, Graph's exchangeMessageTrace, and the CSV of the last two
and of the admin centre. Times are UTC, with or without saying so. Rows that still wait come again
in the next report.

Cannot tell who logged in, nor why a delivery failed.
"""

from typing import Any

from schemas.events import Delivery, Message, Verdict
from streams.parsers import fields
from streams.parsers.moments import moment
from streams.parsers.part import Item, Items, Parse, Part, Record

STATUSES = {
    "delivered": "sent",
    "resolved": "sent",
    "failed": "bounced",
    "pending": "deferred",
    "gettingstatus": "deferred",
    "none": "",
    "expanded": "",  # a group: its members have rows of their own
    "quarantined": "",
    "filteredasspam": "sent",  # into the junk mail
}
SUSPECT = ("quarantined", "filteredasspam")

NAMES = {
    "receiveddatetime": "received",
    "date_time_utc": "received",
    "origin_timestamp_utc": "received",
    "sender_address": "senderaddress",
    "recipient_address": "recipientaddress",
    "message_id": "messageid",
    "network_message_id": "messagetraceid",
    "id": "messagetraceid",
    "original_client_ip": "fromip",
    "client_ip": "fromip",
    "total_bytes": "size",
}
"""Other names of a row's fields, in lower case."""

_NEEDED = {"senderaddress", "received"}


def _usual(name: str) -> str:
    lower = name.strip(' "').lower()
    return NAMES.get(lower, lower)


def known(data: dict[str, Any]) -> bool:
    """Whether an object is a row."""
    if "SenderAddress" in data:
        return "RecipientAddress" in data and "Received" in data
    return "senderAddress" in data and "recipientAddress" in data and "receivedDateTime" in data


def read(record: Record, data: dict[str, Any]) -> Items:
    return row(record, {_usual(name): value for name, value in data.items()})


def rows(names: list[str]) -> Parse | None:
    """The parser of the rows of a table with these columns; None where it is not one of ours."""
    columns = [_usual(name) for name in names]
    if not _NEEDED.issubset(columns):
        return None
    if "recipientaddress" in columns and "status" in columns:
        return lambda record: row(record, dict(zip(columns, record.data, strict=False)))
    if "recipient_status" in columns:
        return lambda record: _summary(record, dict(zip(columns, record.data, strict=False)))
    return None


def _summary(record: Record, said: dict[str, Any]) -> Items:
    """The admin centre's: all recipients of a message are in one field,
    ``a@example.org##Receive, Send; b@example.org##Receive, Fail``."""
    items: list[Item] = []
    for told in str(said["recipient_status"]).split(";"):
        recipient, _, what = told.strip().partition("##")
        last = what.rpartition(",")[2].strip().lower()
        status = {"fail": "failed", "defer": "pending", "spam": "filteredasspam"}.get(
            last, "delivered"
        )
        one = {**said, "recipientaddress": recipient, "status": status}
        items += row(record, one)
    return items


def row(record: Record, said: dict[str, Any]) -> Items:
    """What a row tells, whose fields have the names that `read` gives them."""
    at = moment(said.get("received")) or record.at
    key = fields.text(said.get("messagetraceid"))[:64]
    client = fields.client(said.get("fromip"))
    sender = fields.mailbox(said.get("senderaddress"))
    message_id = fields.message_id(said.get("messageid"))
    word = fields.text(said.get("status")).replace(" ", "").lower()
    items: list[Item] = [
        Part(
            at,
            record.host,
            "trace",
            key or message_id,
            offset=record.offset,
            event=Message(
                at=at,
                gateway=record.host,
                offset=record.offset,
                client=client,
                sender=sender,
                message_id=message_id,
                recipients=1,
                size=fields.number(said.get("size")),
            ),
            once="message",
        )
    ]
    status = STATUSES.get(word, "")
    if status:
        delivery = Delivery(
            at=at,
            gateway=record.host,
            offset=record.offset,
            message_id=message_id,
            client=client,
            sender=sender,
            recipient=fields.mailbox(said.get("recipientaddress")),
            relay=fields.client(said.get("toip")),
            status=status,
        )
        items.append(delivery)
    if word in SUSPECT:
        verdict = Verdict(
            at=at,
            gateway=record.host,
            offset=record.offset,
            client=client,
            sender=sender,
            kind="spam",
            scale=word,
        )
        items.append(verdict)
    return items
