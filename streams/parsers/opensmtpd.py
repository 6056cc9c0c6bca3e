"""OpenSMTPD 5.0 to 7.7, smtpd(8).

Wordings from usr.sbin/smtpd: smtp_session.c, mta.c, mda.c, of three generations: prose up to 5.9
(``smtp-in: New session``), ``event=`` in 6.0 to 6.3, and since 6.4 ``<session> smtp connected``.
Only the first line of a session names the client. An envelope's id begins with its message's.
Names of users and commands are written with strnvis(3). Which domain of senders and recipients
was refused, and why, only the reply tells; that of a successful RCPT is not logged.
"""

import re
from collections.abc import Callable
from typing import Any

from schemas import net
from schemas.events import Auth, Connection, Delivery, Message, Recipient
from streams.parsers import reply
from streams.parsers.part import Format, Items, Mask, Parse, Part, Record

PATIENCE = 10.0  # seconds that a message waits for its first envelope
LONGEST_REPLY = 300

_FIELD = re.compile(
    r"(?P<name>[a-z-]{1,20})=(?P<value>\"(?:[^\"\\]|\\.)*\"|<[^>]{0,400}>|\S*)(?: |$)"
)
_REPLY = re.compile(r"(?P<code>[245]\d\d)(?: (?P<enhanced>[245]\.\d{1,3}\.\d{1,3}):?)? ?")
_COMMAND = re.compile(r"(?P<verb>[A-Za-z]{1,12})(?: (?:TO|FROM|to|from):)? ?<?(?P<argument>[^>]*)")
_SESSION = re.compile(
    r"(?P<what>[A-Za-z ]{3,40}?) session (?P<id>[0-9a-f]{16})(?P<rest>.*)", re.DOTALL
)
_FAILED = re.compile(r'"(?P<command>.*)" => (?P<result>.*)', re.DOTALL)
_OLD_DELIVERY = re.compile(
    r"(?P<agent>delivery|relay): (?P<result>\w{2,12}) for (?P<evpid>[0-9a-f]{16}): (?P<rest>.*)",
    re.DOTALL,
)
_OLD_HOST = re.compile(r" from host (?P<name>\S*) \[(?P<ip>[^\]\s]{1,60})\]")
_OLD_AUTH = re.compile(
    r"(?P<what>Accepted authentication|Authentication failed|Authentication temporarily failed)"
    r" for user (?P<user>\S*) on session (?P<session>[0-9a-f]{16})"
)
_OLD_RESULTS = {
    "Accepted authentication": "ok",
    "Authentication failed": "permfail",
    "Authentication temporarily failed": "tempfail",
}

_HEX = frozenset("0123456789abcdef")
_AUTH = {"ok": ("ok", ""), "permfail": ("failed", "rejected"), "tempfail": ("error", "server")}
_RESULTS = {"Ok": "sent", "TempFail": "deferred", "PermFail": "bounced", "Expired": "expired"}


def _fields(text: str) -> dict[str, str]:
    """``name=value`` one after the other, up to what is none. The first of a name counts: what
    strangers write stands behind."""
    found: dict[str, str] = {}
    at = 0
    while (field := _FIELD.match(text, at)) is not None:
        found.setdefault(field["name"], field["value"].strip('"<>'))
        at = field.end()
    return found


def read(record: Record) -> Items | None:
    """A line of smtpd's; None where it is another program's."""
    text = record.text
    if text[16:17] == " " and _HEX.issuperset(text[:16]):
        component, _, rest = text[17:].partition(" ")
        if component == "smtp":
            return _smtp(record, text[:16], rest)
        if component in ("mta", "mda"):
            return _agent(record, component, rest)
        return None
    if text.startswith("smtp-in: "):
        return _prose(record, text[9:])
    old = _OLD_DELIVERY.match(text) if text.startswith(("delivery: ", "relay: ")) else None
    if old:
        fields = _old_fields(old["rest"])
        return _delivery(record, old["agent"], old["evpid"], old["result"], fields)
    return None


# -- sessions -----------------------------------------------------------------------------------


