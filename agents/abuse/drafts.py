"""An attack as a mail that a person may send: in the Abuse Reporting Format (ARF, RFC 5965) where
it is about mail, or as X-ARF (XARF 4, https://xarf.org) where it need not be.

``X-Unsent`` has mail programs open it for writing. It has no date and no id: who sends it gives
them.
"""

import base64
import json
import uuid
from datetime import UTC, datetime
from email.charset import QP, Charset
from email.message import EmailMessage, Message
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from agents.abuse.attack import Attack
from schemas.settings import AbuseSettings
from streams.rendering import words

XARF = "4.2.0"
AGENT = f"{words.PRODUCT}/{words.version()}"


def arf(attack: Attack, settings: AbuseSettings, contact: str) -> bytes:
    """A feedback report. Its third part is what is known of the header: logs have no more of it.
    Only for an attack with mails."""
    mail = attack.mails[0]
    report = MIMEMultipart("report", policy=SMTP, report_type="feedback-report")
    _address(report, attack, settings, contact)
    legible = Charset("utf-8")
    legible.body_encoding = QP
    words_of_it = MIMENonMultipart("text", "plain", policy=SMTP)
    words_of_it.set_payload(text(attack, settings), legible)
    report.attach(words_of_it)
    form = MIMENonMultipart("message", "feedback-report", policy=SMTP)
    fields = {
        "Feedback-Type": "abuse",
        "User-Agent": AGENT,
        "Version": "1",
        "Original-Mail-From": f"<{mail.sender}>" if mail.sender else "",
        "Arrival-Date": format_datetime(datetime.fromtimestamp(attack.first, UTC)),
        "Source-IP": attack.client,
        "Incidents": str(len(attack.mails)) if len(attack.mails) > 1 else "",
        "Reporting-MTA": f"dns; {attack.servers[0]}" if attack.servers else "",
    }
    # The generator writes the content of a message as it is.
    form.set_payload("".join(f"{n}: {_ascii(v)}\r\n" for n, v in fields.items() if v))
    report.attach(form)
    header = {
        "Return-Path": f"<{mail.sender}>" if mail.sender else "",
        "Message-ID": mail.message_id if mail.message_id.startswith("<") else "",
    }
    if mail.message_id and not header["Message-ID"]:
        header["Message-ID"] = f"<{mail.message_id}>"
    known = "".join(f"{name}: {_ascii(value)}\n" for name, value in header.items() if value)
    headers = MIMENonMultipart("text", "rfc822-headers", policy=SMTP)
    headers.set_payload(known)
    report.attach(headers)
    return report.as_bytes()


def xarf(attack: Attack, settings: AbuseSettings, contact: str, *, port: int = 0) -> bytes:
    """A mail for people with an X-ARF report for programs. With the client's `port` an attack on
    passwords is one of type ``login_attack``, which asks for it; else the client is told of as a
    malicious bot, which is what it was."""
    message = EmailMessage(SMTP)
    _address(message, attack, settings, contact)
    message["X-XARF"] = "PLAIN"
    message.set_content(text(attack, settings))
    report = json.dumps(xarf_report(attack, settings, port=port), indent=2, ensure_ascii=True)
    message.add_attachment(
        report.encode(), maintype="application", subtype="json", filename="xarf.json"
    )
    return message.as_bytes()


def xarf_report(attack: Attack, settings: AbuseSettings, *, port: int = 0) -> dict[str, Any]:
    """The JSON of it, by the schema 4.2."""
    domain = settings.sender.rpartition("@")[2]
    us = {"org": settings.organisation or domain, "contact": settings.sender, "domain": domain}
    told = "\n".join(attack.lines).encode()
    report: dict[str, Any] = {
        "xarf_version": XARF,
        # The same report of the same attack: made anew it is no other.
        "report_id": str(_identity(attack)),
        "timestamp": words.stamp(attack.last),
        "reporter": us,
        "sender": us,
        "source_identifier": attack.client,
        "category": "connection",
        "type": "infected_host",
        "bot_type": "malicious",
        "protocol": "tcp",
        "first_seen": words.stamp(attack.first),
        "last_seen": words.stamp(attack.last),
        "evidence_source": "automated_filter",
        "tags": [f"attack:{attack.kind.tag}"],
        "description": f"{attack.client} {attack.kind.did}",
    }
    if port:
        report["source_port"] = port
        if attack.kind.tag == "password-guessing":
            report["type"] = "login_attack"
            del report["bot_type"]
    if told:
        report["evidence"] = [
            {
                "content_type": "text/plain",
                "description": "Events of our mail servers, times in UTC",
                "payload": base64.b64encode(told).decode(),
                "size": len(told),
            }
        ]
    return report


def text(attack: Attack, settings: AbuseSettings) -> str:
    """What people read."""
    servers = ", ".join(attack.servers)
    facts = {
        "address": attack.client,
        "first seen": words.stamp(attack.first),
        "last seen": words.stamp(attack.last),
        "counts": attack.evidence,
        "our servers": servers,
        "reference": f"{words.PRODUCT} {attack.alert}",
    }
    rows = "".join(f"{name:<12}{value}\n" for name, value in facts.items() if value)
    lines = "".join(f"  {line}\n" for line in attack.lines)
    quoted = f"\nSome of what our servers logged, times in UTC:\n\n{lines}" if lines else ""
    return (
        f"Dear abuse team,\n\n{attack.client} {attack.kind.did}. Please have a look at it.\n\n"
        f"{rows}{quoted}\nNames of our mailboxes are left out. We can tell more where you ask.\n\n"
        f"{settings.organisation or settings.sender}\n"
    )


def _address(message: Message, attack: Attack, settings: AbuseSettings, contact: str) -> None:
    message["From"] = settings.sender
    if contact:
        message["To"] = contact
    message["Subject"] = f"Abuse report: {attack.client} {attack.kind.did}"
    message["X-Unsent"] = "1"


def _identity(attack: Attack) -> uuid.UUID:
    """A UUID of version 4 by its form, as the schema asks."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"mailwarden:{attack.alert}:{attack.client}")
    return uuid.UUID(bytes=name.bytes, version=4)


def _ascii(value: str) -> str:
    """As the value of a field in a line of its own, whatever a client wrote into it."""
    return "".join(c if " " <= c <= "~" else "?" for c in value)
