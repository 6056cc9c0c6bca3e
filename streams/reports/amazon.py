"""Notifications of Amazon SES, as its topics send them by mail: JSON instead of a report.

Amazon SES Developer Guide, "Amazon SNS notification contents for Amazon SES". The notification
lies alone in the text, or as a string in the ``Message`` of the one of SNS.
"""

import re
from typing import Any

import msgspec

from schemas import net
from schemas.events import Bounce, Complaint
from streams.reports import mime, reasons, replies

MOST = 100  # recipients
_MARK = "notificationType"
_LINES = re.compile(r"[\r\n]+")
_STATUS = {"Bounce": "bounced", "DeliveryDelay": "deferred"}


def read(mail: mime.Mail) -> list[Bounce | Complaint]:
    """The events of a notification; none where the mail is none."""
    for part in mail.parts:
        if part.kind == "text/plain" and _MARK.encode() in part.body:
            told = _notification(part.text())
            if told:
                return _events(told)
    return []


def _notification(text: str) -> dict[str, Any]:
    begin = text.find("{")
    end = text.rfind("}")
    found = _object(_LINES.sub("", text[begin : end + 1])) if 0 <= begin < end else {}
    if _MARK not in found:
        found = _object(found.get("Message"))
    return found if _MARK in found or "eventType" in found else {}


def _events(told: dict[str, Any]) -> list[Bounce | Complaint]:
    mail = _dict(told.get("mail"))
    about = str(_dict(mail.get("commonHeaders")).get("messageId") or mail.get("messageId") or "")
    sender = str(mail.get("source") or "").lower()
    kind = str(told[_MARK])
    if kind == "Complaint":
        complaint = _dict(told.get("complaint"))
        return [
            Complaint(
                at=0.0,
                sender=sender,
                client=net.address(str(mail.get("sourceIp") or "")),
                message_id=about.strip("<>"),
                reporter=str(who.get("emailAddress") or "").lower(),
                kind=str(complaint.get("complaintFeedbackType") or "abuse"),
            )
            for who in _dicts(complaint.get("complainedRecipients"))
        ]
    if kind != "Bounce":
        return []
    bounce = _dict(told.get("bounce"))
    permanent = bounce.get("bounceType") == "Permanent"
    return [
        _bounce(who, sender, about.strip("<>"), permanent)
        for who in _dicts(bounce.get("bouncedRecipients"))
    ]


def _bounce(who: dict[str, Any], sender: str, about: str, permanent: bool) -> Bounce:
    words = str(who.get("diagnosticCode") or "").removeprefix("smtp;").strip()
    reply = replies.read(words)
    enhanced = replies.exact((reply.status, str(who.get("status") or "")))
    delayed = who.get("action") == "delayed" or not (permanent or who.get("action"))
    return Bounce(
        at=0.0,
        about=about[:255],
        recipient=sender,
        failed_recipient=str(who.get("emailAddress") or "").lower(),
        status="deferred" if delayed else "bounced",
        code=reply.code,
        enhanced=enhanced,
        reason=reasons.classify(reply.code, enhanced, words),
        reply=replies.shown(words),
    )


def _object(text: object) -> dict[str, Any]:
    if not isinstance(text, str):
        return {}
    try:
        return _dict(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [_dict(item) for item in value[:MOST]] if isinstance(value, list) else []
