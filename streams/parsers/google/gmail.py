"""Gmail's log: what was sent and received.

Source: Google's schema for Gmail logs in BigQuery. A message has a row for each step; the step in
which Gmail takes it is the message, the one that ends at a mailbox or at another server is the
delivery. ``success`` is false in many rows of mail that was delivered, and is not believed; the
reply of the other server is. ``client_ip`` is whoever began the message as Gmail saw it, before
the site's own gateways. Numbers may be text, times are microseconds.

Raw rows of BigQuery's API have no names: their values stand in the order of the schema.
"""

from typing import Any

from schemas.events import Delivery, Fact, Message, Recipient, Verdict
from streams.parsers import fields, reply
from streams.parsers.moments import moment
from streams.parsers.part import Items, Record

RECEIVED, ACCEPTED, DELIVERED, SENT = 1, 2, 3, 10  # action_type

_SOURCE = ("address", "service", "selector", "from_header_address", "from_header_displayname")
_DESTINATION = ("address", "service", "selector", "smime_decryption_success", "rcpt_response")


def row(record: Record, data: dict[str, Any]) -> Items:
    """A row by the names of its fields."""
    about, told = fields.record(data.get("event_info")), fields.record(data["message_info"])
    at = moment(fields.number(about.get("timestamp_usec"))) or record.at
    peer = fields.record(told.get("connection_info"))
    client = fields.client(peer.get("client_ip")) or fields.client(peer.get("smtp_in_connect_ip"))
    sender = fields.mailbox(fields.record(told.get("source")).get("address"))
    message_id = fields.message_id(told.get("rfc2822_message_id"))
    targets = list(fields.records(told.get("destination")))
    action = fields.number(told.get("action_type"))
    common: dict[str, Any] = {
        "at": at,
        "gateway": record.host,
        "offset": record.offset,
        "client": client,
    }
    code = fields.number(peer.get("smtp_reply_code"))
    events: list[Fact] = []
    if action == RECEIVED and code >= 400:
        words = fields.text(peer.get("smtp_response_reason"))
        for target in targets or [{}]:
            verdict, reason = reply.verdict(code, "", words)
            recipient = fields.mailbox(target.get("address"))
            events.append(
                Recipient(
                    **common,
                    sender=sender,
                    recipient=recipient,
                    verdict=verdict,
                    code=code,
                    reason=reason,
                )
            )
    elif action == ACCEPTED:
        events.append(
            Message(
                **common,
                sender=sender,
                message_id=message_id,
                recipients=len(targets),
                size=fields.number(told.get("payload_size")),
            )
        )
        if str(told.get("is_spam")).lower() == "true":
            events.append(Verdict(**common, sender=sender, kind="spam", scale="Gmail"))
    elif action in (DELIVERED, SENT):
        for target in targets:
            status, reason = _status(target, code if action == SENT else 0)
            events.append(
                Delivery(
                    **common,
                    message_id=message_id,
                    sender=sender,
                    recipient=fields.mailbox(target.get("address")),
                    relay=fields.client(peer.get("smtp_out_connect_ip")),
                    status=status,
                    reason=reason,
                )
            )
    return events


def _status(target: dict[str, Any], code: int) -> tuple[str, str]:
    """(status, reason) of a delivery, by what the other server said."""
    words = fields.text(target.get("rcpt_response"))
    said = reply.code(words) or code
    if said >= 400:
        return "bounced" if said >= 500 else "deferred", reply.failure("", words)
    return "sent", ""


def exported(record: Record, data: dict[str, Any]) -> Items:
    """A row of the export of all activities, which has Gmail's as one of its fields."""
    inner = data["gmail"]
    return row(record, inner) if "message_info" in inner else ()


def positional(data: dict[str, Any]) -> dict[str, Any] | None:
    """A raw row as if it had names; None where it is none of ours."""
    values = _values(data)
    for index, value in enumerate(values[:-1]):
        about, told = _values(value), _values(values[index + 1])
        if len(about) < 2 or len(told) < 7 or len(str(about[0])) != 16:
            continue
        source, targets = _values(told[4]), told[5]
        peer = next((_values(one) for one in told[7:] if _peer(one)), [])
        return {
            "event_info": {"timestamp_usec": about[0]},
            "message_info": {
                "action_type": told[0],
                "rfc2822_message_id": told[1],
                "payload_size": told[3],
                "source": dict(zip(_SOURCE, source, strict=False)),
                "destination": [
                    dict(zip(_DESTINATION, _values(fields.record(one).get("v")), strict=False))
                    for one in fields.records(targets)
                ],
                "is_spam": told[9] if len(told) > 9 else None,
                "connection_info": {
                    "client_ip": peer[0] if peer else None,
                    "smtp_in_connect_ip": peer[10] if len(peer) > 10 else None,
                },
            },
        }
    return None


def raw(record: Record, data: dict[str, Any]) -> Items:
    return row(record, positional(data.get("row", data)) or {"message_info": {}})


def _values(value: Any) -> list[Any]:
    """The values of a record: ``{"f": [{"v": value}, ...]}``."""
    members = value.get("f") if isinstance(value, dict) else None
    return [one.get("v") for one in fields.records(members)]


def _peer(value: Any) -> bool:
    """Whether a record is that of the connection, which begins with an address."""
    values = _values(value)
    return len(values) > 10 and any(fields.client(values[at]) for at in (0, 10))
