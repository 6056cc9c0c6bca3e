"""What a line of smtpd's tells, whatever generation wrote it."""

import re
from typing import Any

from schemas import net
from schemas.events import Auth, Connection, Delivery, Message, Recipient
from streams.parsers import reply
from streams.parsers.part import Items, Part, Record

PATIENCE = 10.0  # seconds that a message waits for its first envelope
LONGEST_REPLY = 300

_REPLY = re.compile(r"(?P<code>[245]\d\d)(?: (?P<enhanced>[245]\.\d{1,3}\.\d{1,3}):?)? ?")
_COMMAND = re.compile(r"(?P<verb>[A-Za-z]{1,12})(?: (?:TO|FROM|to|from):)? ?<?(?P<argument>[^>]*)")

_AUTH = {"ok": ("ok", ""), "permfail": ("failed", "rejected"), "tempfail": ("error", "server")}
_RESULTS = {"Ok": "sent", "TempFail": "deferred", "PermFail": "bounced", "Expired": "expired"}


def part(
    record: Record,
    session: str,
    event: type[Auth | Connection | Recipient] | None = None,
    values: dict[str, Any] | None = None,
    keeps: dict[str, Any] | None = None,
    *,
    ends: bool = False,
) -> Part:
    return Part(
        record.at,
        record.host,
        "session",
        session,
        keeps,
        record.offset,
        event,
        values,
        ends=ends,
    )


def opened(record: Record, session: str, address: str, host: str) -> Items:
    client = net.address(address)
    name = "" if host.startswith("<") else host.partition(" ")[0][:255]
    keeps = {"client": client, "origin": "smtpd" if client else "pickup"}
    if not client:
        return (part(record, session, keeps=keeps),)
    # smtpd asks the resolver, and writes so where there is no name
    reason = "no_reverse_name" if host.startswith("<unknown>") else ""
    values = {"client": client, "name": name, "reason": reason}
    return (part(record, session, Connection, values, keeps),)


def end(record: Record, session: str, reason: str) -> Part:
    values = {"outcome": "closed", "reason": reason[:80]}
    return part(record, session, Connection, values, ends=True)


def login(record: Record, session: str, user: str, result: str) -> Items:
    if result not in _AUTH:
        return ()
    outcome, reason = _AUTH[result]
    account = user.lower()[:320]
    values = {"account": account, "outcome": outcome, "reason": reason, "service": "smtp"}
    keeps = {"account": account} if outcome == "ok" else None
    return (part(record, session, Auth, values, keeps),)


def bad_input(record: Record, session: str, tail: str) -> Items:
    reason = "pipelining" if "Pipelining" in tail else "bad_input"
    return (part(record, session, Connection, {"outcome": "abuse", "reason": reason}),)


def refused(record: Record, session: str, command: str, result: str) -> Items:
    said = _REPLY.match(result)
    code = int(said["code"]) if said else 0
    enhanced = (said["enhanced"] or "") if said else ""
    words = result[said.end() :] if said else result
    found = _COMMAND.match(command)
    verb = found["verb"].upper() if found else ""
    if verb == "AUTH":
        if code == 535 or code // 100 == 4:
            return ()  # `authentication` has told of it
        values = {
            "outcome": "failed",
            "reason": "policy",
            "mechanism": found["argument"].partition(" ")[0].upper()[:40] if found else "",
            "service": "smtp",
        }
        return (part(record, session, Auth, values),)
    verdict, reason = reply.verdict(code, enhanced, words)
    if verb in ("RCPT", "DATA"):
        values = {
            "recipient": found["argument"].strip().lower()[:320] if found else "",
            "verdict": verdict,
            "code": code,
            "enhanced": enhanced,
            "reason": reason,
        }
        return (part(record, session, Recipient, values),)
    if code // 100 == 4:
        return ()
    if verb in ("", "MAIL", "HELO", "EHLO"):
        values = {"outcome": "refused", "reason": reason if verb != "MAIL" else "sender"}
        return (part(record, session, Connection, values),)
    values = {"outcome": "abuse", "reason": "bad_command"}
    return (part(record, session, Connection, values),)


def accepted(
    record: Record, session: str, queue_id: str, fields: dict[str, str], recipients: str
) -> Items:
    size = fields.get("size", "")
    if not queue_id or not size.isdecimal() or not recipients.isdecimal():
        raise ValueError(f"a message that ends early: {record.text[:200]!r}")
    values = {"queue_id": queue_id, "size": int(size), "recipients": int(recipients)}
    keeps: dict[str, Any] = {}
    if "from" in fields:
        keeps = {"sender": fields["from"].lower()[:320], "origin": "smtpd"}
    return (
        Part(
            record.at,
            record.host,
            "queue",
            queue_id,
            keeps,
            record.offset,
            Message,
            values,
            "message",
            "sender",
            PATIENCE,
            session=session,
        ),
    )


def delivery(record: Record, agent: str, evpid: str, result: str, fields: dict[str, str]) -> Items:
    status = _RESULTS.get(result, "")
    if not status or len(evpid) != 16:
        raise ValueError(f"a delivery without result: {record.text[:200]!r}")
    stat = fields.get("stat", "")
    said = _REPLY.match(stat)
    values: dict[str, Any] = {
        "queue_id": evpid[:8],
        "sender": fields.get("from", "").lower()[:320],
        "recipient": fields.get("to", "").lower()[:320],
        "status": status,
        "relay": _host(fields.get("relay", "")) if agent in ("mta", "relay") else "local",
        "enhanced": (said["enhanced"] or "") if said else "",
    }
    keeps: dict[str, Any] = {}
    if status != "sent":
        values["reason"] = reply.failure(values["enhanced"], stat)
        keeps = {
            "failed_recipient": values["recipient"],
            "failed_status": status,
            "failed_enhanced": values["enhanced"],
            "failed_reason": values["reason"],
            "failed_reply": stat[:LONGEST_REPLY],
        }
    return (
        Part(record.at, record.host, "queue", evpid[:8], keeps, record.offset, Delivery, values),
    )


def _host(relay: str) -> str:
    """``192.0.2.1 (mx.example.com)``"""
    address, _, host = relay.partition(" (")
    return host.rstrip(")") or address
