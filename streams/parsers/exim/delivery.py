"""``=>``, ``->``, ``>>``, ``**``, ``==``: what became of a message for one recipient.

The lines are made by delivery_log() and its neighbours in src/deliver.c; the flags are told in
the manual, "Log line flags". The remote server's words stand last.
"""

import re
from typing import Any

from schemas import net
from schemas.events import Delivery
from streams.parsers.exim import words
from streams.parsers.exim.peer import mailbox
from streams.parsers.part import Items, Part, Record

STATUS = {"=>": "sent", "->": "sent", ">>": "sent", "**": "bounced", "==": "deferred"}

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"[^\s:]*')
_FIRST = re.compile(r"(?: \([^()\s]*\))? <(?P<first>[^\s<>]*)>(?= |$)")
_HOST = re.compile(r" H=(?P<name>\S+) \[(?P<address>[^\]\s]{1,64})\]")
# A driver's name is letters, digits and underscores: a colon behind it begins the explanation
_TRANSPORT = re.compile(
    r"(?: P=<[^\s<>]*>)?(?: (?:R|PRX)=[^\s:]+)*(?: T=(?P<name>[^\s:]+))?(?: S=\d{1,18})?"
)
_SENDER = re.compile(r" F=<(?P<sender>[^\s<>]*)>")
_QUEUED = re.compile(r' C="[^"]{0,300}\b(?:queued as |OK id=)(?P<queue_id>[\w-]{6,40})')
# Written again at each run of the queue; nothing was tried.
_IDLE = (
    "retry time not",
    "Retry time not",
    "SMTP delivery explicitly queued",
    "first-pass only routing",
)
_NEAR = net.Networks(net.PRIVATE)


def read(record: Record, queue_id: str, flag: str, text: str) -> Items:
    """What stands behind the flag."""
    recipient, original, end = _recipient(text)
    if not recipient:
        return ()  # an automatic reply was written, or nobody was left
    status = STATUS[flag]
    values: dict[str, Any] = {"queue_id": queue_id, "recipient": recipient, "status": status}
    if original and original != recipient:
        values["original"] = original
    sender = _SENDER.match(text, end)
    if sender:
        values["sender"] = mailbox(sender["sender"])
        end = sender.end()
    transport = _TRANSPORT.match(text, end)
    if transport:
        end = transport.end()
        if transport["name"]:
            values["relay"] = transport["name"]
    host = _HOST.search(text, end) if " H=" in text else None
    if host:
        values["relay"] = host["name"]
    keeps: dict[str, Any] = {}
    passes = through = ""
    if status == "sent":
        through = net.address(host["address"]) if host else ""
        if through in _NEAR:
            queued = _QUEUED.search(text, end)
            passes = queued["queue_id"] if queued else ""
    else:
        said = _why(text[end:], flag)
        if flag == "==" and any(idle in said for idle in _IDLE):
            return ()
        keeps = _failed(said, status, values)
    return (
        Part(
            record.at,
            record.host,
            "queue",
            queue_id,
            keeps,
            record.offset,
            Delivery,
            values,
            passes=passes,
            through=through,
        ),
    )


def _recipient(text: str) -> tuple[str, str, int]:
    """Who the delivery was for, who that was at first, and where the names end. A file, a pipe or
    a local user is called by the first address."""
    if text.startswith(("|", "/")):
        first = _FIRST.search(text)
        return (mailbox(first["first"]), "", first.end()) if first else ("", "", 0)
    quoted = _QUOTED.match(text) if text.startswith('"') else None
    end = quoted.end() if quoted else text.find(" ")
    if end < 0:
        raise ValueError(f"a delivery that ends early: {text[:200]!r}")
    to = text[:end].rstrip(":")
    if to.startswith(">"):
        return "", "", end
    first = _FIRST.match(text, end)
    original = mailbox(first["first"]) if first else ""
    if "@" in to:
        return mailbox(to), original, first.end() if first else len(to)
    return original, "", first.end() if first else end


def _why(rest: str, flag: str) -> str:
    """The explanation behind the router and transport."""
    if flag == "==":
        rest = rest.partition("defer (")[2].partition(")")[2]
        return rest.partition(": ")[2]
    for mark in (": SMTP error ", ": LMTP error "):
        at = rest.find(mark)
        if at >= 0:
            return rest[at + 2 :]
    after = rest.partition(" : ")[2]
    return after or rest.partition(": ")[2]


def _failed(said: str, status: str, values: dict[str, Any]) -> dict[str, Any]:
    """Completes `values`; gives what a report about it will say."""
    reason, code, enhanced = words.failure(said)
    if reason == "expired" and status == "bounced":
        status = values["status"] = "expired"
    values["reason"] = reason
    if enhanced:
        values["enhanced"] = enhanced
    return {
        "failed_recipient": values["recipient"],
        "failed_status": status,
        "failed_enhanced": enhanced,
        "failed_reason": reason,
        "failed_code": code,
        "failed_reply": said[: words.LONGEST_REPLY],
    }
