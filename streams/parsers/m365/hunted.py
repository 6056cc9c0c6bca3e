"""EmailEvents: Defender's table of mails, a row for each recipient.

Columns from Microsoft's "EmailEvents table in the advanced hunting schema"; the rows come by Event
Hubs (category ``AdvancedHunting-EmailEvents``) or as the hunt shows them. They tell of the same
mails as the message trace.
"""

from typing import Any

from schemas.events import Verdict
from streams.parsers import fields
from streams.parsers.m365 import trace
from streams.parsers.moments import moment
from streams.parsers.part import Items, Record

_ACTIONS = {"delivered": "delivered", "replaced": "delivered", "junked": "filteredasspam"}
_THREATS = {"malware": "virus", "phish": "spam", "spam": "spam"}


def known(data: dict[str, Any]) -> bool:
    """Whether an object is a row."""
    return "SenderMailFromAddress" in data and "RecipientEmailAddress" in data


def read(record: Record, data: dict[str, Any]) -> Items:
    action = fields.text(data.get("DeliveryAction")).lower()
    status = _ACTIONS.get(action, "")
    if action == "blocked":  # into the quarantine, or away
        held = fields.text(data.get("DeliveryLocation")).lower() == "quarantine"
        status = "quarantined" if held else "failed"
    row = {
        "received": data.get("Timestamp"),
        "messagetraceid": data.get("NetworkMessageId"),
        "fromip": data.get("SenderIPv4") or data.get("SenderIPv6"),
        "senderaddress": data.get("SenderMailFromAddress"),
        "recipientaddress": data.get("RecipientEmailAddress"),
        "messageid": data.get("InternetMessageId"),
        "size": data.get("EmailSize"),
        "status": status,
    }
    told = [one for one in trace.row(record, row) if not isinstance(one, Verdict)]
    threats = fields.text(data.get("ThreatTypes")).lower()
    kind = next((kind for threat, kind in _THREATS.items() if threat in threats), "")
    if not kind:
        return told
    verdict = Verdict(
        at=moment(row["received"]) or record.at,
        gateway=record.host,
        offset=record.offset,
        client=fields.client(row["fromip"]),
        sender=fields.mailbox(row["senderaddress"]),
        kind=kind,
        scale=status if status in trace.SUSPECT else "",
    )
    return [*told, verdict]
