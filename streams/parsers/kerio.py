"""Kerio Connect (Kerio MailServer) 6 to 10: its mail, security and warning logs.

Wordings from the administrator's guide ("Logs"): ``Recv: Queue-ID: ID, Service: SMTP, From: <S>,
To: <R>, Size: N[, User: U], Sender-Host: ADDRESS``, ``Sent: Queue-ID: ID, Recipient: <R>, Result:
delivered, Status: 2.0.0``, and the security log's sentences. Each log is a file of its own with
``[30/Nov/2005 17:57:14]`` before a line, or comes through syslog.

One refused login may be told twice: why and for whom in the warning log, from where and how in
the security log.
"""

import re
from typing import Any

from schemas import net
from schemas.events import Auth, Bounce, Connection, Delivery, Message, Recipient, Verdict
from streams.parsers import reply
from streams.parsers.event import event, name
from streams.parsers.part import Attempt, Format, Items, Mask, Parse, Part, Record, any_of

TAGS = frozenset({"kerio", "kerio-connect", "kerio-mailserver", "mailserver", "kerio_connect"})
_SERVICES = {
    "SMTP": "smtp",
    "IMAP": "imap",
    "POP3": "pop3",
    "HTTP": "web",
    "WebMail": "web",
    "WebAdmin": "web",
    "Web Administration": "web",
    "CalDAV": "web",
    "CardDAV": "web",
    "ActiveSync": "web",
    "EWS": "web",
}

_IP = r"(?P<ip>[0-9A-Fa-f.:]{1,44}[0-9A-Fa-f])"
_FIELD = re.compile(r"(?:^|, ?)(?P<key>[A-Z][A-Za-z-]{1,20}): ")
_FAILED = re.compile(
    rf"Failed (?P<service>[\w ]{{2,24}}) login from \[?{_IP}\]?"
    r"(?:(?: with SASL method (?P<mechanism>[\w-]{1,20}))?(?:,? user (?P<user>.{1,320}?))?"
    r"[.,]?(?: .*)?)?",
    re.DOTALL,
)
_ATTEMPT = re.compile(
    r"(?:(?P<service>[\w/ -]{2,24}): )?(?P<what>User (?P<unknown>.+) doesn.t exist|"
    r"Invalid password for user (?P<wrong>.+)|"
    r"Account (?P<locked>.+) (?:is|has been) (?:locked|disabled).{0,80}|"
    r"User (?P<off>.+) (?:is|account is) disabled)"
    rf"\. Attempt from IP address {_IP}\.?",
    re.DOTALL,
)
_ADMIN = re.compile(
    rf"Administration login into [\w ]{{2,40}} from {_IP} failed: (?P<why>.{{0,200}})", re.DOTALL
)
_RELAY = re.compile(
    rf"Relay attempt from IP address {_IP}"
    r"(?:, mail from <(?P<sender>[^>]*)> to <(?P<recipient>[^>]*)> rejected)?.*",
    re.DOTALL,
)
_LISTED = re.compile(
    rf"IP address {_IP} found in DNS blacklist [^,]{{1,255}}, mail from <(?P<sender>[^>]*)> "
    r"to <(?P<recipient>[^>]*)>(?P<rejected> rejected)?.*",
    re.DOTALL,
)
_SENDER = re.compile(
    rf"Message from IP address {_IP}, sender <(?P<sender>[^>]*)> rejected: .*", re.DOTALL
)
_CLIENT = re.compile(
    rf"(?:Client with IP address|SMTP Spam attack detected from|Connection attempt from IP address|"
    rf"IP address|Directory harvest attack from) {_IP}(?P<said>[ ,:].*)",
    re.DOTALL,
)
_FILTERED = re.compile(
    r"(?:Message|Found virus in mail) from <(?P<sender>[^>]*)> to <(?P<recipient>.*)>"
    r"(?: rejected by spam filter: score (?P<score>\d{1,4}(?:\.\d{1,3})?), .*|: .*)",
    re.DOTALL,
)
_DELIVERED = {"delivered": "sent", "relayed": "sent", "expanded": "sent", "delayed": "deferred"}
_NOBODY = "Attempt to deliver to unknown recipient <"
_STARTS = (
    _NOBODY,
    "Relay attempt from IP address ",
    "Message from IP address ",
    "SMTP Spam attack detected from ",
    "Client with IP address ",
    "Connection attempt from IP address ",
    "Directory harvest attack from ",
    "IP address ",
    "Message from <",
    "Found virus in mail from <",
    "Failed ",
    "Administration login into ",
    "Recv: ",
    "Sent: ",
)


