"""FortiMail 4 to 8: ``date=D time=T device_id=I log_id=N type=T subtype=S name=value ...``

From Fortinet's log references and notes on logging. Mail events (``type=event subtype=smtp``)
hold sendmail's own words in ``msg``, under the session's id in place of a queue id; the history
(``type=statistics``) sums a session up: what became of a message, and why. Either may be all
that is sent on; where both are, they tell of one message once. What a stranger writes (names,
addresses, subject) stands behind the client.
"""

import re
from typing import Any

from schemas import net
from schemas.events import Auth, Message, Recipient, Verdict
from streams.parsers import fields, sendmail
from streams.parsers.part import Format, Items, Mask, Parse, Part, Record
from streams.parsers.sendmail.relay import is_queue_id, peer

_PAIR = re.compile(
    r"(?P<name>[a-z_]{1,24})=(?P<value>\"[^\"]{0,2000}\"|'[^']{0,2000}'|[^ ,]{0,400})"
)
_BEGIN = re.compile(
    r"(?:date=[\d-]{10}[, ]{1,2})?(?:time=[\d:.]{8,20}[, ]{1,2}|,)?(?=(?:device_id|log_id)=\w)"
)
_KIND = re.compile(r"[ ,]type=(?:k?event|spam|virus|encrypt|statistics)[ ,]")
_MESSAGE = re.compile(r"[ ,]msg=")
_STRANGE = re.compile(r"[ ,](?=from=\")")
_UI = re.compile(r"(?:[A-Za-z]{1,20}\()?(?P<ip>[0-9A-Fa-f.:]{3,45})\)?")
_FROM = re.compile(r"[( ](?P<ip>[0-9A-Fa-f.:]{3,45})\)?\.?$")

_SERVICES = {"imap": "imap", "pop3": "pop3", "smtp": "smtp", "webmail": "web", "admin": "web"}
_SAFE = ("", "not spam", "domain safe", "system safe", "user safe", "safe", "bypass")
_CLASSES = (
    # how a classifier's name begins; verdict, reason
    ("recipient verification", "unknown", "user_unknown"),
    ("access control-relay denied", "relay_denied", "relay_denied"),
    ("relay denied", "relay_denied", "relay_denied"),
    ("access control", "blocked", "policy"),
    ("greylist", "deferred", "greylisted"),
    ("delivery control", "deferred", "overload"),
    ("session limits", "deferred", "overload"),
    ("dnsbl", "blocked", "listed"),
    ("sender reputation", "blocked", "listed"),
    ("endpoint reputation", "blocked", "listed"),
    ("fortiguard antispam-ip", "blocked", "listed"),
    ("domain unreachable", "refused", "sender"),
    ("session domain", "refused", "sender"),
)


def read(record: Record) -> Items | None:
    """A line; None where it is of another program, another Fortinet's included."""
    begin = _BEGIN.match(record.text)
    if begin is None or not _KIND.search(record.text, begin.end(), begin.end() + 200):
        return None
    # What a stranger wrote begins with the sender, or with sendmail's words.
    text, message = _parted(_MESSAGE, record.text)
    text, strange = _parted(_STRANGE, text)
    said = _pairs(text[begin.end() :])
    kind, subtype = said.get("type", ""), said.get("subtype", "")
    message = message.strip().strip('"')
    if said.get("action", "").lower() == "login" and subtype in _SERVICES:
        return _login(record, said, subtype, message)
    if kind == "event" and subtype == "smtp":
        return _sendmail(record, said.get("session_id", ""), message)
    if kind == "statistics" and said.get("session_id"):
        return _statistics(record, said, _pairs(strange))
    return ()


def _parted(pattern: re.Pattern[str], text: str) -> tuple[str, str]:
    """What stands before, and behind."""
    found = pattern.search(text)
    return (text[: found.start()], text[found.end() :]) if found else (text, "")


def _pairs(text: str) -> dict[str, str]:
    """``name=value name="a value"``; the first of a name counts."""
    return {name: value.strip("\"'") for name, value in reversed(_PAIR.findall(text))}


def _sendmail(record: Record, session: str, text: str) -> Items:
    queue_id = session.partition("-")[0]
    text = f"{queue_id}: {text}" if is_queue_id(queue_id) else text
    line = Record(record.at, record.host, "sendmail", queue_id, text, record.offset)
    return sendmail.read(line)


def _login(record: Record, said: dict[str, str], subtype: str, message: str) -> Items:
    """``user=U ui=GUI(A) action=login status=failure msg="User U login failed from GUI(A)"``

    In ``User U from A login failed`` the address may be a part of the name.
    """
    where = _FROM.search(message[-60:])
    if where is None and record.text.count("ui=") == 1:  # the user's name stands before it
        where = _UI.fullmatch(said.get("ui", ""))
    client = net.address(where["ip"]) if where else ""
    good = said.get("status", "").lower() == "success"
    return (
        Auth(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=client,
            account=fields.mailbox(said.get("user", "")),
            outcome="ok" if good else "failed",
            reason="" if good else "rejected",
            service=_SERVICES[subtype],
        ),
    )


def _statistics(record: Record, said: dict[str, str], strange: dict[str, str]) -> Items:
    queue_id = said["session_id"].partition("-")[0]
    client = net.address(said.get("client_ip", "")) or peer(said.get("client_name", ""))[1]
    sender = fields.mailbox(strange.get("from", ""))
    recipient = fields.mailbox(strange.get("to", ""))
    classifier = strange.get("classifier", "").lower()
    disposition = strange.get("disposition", "").lower()
    keeps = {"client": client, "sender": sender, "origin": "smtpd"}
    values: dict[str, Any] = {"queue_id": queue_id, "sender": sender}
    if disposition.startswith(("reject", "delay", "defer")):
        verdict, reason = _refusal(classifier)
        values |= {"recipient": recipient, "verdict": verdict, "reason": reason}
        return (_part(record, queue_id, keeps, Recipient, values, refuses=True),)
    infected = strange.get("virus", "") or classifier.startswith("virus")
    safe = classifier in _SAFE
    kind = "virus" if infected else "ham" if safe else "spam"
    verdict_values = {"queue_id": queue_id, "kind": kind}
    values |= {
        "message_id": fields.message_id(strange.get("message_id", "")),
        "recipients": recipient.count(",") + 1 if recipient else 0,
        "size": fields.number(strange.get("message_length", "")),
    }
    return (
        _part(record, queue_id, keeps, Message, values, once="message"),
        _part(record, queue_id, None, Verdict, verdict_values),
    )


def _refusal(classifier: str) -> tuple[str, str]:
    for begin, verdict, reason in _CLASSES:
        if classifier.startswith(begin):
            return verdict, reason
    return "blocked", "content"


def _part(
    record: Record,
    queue_id: str,
    keeps: dict[str, Any] | None,
    kind: Any,
    values: dict[str, Any],
    **more: Any,
) -> Part:
    return Part(
        record.at, record.host, "queue", queue_id, keeps, record.offset, kind, values, **more
    )


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return read if program.lower() in ("", "fortimail") else None


FORMAT = Format(
    "fortimail",
    parser,
    begins=_BEGIN.pattern,
)
