"""Barracuda Email Security Gateway (Spam & Virus Firewall), firmware 3.4 and later: mail syslog.

From Barracuda's syslog guides. ``inbound/pass1`` and ``scan`` judge, ``outbound/smtp`` delivers:
``host[client] message-id start end SERVICE info``, one line for each recipient. Neither logins
nor sizes in bytes are told; a delivery does not name its recipient, its message may have several.
"""

import re
from typing import Any

from schemas import net
from schemas.events import Delivery, Message, Recipient, Verdict
from streams.parsers import reply
from streams.parsers.part import Format, Items, Mask, Parse, Part, Record

_HEAD = re.compile(
    r"(?P<name>[^\s\[\]]{0,255})\[(?P<ip>[\w.:]{2,50})\] (?P<id>[\w-]{5,64}) \d{1,12} \d{1,12} "
    r"(?P<service>RECV|SCAN|SEND) (?P<info>.*)",
    re.DOTALL,
)
_RECEIVED = re.compile(
    r"(?P<sender>\S{1,512}) (?P<recipient>\S{1,512}) (?P<action>\d{1,2}) (?P<reason>\d{1,3})"
    r"(?: (?P<words>.*))?",
    re.DOTALL,
)
_SCANNED = re.compile(
    r"\S{1,5} (?P<sender>\S{1,512}) (?P<recipient>\S{1,512}) (?P<score>-|-?\d{1,4}(?:\.\d{1,4})?) "
    r"(?P<action>\d{1,2}) (?P<reason>\d{1,3})(?: (?P<words>.*))?",
    re.DOTALL,
)
_SENT = re.compile(r"\S{1,5} (?P<action>\d) \S{1,64}(?: (?P<words>.*))?", re.DOTALL)
_SIZE = re.compile(r"(?:^| )SZ:(?P<size>\d{1,12})(?: |$)")
_REPLY = re.compile(r"[245]\d\d[ -](?P<enhanced>[245]\.\d{1,3}\.\d{1,3})")

ABORTED, BLOCKED, QUARANTINED, TAGGED, DEFERRED, FOR_USER = range(1, 7)
_STATUS = {"1": "sent", "2": "bounced", "3": "deferred", "4": "expired"}
_REASONS = {
    1: ("blocked", "content"),  # a virus
    2: ("blocked", "content"),
    3: ("blocked", "listed"),
    4: ("deferred", "overload"),
    5: ("deferred", "overload"),
    7: ("refused", "sender"),
    8: ("unknown", "user_unknown"),
    14: ("refused", "sender"),
    41: ("blocked", "policy"),
    45: ("refused", "too_big"),
    46: ("deferred", "overload"),
    62: ("blocked", "listed"),
    64: ("deferred", "temporary"),
    66: ("blocked", "no_reverse_name"),
    68: ("blocked", "policy"),
}
VIRUS = 1
_TAGS = ("inbound/pass", "outbound/smtp", "scan", "notify/smtp")


def read(record: Record) -> Items | None:
    """A line; None where it is another program's."""
    found = _HEAD.fullmatch(record.text)
    if found is None:
        return None
    client = net.address(found["ip"])
    key, info = found["id"], found["info"]
    if found["service"] == "RECV":
        return _received(record, key, client, info)
    if found["service"] == "SCAN":
        return _scanned(record, key, client, info)
    return _sent(record, key, info)


def _part(
    record: Record,
    key: str,
    keeps: dict[str, Any] | None,
    kind: Any,
    values: dict[str, Any],
    once: str = "",
) -> Part:
    values["queue_id"] = key
    return Part(record.at, record.host, "queue", key, keeps, record.offset, kind, values, once)


def _mailbox(text: str) -> str:
    return "" if text == "-" else text.strip("<>").lower()[:320]


def _refused(record: Record, key: str, client: str, found: re.Match[str], words: str) -> Part:
    action, reason = int(found["action"]), int(found["reason"])
    verdict, why = _REASONS.get(reason, ("", ""))
    if not verdict:
        code = 450 if action == DEFERRED else 550
        verdict, why = reply.verdict(code, "", words)
        if verdict == "refused":
            verdict, why = "blocked", "content"
    values = {
        "client": client,
        "sender": _mailbox(found["sender"]),
        "recipient": _mailbox(found["recipient"]),
        "verdict": verdict,
        "reason": why,
    }
    return _part(record, key, {"client": client}, Recipient, values)


def _received(record: Record, key: str, client: str, info: str) -> Items:
    found = _RECEIVED.fullmatch(info)
    if found is None:
        raise ValueError(f"no recipient: {info[:200]!r}")
    if int(found["action"]) not in (BLOCKED, DEFERRED):
        return ()
    return (_refused(record, key, client, found, found["words"] or ""),)


def _scanned(record: Record, key: str, client: str, info: str) -> Items:
    found = _SCANNED.fullmatch(info)
    if found is None:
        raise ValueError(f"no verdict: {info[:200]!r}")
    action = int(found["action"])
    words = (found["words"] or "").partition(" Subj: ")[0].partition(" SUBJ:")[0]
    parts = []
    if action in (BLOCKED, DEFERRED):
        parts.append(_refused(record, key, client, found, words))
    elif action != ABORTED:
        size = _SIZE.search(words)
        values = {
            "client": client,
            "sender": _mailbox(found["sender"]),
            "size": int(size["size"]) if size else 0,
        }
        recipient = _mailbox(found["recipient"])
        keeps = {"client": client, "sender": values["sender"], "recipient": recipient}
        parts.append(_part(record, key, keeps, Message, values, "message"))
    infected = int(found["reason"]) == VIRUS
    spam = action in (BLOCKED, QUARANTINED, TAGGED, FOR_USER)
    judged = {
        "client": client,
        "kind": "virus" if infected else "spam" if spam else "ham",
        "score": 0.0 if found["score"] == "-" else float(found["score"]),
        "scale": "Barracuda",
    }
    if infected or found["score"] != "-":
        parts.append(_part(record, key, None, Verdict, judged))
    return parts


def _sent(record: Record, key: str, info: str) -> Items:
    found = _SENT.fullmatch(info)
    if found is None:
        raise ValueError(f"no delivery: {info[:200]!r}")
    status, words = _STATUS.get(found["action"], ""), found["words"] or ""
    if not status:
        return ()
    said = _REPLY.match(words)
    enhanced = said["enhanced"] if said else ""
    values: dict[str, Any] = {"status": status, "enhanced": enhanced}
    if status != "sent":
        values["reason"] = reply.failure(enhanced, words)
    return (_part(record, key, None, Delivery, values),)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return read if program.startswith(_TAGS) else None


FORMAT = Format("barracuda", parser)