def _read(record: Record) -> Items | None:
    text = record.text
    if not text.startswith(_STARTS):
        return _attempt(record) if "Attempt from IP address " in text else None
    if text.startswith("Recv: "):
        return _received(record, text[6:])
    if text.startswith("Sent: "):
        return _sent(record, text[6:])
    if text.startswith("Failed "):
        return _failed(record)
    if text.startswith("Administration "):
        return _administration(record)
    if text.startswith(_NOBODY):
        return _nobody(record)
    if text.startswith(("Message from <", "Found virus")):
        return _filtered(record)
    return _refused(record)


def _failed(record: Record) -> Items | None:
    found = _FAILED.fullmatch(record.text)
    if found is None:
        return None
    auth = event(
        Auth,
        record,
        client=net.address(found["ip"]),
        account=name((found["user"] or "").rstrip(".")),
        outcome="failed",
        reason="rejected",
        mechanism=(found["mechanism"] or "").upper(),
        service=_SERVICES.get(found["service"], ""),
    )
    return (Attempt("smtp", auth, f"kerio {auth.client}"),)


def _administration(record: Record) -> Items | None:
    found = _ADMIN.fullmatch(record.text)
    if found is None:
        return None
    return (
        event(
            Auth,
            record,
            client=net.address(found["ip"]),
            outcome="failed",
            reason="policy" if "not allowed" in found["why"] else "rejected",
            service="web",
        ),
    )


def _attempt(record: Record) -> Items | None:
    found = _ATTEMPT.fullmatch(record.text)
    if found is None:
        return None
    reason = "bad_password" if found["wrong"] else "disabled"
    if found["unknown"]:
        reason = "unknown_account"
    account = found["unknown"] or found["wrong"] or found["locked"] or found["off"]
    auth = event(
        Auth,
        record,
        client=net.address(found["ip"]),
        account=name(account),
        outcome="failed",
        reason=reason,
        service=_SERVICES.get((found["service"] or "").partition("/")[0], ""),
    )
    return (Attempt("detail", auth),)


def _nobody(record: Record) -> Items:
    """``<RECIPIENT>, from <SENDER>, IP address ADDRESS``: only the end is the server's."""
    who, found, ip = record.text[len(_NOBODY) :].rpartition(">, IP address ")
    recipient, _, sender = who.partition(">, from <")
    if not found:
        return ()
    return (
        event(
            Recipient,
            record,
            client=net.address(ip.rstrip(".")),
            sender=name(sender),
            recipient=name(recipient),
            verdict="unknown",
            code=550,
            reason="user_unknown",
        ),
    )


