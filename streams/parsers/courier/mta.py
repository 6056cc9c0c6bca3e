"""courieresmtpd, courierd and its delivery modules: clients, messages, deliveries.

Wordings from courier/courieresmtpd.c (``error,relay=ADDRESS[,port=N][,ident="..."],msg="535
...",cmd: ...``), submit.C (``error,relay=ADDRESS,from=<...>,to=<...>: 550 ...``),
courierd.C (``newmsg,id=ID[, auth=USER]: dns; HELO (NAME [ADDRESS])``) and the modules
(``id=ID,from=<...>,addr=<...>,status: deferred``). A delivery's reason stands in the line before
the one that says how it ended; how many recipients a message has is not told.
"""

import re
from typing import Any

from schemas import net
from schemas.events import Auth, Connection, Delivery, Message, Recipient
from streams.parsers import reply, sasl
from streams.parsers.courier import login
from streams.parsers.event import event, name
from streams.parsers.part import Items, Mask, Parse, Part, Record

_ERROR = re.compile(
    r"error,relay=(?P<ip>[0-9A-Fa-f.:]{2,45}),(?:port=\d{1,5},)?(?:ident=(?P<ident>[^,]{0,255}),)?"
    r'(?:msg="(?P<said>[^"]*)",cmd: ?(?P<command>.*)|'
    r"from=<(?P<sender>[^>]*)>(?:,to=<(?P<recipient>[^>]*)>)?: (?P<reply>.*))",
    re.DOTALL,
)
_STARTED = re.compile(r"started,ip=\[(?P<ip>[0-9A-Fa-f.:]{2,45})\].*")
_REPLY = re.compile(
    r"(?P<code>[2345]\d\d)[ -](?:(?P<enhanced>[245]\.\d{1,3}\.\d{1,3}) )?(?P<text>.*)"
)
_NEW = re.compile(
    r"newmsg,id=(?P<id>[\w.]{1,80})(?:, ?auth=(?P<account>[^:]{1,320}))?"
    r"(?:: .*\[(?P<ip>[0-9A-Fa-f.:]{2,45})\]\))?(?:: .*)?",
    re.DOTALL,
)
_BEGUN = re.compile(r"started,id=(?P<id>[\w.]{1,80}),from=<(?P<sender>[^>]*)>,module=\w{1,20},")
_DELIVERY = re.compile(
    r"id=(?P<id>[\w.]{1,80}),from=<(?P<sender>[^>]*)>,addr=<(?P<recipient>[^>]*)>"
    r"(?:,size=(?P<size>\d{1,18}))?(?P<end>,success: |,status: |: )(?P<said>.*)",
    re.DOTALL,
)
_STATUS = {"deferred": "deferred", "failure": "bounced", "failed": "bounced"}
_ID = "completed,id="


def esmtpd(mask: Mask, service: str) -> Parse:
    """The parser of the SMTP server's lines."""

    def parse(record: Record) -> Items | None:
        text = record.text
        if text.startswith("started,ip=["):
            begun = _STARTED.fullmatch(text)
            client = net.address(begun["ip"]) if begun else ""
            return (event(Connection, record, client=client, outcome="opened"),)
        if text.startswith(("Maximum connection", "ALERT: Maximum")):
            return login.limited(record)
        if not text.startswith("error,relay="):
            return None if text.startswith("pam_") else ()
        found = _ERROR.fullmatch(text)
        if found is None:
            return ()
        client = net.address(found["ip"])
        if found["said"] is None:
            return _refused(record, client, found)
        return _said(record, mask, service, client, found["said"], found["command"])

    return parse


def _said(record: Record, mask: Mask, service: str, client: str, said: str, command: str) -> Items:
    """What the server answered to a command."""
    code = said[:3]
    if code == "535" or "authentication" in said.lower():
        mechanism, account, secret = sasl.credentials(command)
        fault = code.startswith("4")
        return (
            event(
                Auth,
                record,
                client=client,
                account=name(account),
                outcome="error" if fault else "failed",
                reason="server" if fault else "rejected",
                mechanism=mechanism,
                service=service,
                password=mask(secret) if secret else "",
            ),
        )
    if not code.isdecimal():  # a socket's error
        return (event(Connection, record, client=client, outcome="closed", reason=said[:80]),)
    if code == "502":
        outcome, reason = "abuse", "unknown_command"
    elif code.startswith("5"):
        outcome, reason = "refused", reply.verdict(int(code), "", said[4:])[1]
    else:
        return ()
    return (event(Connection, record, client=client, outcome=outcome, reason=reason),)


