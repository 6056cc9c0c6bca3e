"""qmail-send: messages, deliveries, bounces.

Wordings from qmail-send.c and its manual page qmail-log(5). A message's number is its inode and
is used again at once; a delivery's number counts from the start of qmail-send, and the line that
says how it ended names nothing else. What the other server said stands there with ``_`` for
blanks. How many recipients a message has is not told. A bounce is of all that failed.
"""

import re
from collections.abc import Callable
from typing import Any

from schemas.events import Bounce, Delivery, Message
from streams.parsers import reply
from streams.parsers.event import name
from streams.parsers.part import Items, Part, Record

Read = Callable[[Record, str], Items | None]

_INFO = re.compile(
    r"info msg (?P<message>\d{1,20}): bytes (?P<size>\d{1,18}) from <(?P<sender>.*)> "
    r"qp \d+ uid \d+",
    re.DOTALL,
)
_STARTING = re.compile(
    r"starting delivery (?P<delivery>\d{1,20}): msg (?P<message>\d{1,20}) "
    r"to (?P<channel>local|remote) (?P<recipient>.+)",
    re.DOTALL,
)
_DELIVERY = re.compile(
    r"delivery (?P<delivery>\d{1,20}): (?:(?P<status>success|failure|deferral): (?P<said>.*)|"
    r"report mangled, will defer)",
    re.DOTALL,
)
_NUMBERED = re.compile(r"(?:new|end|bounce) msg (?P<message>\d{1,20})(?: qp \d+)?")
_OWN = re.compile(r"\(#(?P<enhanced>[245]\.\d{1,3}\.\d{1,3})\)")
_REMOTE = re.compile(
    r"[Rr]emote[_ ]host[_ ]said:[_ ](?P<code>[245]\d\d)[-_ ]?"
    r"(?:#?(?P<enhanced>[245]\.\d{1,3}\.\d{1,3})[_ ])?"
)
_RELAY = re.compile(r"(?P<ip>[\d.]{7,15}|[0-9a-fA-F:.]{3,45})_\S*accepted_message")
_STATUS = {"success": "sent", "failure": "bounced", "deferral": "deferred"}
LONGEST_REPLY = 300
_EXPIRED = "in_the_queue_too_long"


def _part(record: Record, key: str, **fields: Any) -> tuple[Part]:
    return (Part(record.at, record.host, "qmail", key, offset=record.offset, **fields),)


def _new(record: Record, text: str) -> Items | None:
    found = _NUMBERED.fullmatch(text)
    return _part(record, f"msg {found['message']}", begins=True, keeps={}) if found else None


def _end(record: Record, text: str) -> Items | None:
    found = _NUMBERED.fullmatch(text)
    return _part(record, f"msg {found['message']}", ends=True) if found else None


def _info(record: Record, text: str) -> Items | None:
    found = _INFO.fullmatch(text)
    if found is None:
        return None
    message, sender = found["message"], name(found["sender"])
    return _part(
        record,
        f"msg {message}",
        keeps={"sender": sender, "queue_id": message},
        event=Message,
        values={"queue_id": message, "sender": sender, "size": int(found["size"])},
        begins=True,
    )


def _starting(record: Record, text: str) -> Items | None:
    found = _STARTING.fullmatch(text)
    if found is None:
        return None
    return _part(
        record,
        found["delivery"],
        keeps={"queue_id": found["message"], "recipient": name(found["recipient"])},
        begins=True,
        within=f"msg {found['message']}",
    )


def _delivery(record: Record, text: str) -> Items | None:
    found = _DELIVERY.fullmatch(text)
    if found is None:
        return None
    said = found["said"] or ""
    keeps: dict[str, Any] | None = None
    values: dict[str, Any] = {"status": _STATUS.get(found["status"] or "", "deferred")}
    if values["status"] == "sent":
        relay = _RELAY.match(said)
        values["relay"] = relay["ip"] if relay else ""
    else:
        if _EXPIRED in said:
            values["status"] = "expired"
        enhanced, values["reason"] = _reason(said, values["status"])
        if enhanced:
            values["enhanced"] = enhanced
        keeps = {
            "failed_status": values["status"],
            "failed_enhanced": enhanced,
            "failed_reason": values["reason"],
            "failed_reply": said[:LONGEST_REPLY],
        }
    return _part(record, found["delivery"], keeps=keeps, event=Delivery, values=values, ends=True)


def _reason(said: str, status: str) -> tuple[str, str]:
    """(enhanced status, class) of a delivery that failed, or will be tried again.

    What qmail itself says stands first.
    """
    remote = _REMOTE.search(said)
    own = _OWN.search(said, 0, remote.start() if remote else len(said))
    enhanced = own["enhanced"] if own else ""
    text = said
    if remote:
        enhanced = enhanced or remote["enhanced"] or ""
        text = said[remote.end() :]
        late = _OWN.search(text)
        if not enhanced and late:
            enhanced = late["enhanced"]
    usual = "4.0.0" if status == "deferred" else "5.0.0"
    return enhanced, reply.failure(enhanced or usual, text.replace("_", " "))


def _bounce(record: Record, text: str) -> Items | None:
    found = _NUMBERED.fullmatch(text)
    if found is None:
        return None
    message = found["message"]
    values = {"direction": "made", "about": message, "status": "bounced"}
    return _part(record, f"msg {message}", keeps={}, event=Bounce, values=values)


def status(record: Record, text: str) -> Items | None:
    """How many deliveries run at once; not how many messages wait."""
    return () if text.startswith(("local ", "exiting")) else None


def _status(record: Record, text: str) -> Items | None:
    return status(record, text[8:])


WORDS: dict[str, Read] = {
    "new": _new,
    "info": _info,
    "starting": _starting,
    "delivery": _delivery,
    "bounce": _bounce,
    "end": _end,
    "status:": _status,
}
"""By the first word of a line."""