def _refused(record: Record) -> Items:
    text = record.text
    for pattern, verdict, code, reason in (
        (_RELAY, "relay_denied", 550, "relay_denied"),
        (_LISTED, "blocked", 550, "listed"),
    ):
        found = pattern.fullmatch(text)
        if found is not None:
            if found["recipient"] is None:
                break
            return (
                event(
                    Recipient,
                    record,
                    client=net.address(found["ip"]),
                    sender=name(found["sender"]),
                    recipient=name(found["recipient"]),
                    verdict=verdict,
                    code=code,
                    reason=reason,
                ),
            )
    else:
        found = _SENDER.fullmatch(text)
        reason = "sender"
    if found is None:
        found = _CLIENT.fullmatch(text)
        if found is None:
            return ()
        said = found["said"]
        if text.startswith(("SMTP Spam attack", "Directory harvest")):
            early = "before SMTP greeting" in said
            reason = "early_talker" if early else "spam_attack"
            client = net.address(found["ip"])
            return (event(Connection, record, client=client, outcome="abuse", reason=reason),)
        if "reject" not in said and "blacklist" not in said and "den" not in said:
            return ()
        reason = "no_reverse_name" if "reverse DNS" in said else reply.verdict(550, "", said)[1]
    client = net.address(found["ip"])
    return (event(Connection, record, client=client, outcome="refused", reason=reason),)


def _filtered(record: Record) -> Items:
    found = _FILTERED.fullmatch(record.text)
    if found is None:
        return ()
    virus = record.text.startswith("Found virus")
    return (
        event(
            Verdict,
            record,
            sender=name(found["sender"]),
            kind="virus" if virus else "spam",
            score=float(found["score"] or 0),
            scale="" if virus else "SpamAssassin",
        ),
    )


def _fields(text: str) -> dict[str, str]:
    """The fields of a line of the mail log, each the first time that it stands there, until the
    subject, which may say anything."""
    fields: dict[str, str] = {}
    places = list(_FIELD.finditer(text))
    for place, following in zip(places, [*places[1:], None], strict=False):
        end = following.start() if following else len(text)
        fields.setdefault(place["key"], text[place.end() : end].strip())
        if place["key"] == "Subject":
            break
    return fields


def _received(record: Record, text: str) -> Items:
    fields = _fields(text)
    queue_id = fields.get("Queue-ID", "")
    if not queue_id:
        return ()
    sender, to = name(fields.get("From", "")), fields.get("To", "")
    size, message_id = fields.get("Size", ""), text.rpartition(", Msg-Id: ")[2]
    values: dict[str, Any] = {
        "queue_id": queue_id,
        "sender": sender,
        "recipients": to.count("<") or bool(to),
        "size": int(size) if size.isdecimal() and len(size) < 19 else 0,
        "client": net.address(fields.get("Sender-Host", "")),
        "account": name(fields.get("User", "")),
    }
    keeps = {"sender": sender, "client": values["client"], "account": values["account"]}
    if ", Msg-Id: " in text:
        keeps["message_id"] = message_id.strip(" <>")[:255]
    items: list[Part] = [
        Part(
            record.at,
            record.host,
            "queue",
            queue_id,
            keeps,
            record.offset,
            Message,
            values,
            once="message",
        )
    ]
    if fields.get("Service") == "DSN":
        made = {
            "direction": "made",
            "queue_id": queue_id,
            "recipient": name(to),
            "status": "deferred" if fields.get("Report") == "delayed" else "bounced",
        }
        items.append(
            Part(record.at, record.host, "queue", queue_id, {}, record.offset, Bounce, made)
        )
    return items


def _sent(record: Record, text: str) -> Items:
    fields = _fields(text)
    queue_id = fields.get("Queue-ID", "")
    if not queue_id:
        return ()
    enhanced, _, said = fields.get("Status", "").partition(" ")
    status = _DELIVERED.get(fields.get("Result", ""), "bounced")
    values: dict[str, Any] = {
        "queue_id": queue_id,
        "recipient": name(fields.get("Recipient", "")),
        "status": status,
        "enhanced": enhanced if enhanced.count(".") == 2 else "",
        "relay": fields.get("Remote-Host", "")[:255],
    }
    if status != "sent":
        values["reason"] = reply.failure(values["enhanced"], said)
    return (Part(record.at, record.host, "queue", queue_id, {}, record.offset, Delivery, values),)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return _read if program in TAGS or not program else None


FORMAT = Format(
    "kerio",
    parser,
    begins=any_of(*_STARTS),
    holds=("Attempt from IP address ",),
)