def _refused(record: Record, client: str, found: "re.Match[str]") -> Items:
    answer = _REPLY.match(found["reply"])
    if answer is None:
        return ()
    code, enhanced = int(answer["code"]), answer["enhanced"] or ""
    verdict, reason = reply.verdict(code, enhanced, answer["text"])
    sender = name(found["sender"])
    if found["recipient"] is None:
        if verdict == "deferred":
            return ()
        if verdict == "refused":
            reason = "sender"
        return (event(Connection, record, client=client, outcome="refused", reason=reason),)
    return (
        event(
            Recipient,
            record,
            client=client,
            sender=sender,
            recipient=name(found["recipient"]),
            verdict=verdict,
            code=code,
            enhanced=enhanced,
            reason=reason,
        ),
    )


def queue(record: Record) -> Items | None:
    """What the queue's programs say."""
    text = record.text
    if text.startswith("id="):
        return _delivery(record)
    if text.startswith("started,id="):
        return _message(record)
    if text.startswith("newmsg,id="):
        found = _NEW.fullmatch(text)
        if found is None:
            return ()
        keeps = {
            "client": net.address(found["ip"] or ""),
            "account": name(found["account"] or ""),
        }
        return (Part(record.at, record.host, "courier", found["id"], keeps, begins=True),)
    if text.startswith(_ID):
        return (Part(record.at, record.host, "courier", text[len(_ID) :], ends=True),)
    return ()


def _message(record: Record) -> Items:
    """The first delivery that is begun: the message is in the queue."""
    found = _BEGUN.match(record.text)
    if found is None:
        return ()
    sender = name(found["sender"])
    return (
        Part(
            record.at,
            record.host,
            "courier",
            found["id"],
            {"sender": sender},
            record.offset,
            Message,
            {"queue_id": found["id"], "sender": sender},
            once="message",
        ),
    )


def _delivery(record: Record) -> Items:
    found = _DELIVERY.fullmatch(record.text)
    if found is None:
        return ()
    recipient, said = name(found["recipient"]), found["said"]
    key = f"{found['id']} {recipient}"
    if found["end"] == ": ":
        keeps = _reason(said)
        if not keeps:
            return ()
        return (Part(record.at, record.host, "courier", key, keeps, within=found["id"]),)
    values: dict[str, Any] = {
        "queue_id": found["id"],
        "sender": name(found["sender"]),
        "recipient": recipient,
    }
    if found["end"] == ",success: ":
        values |= {"status": "sent", "enhanced": "", "reason": "", "relay": _relay(said)}
    elif said in _STATUS:
        values["status"] = _STATUS[said]
    else:
        return ()  # "status: success" follows "success: "
    return (
        Part(
            record.at,
            record.host,
            "courier",
            key,
            {},
            record.offset,
            Delivery,
            values,
            within=found["id"],
            ends=True,
        ),
    )


def _reason(said: str) -> dict[str, Any]:
    """What a line tells of why the delivery will fail; nothing where it will not."""
    answer = _REPLY.match(said)
    if answer is None:
        return {"enhanced": "", "reason": reply.failure("", said)}
    if answer["code"].startswith("2"):
        return {}
    enhanced = answer["enhanced"] or ""
    kind = enhanced or f"{answer['code'][0]}.0.0"
    return {"enhanced": enhanced, "reason": reply.failure(kind, answer["text"])}


def _relay(said: str) -> str:
    """The host in ``delivered: HOST [ADDRESS]``; local mail has none."""
    what, found, where = said.partition(": ")
    return where.partition(" ")[0][:255] if found and what == "delivered" else ""