def _session(
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


def _smtp(record: Record, session: str, rest: str) -> Items:
    word, _, tail = rest.partition(" ")
    read = _SMTP.get(word.removeprefix("event="))
    return read(record, session, tail) if read is not None else ()


def _connected(record: Record, session: str, tail: str) -> Items:
    address, _, host = tail.removeprefix("address=").partition(" host=")
    return _opened(record, session, address, host)


def _opened(record: Record, session: str, address: str, host: str) -> Items:
    client = net.address(address)
    name = "" if host.startswith("<") else host.partition(" ")[0][:255]
    keeps = {"client": client, "origin": "smtpd" if client else "pickup"}
    if not client:
        return (_session(record, session, keeps=keeps),)
    values = {"client": client, "name": name}
    return (_session(record, session, Connection, values, keeps),)


def _closed(record: Record, session: str, tail: str) -> Items:
    reason = _fields(tail).get("reason", "")
    return (_end(record, session, "" if reason == "quit" else reason),)


def _end(record: Record, session: str, reason: str) -> Part:
    values = {"outcome": "closed", "reason": reason[:80]}
    return _session(record, session, Connection, values, ends=True)


def _authentication(record: Record, session: str, tail: str) -> Items:
    fields = _fields(tail)
    return _login(record, session, fields.get("user", ""), fields.get("result", ""))


def _login(record: Record, session: str, user: str, result: str) -> Items:
    if result not in _AUTH:
        return ()
    outcome, reason = _AUTH[result]
    account = user.lower()[:320]
    values = {"account": account, "outcome": outcome, "reason": reason, "service": "smtp"}
    keeps = {"account": account} if outcome == "ok" else None
    return (_session(record, session, Auth, values, keeps),)


def _command(record: Record, session: str, tail: str) -> Items:
    """``command="C" result="R"``; in 6.0 to 6.3 behind the client's address and name"""
    command, _, result = tail.partition('command="')[2].rpartition('" result="')
    return _refused(record, session, command, result.removesuffix('"'))


def _bad_input(record: Record, session: str, tail: str) -> Items:
    reason = "pipelining" if "Pipelining" in tail else "bad_input"
    return (_session(record, session, Connection, {"outcome": "abuse", "reason": reason}),)


def _refused(record: Record, session: str, command: str, result: str) -> Items:
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
        return (_session(record, session, Auth, values),)
    verdict, reason = reply.verdict(code, enhanced, words)
    if verb in ("RCPT", "DATA"):
        values = {
            "recipient": found["argument"].strip().lower()[:320] if found else "",
            "verdict": verdict,
            "code": code,
            "enhanced": enhanced,
            "reason": reason,
        }
        return (_session(record, session, Recipient, values),)
    if code // 100 == 4:
        return ()
    if verb in ("", "MAIL", "HELO", "EHLO"):
        values = {"outcome": "refused", "reason": reason if verb != "MAIL" else "sender"}
        return (_session(record, session, Connection, values),)
    values = {"outcome": "abuse", "reason": "bad_command"}
    return (_session(record, session, Connection, values),)


# -- messages -----------------------------------------------------------------------------------


def _message(record: Record, session: str, tail: str) -> Items:
    fields = _fields(tail)
    queue_id = fields.get("msgid", "")
    recipients = fields.get("nrcpt", "") or fields.get("ndest", "")
    return _accepted(record, session, queue_id, fields, recipients)


def _accepted(
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


def _envelope(record: Record, session: str, tail: str) -> Items:
    fields = _fields(tail)
    keeps = {"sender": fields.get("from", "").lower()[:320], "origin": "smtpd"}
    queue_id = fields.get("evpid", "")[:8]
    return (Part(record.at, record.host, "queue", queue_id, keeps, session=session),)


def _agent(record: Record, agent: str, rest: str) -> Items:
    """``evpid=E from=<s> to=<r> rcpt=<r> source="A" relay="A (H)" delay=T result="R" stat="S"``"""
    word, _, tail = rest.partition(" ")
    if word.removeprefix("event=") != "delivery":
        return ()
    evpid, _, more = tail.removeprefix("evpid=").partition(" from=<")
    sender, _, more = more.partition("> to=<")
    recipient, _, more = more.partition("> ")
    more, _, stat = more.partition(" stat=")
    more, _, result = more.partition(" result=")
    relay = more.partition(' relay="')[2].partition('"')[0]
    fields = {"from": sender, "to": recipient, "relay": relay, "stat": stat.strip('"')}
    return _delivery(record, agent, evpid, result.strip('"'), fields)


def _delivery(record: Record, agent: str, evpid: str, result: str, fields: dict[str, str]) -> Items:
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


# -- up to 5.9 ----------------------------------------------------------------------------------


def _prose(record: Record, text: str) -> Items:
    found = _SESSION.match(text)
    if text.startswith("Accepted message "):
        queue_id, _, more = text[17:].partition(" on session ")
        session, _, more = more.partition(": ")
        fields = _old_fields(more)
        return _accepted(record, session, queue_id, fields, fields["count"])
    user = _OLD_AUTH.fullmatch(text)
    if user:
        return _login(record, user["session"], user["user"], _OLD_RESULTS[user["what"]])
    if found is None:
        return ()
    session, rest = found["id"], found["rest"]
    if found["what"] == "New":
        host = _OLD_HOST.fullmatch(rest)
        return _opened(record, session, host["ip"], host["name"]) if host else ()
    if found["what"] in ("Closing", "Received disconnect from", "Disconnecting"):
        return (_end(record, session, rest.removeprefix(": ")),)
    if found["what"] == "Failed command on":
        failed = _FAILED.match(rest.removeprefix(": "))
        return _refused(record, session, failed["command"], failed["result"]) if failed else ()
    if found["what"] == "Bad input on":
        return _bad_input(record, session, rest)
    return ()


def _old_fields(text: str) -> dict[str, str]:
    """``from=<s>, to=<r>, size=n, ndest=n, proto=P``, ``from=<s>, to=<r>, ..., stat=words``"""
    sender, _, more = text.partition("from=<")[2].partition(">")
    recipient = more.partition(" to=<")[2].partition(">")[0]
    relay = more.partition(" relay=")[2].partition(",")[0]
    size, _, count = more.rpartition(", size=")[2].partition(", n")
    return {
        "from": sender,
        "to": recipient,
        "relay": relay,
        "size": size,
        "count": count.partition("=")[2].partition(",")[0],
        "stat": more.partition(", stat=")[2],
    }


_SMTP: dict[str, Callable[[Record, str, str], Items]] = {
    "connected": _connected,
    "disconnected": _closed,
    "closed": _closed,
    "authentication": _authentication,
    "failed-command": _command,
    "bad-input": _bad_input,
    "message": _message,
    "envelope": _envelope,
}


def _by_text(record: Record) -> Items | None:
    try:
        return read(record)
    except ValueError:
        return None


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _by_text
    if program in ("smtpd", "opensmtpd"):
        return read
    if program == "smtp-in":  # prose without a tag
        return lambda record: _prose(record, record.text)
    return None


FORMAT = Format("opensmtpd", parser)
