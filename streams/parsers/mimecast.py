"""Mimecast: logs of mail as JSON (the SIEM API, both generations) and as ``name=value|...``.

From Mimecast's "Understanding SIEM logs" and its API's description. Of an email there is a
record of its receipt, of what was thought of it, and of each delivery. The names differ between
the generations: ``IP`` and ``senderIp``, ``Act`` and ``action``. Mimecast's own time is meant.
"""

import re
from typing import Any

from schemas.events import Delivery, Message, Recipient, Verdict
from streams.parsers import fields, reply
from streams.parsers.moments import moment
from streams.parsers.part import DOCUMENT, Format, Item, Items, Mask, Parse, Record

MOST_RECIPIENTS = 1000

_BEGIN = "datetime="
_STRANGERS = ("|Subject=", "|MsgId=", "|headerFrom=", "|Sender=", "|Rcpt=")
_NAME = re.compile(r"(?:^|\|)(?P<name>[A-Za-z]{2,40})=")

_NAMES = {
    # what it is, in the first generation, in the second
    "at": ("datetime", "timestamp"),
    "client": ("IP", "senderIp"),
    "sender": ("Sender", "senderEnvelope"),
    "recipients": ("Rcpt", "recipients"),
    "action": ("Act", "action"),
    "id": ("aCode", "processingId"),
    "message_id": ("MsgId", "messageId"),
    "size": ("MsgSize", "totalSize"),
    "sent_size": ("Snt", "emailSize"),
    "delivered": ("Delivered", "delivered"),
    "refused": ("RejType", "rejectionType"),
    "words": ("RejInfo", "rejectionInfo"),
    "code": ("RejCode", "rejectionCode"),
    "error": ("Err", "deliveryErrors"),
    "spam": ("SpamScore", "spamScore"),
    "virus": ("Virus", "virusFound"),
}
_FIRST = tuple((what, names[0]) for what, names in _NAMES.items())
_SECOND = tuple((what, names[1]) for what, names in _NAMES.items())
_REFUSED = (
    # words of a rejection's type; verdict, reason
    ("recipient", "unknown", "user_unknown"),
    ("relay", "relay_denied", "relay_denied"),
    ("rbl", "blocked", "listed"),
    ("reputation", "blocked", "listed"),
    ("virus", "blocked", "content"),
    ("spam", "blocked", "content"),
    ("greylist", "deferred", "greylisted"),
)


def document(record: Record) -> Items | None:
    """A record as JSON; None where it is none of Mimecast's."""
    data = record.data
    if not isinstance(data, dict):
        return None
    if "aggregateId" in data and "processingId" in data:
        return _told(record, data)
    return _told(record, data) if "aCode" in data and "acc" in data else None


def read(record: Record) -> Items | None:
    """``datetime=D|aCode=A|acc=C|name=value|...``"""
    text = record.text
    if not text.startswith(_BEGIN) or "|acc=" not in text[:300]:
        return None
    data: dict[str, Any] = {}
    name, begin = "", 0
    for found in _NAME.finditer(text):
        if name:
            data.setdefault(name, text[begin : found.start()])
        name, begin = found["name"], found.end()
    data.setdefault(name, text[begin:])
    address = text.find("|IP=")
    if any(0 <= text.find(name) < address for name in _STRANGERS):
        data.pop("IP", None)  # perhaps it is a subject that looks like a field
    return _told(record, data)


def _told(record: Record, data: dict[str, Any]) -> Items:
    names = _SECOND if "processingId" in data else _FIRST
    said = {what: data.get(name, "") for what, name in names}
    recipients = _addresses(said["recipients"])
    common: dict[str, Any] = {
        "at": moment(said["at"]) or record.at,
        "gateway": record.host,
        "offset": record.offset,
        "sender": fields.mailbox(said["sender"]),
        "queue_id": fields.text(said["id"]),
    }
    client = fields.client(said["client"])
    if said["delivered"] not in ("", None):
        return _delivered(common, said, recipients)
    action = fields.text(said["action"]).lower()
    if action in ("rej", "ign", "bnc", "tmp", "sdx"):
        verdict, reason = _refusal(action, said)
        return [
            Recipient(
                **common,
                client=client,
                recipient=recipient,
                verdict=verdict,
                code=fields.number(said["code"]),
                reason=reason,
            )
            for recipient in recipients[:MOST_RECIPIENTS]
        ]
    told: list[Item] = []
    if action == "acc" and client:
        told.append(
            Message(
                **common,
                client=client,
                message_id=fields.message_id(said["message_id"]),
                recipients=len(recipients),
                size=fields.number(said["size"]),
            )
        )
    if fields.text(said["virus"]):
        told.append(Verdict(**common, client=client, kind="virus"))
    return told


def _addresses(value: Any) -> list[str]:
    found = value if isinstance(value, list) else fields.text(value).split(",")
    return [fields.mailbox(one) for one in found if fields.mailbox(one)]


def _refusal(action: str, said: dict[str, Any]) -> tuple[str, str]:
    kind = fields.text(said["refused"]).lower()
    for words, verdict, reason in _REFUSED:
        if words in kind:
            return verdict, reason
    if action == "tmp":
        return "deferred", "temporary"
    verdict, reason = reply.verdict(
        fields.number(said["code"]), "", fields.text(said["words"]) or kind
    )
    return ("blocked", "policy") if verdict == "refused" else (verdict, reason)


def _delivered(common: dict[str, Any], said: dict[str, Any], recipients: list[str]) -> Items:
    good = str(said["delivered"]).lower() == "true"
    words = fields.text(said["error"]) or fields.text(said["words"])
    code = fields.number(said["code"])
    later = not good and (code == 0 or code // 100 == 4)
    status = "sent" if good else "deferred" if later else "bounced"
    return [
        Delivery(
            **common,
            message_id=fields.message_id(said["message_id"]),
            recipient=recipient,
            status=status,
            reason="" if good else reply.failure("", words),
        )
        for recipient in recipients[:MOST_RECIPIENTS]
    ]


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program == DOCUMENT:
        return document
    return read if not program else None


FORMAT = Format(
    "mimecast",
    parser,
    begins=_BEGIN,
    keys=("processingId", "aCode"),
)
