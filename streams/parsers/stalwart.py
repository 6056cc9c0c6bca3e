"""Stalwart 0.10 and later: its text tracer, one event a line.

``2025-03-04T08:01:05Z INFO Authentication failed (auth.failed) listenerId = "imaptls", … ``, from
crates/trc/src/serializers/text.rs; names of events and keys from crates/trc/src/event. What the
session is known by (listener, port, the client's address) stands before what the client said.
Strings are in quotes, which were not escaped before 2026: where such a string could have brought
the address with it, nobody is named. With ``multiline`` keys stand on lines of their own, and
only the event is told; failed logins are logged at the level debug.
"""

import re
from collections.abc import Callable
from typing import Any

from schemas import net
from schemas.events import Auth, Bounce, Connection, Delivery, Message, Recipient, Verdict
from streams.parsers import reply
from streams.parsers.part import Attempt, Format, Item, Items, Mask, Parse, Part, Record, unnamed
from streams.parsers.results import SCORES

ANSI = re.compile(r"\x1b\[[0-9;]{0,8}m")

_EVENT = re.compile(
    r"(?:\d{4}-\d\d-\d\dT[\d:.]{8,15}Z )?(?:ERROR|WARN|INFO|DEBUG|TRACE) [^()]{3,80} "
    r"\((?P<event>[a-z0-9-]{2,30}\.[a-z0-9-]{2,60})\)(?: |$)"
)
_REMOTE = re.compile(r"remote(?:Ip|-ip) = (?P<ip>[0-9A-Fa-f.:]{2,45})(?=,|$)")
# What the server alone writes before the client's address
_SAFE = re.compile(
    r"(?:(?:listenerId|localIp|localPort|listener-id|local-ip|local-port) = "
    r"(?:\"[\w.-]{0,64}\"|[0-9A-Fa-f.:]{1,45})(?:, |$))*"
)
_TEXT = re.compile(r"\"(?P<value>(?:[^\"\\]|\\.)*)\"")
_LIST = re.compile(r"\[(?P<list>\"[^\[\]]{0,8000}\")\]")
_NUMBER = re.compile(r"(?P<value>\d{1,20})(?=,|$)")
_SERVICES = (
    ("submission", "submission"),
    ("smtps", "submission"),
    ("smtp", "smtp"),
    ("imap", "imap"),
    ("pop3", "pop3"),
    ("sieve", "sieve"),
    ("managesieve", "sieve"),
    ("http", "web"),
)

_LOGINS = {
    "auth.success": ("ok", ""),
    "auth.failed": ("failed", "rejected"),
    "auth.error": ("error", "server"),
    "auth.token-expired": ("failed", "expired"),
    "auth.credential-expired": ("failed", "expired"),
    "security.authentication-ban": ("failed", "rejected"),
}
_CONNECTIONS = {
    **{f"{name}.connection-start": ("opened", "") for name in ("smtp", "imap", "pop3")},
    **{f"{name}.connection-end": ("closed", "") for name in ("smtp", "imap", "pop3")},
    "auth.too-many-attempts": ("refused", "rate_limit"),
    "security.abuse-ban": ("abuse", "abuse"),
    "security.brute-force-ban": ("abuse", "abuse"),
    "security.scan-ban": ("abuse", "scan"),
    "security.loiter-ban": ("abuse", "loiter"),
    "security.ip-blocked": ("refused", "denied"),
    "smtp.too-many-invalid-rcpt": ("abuse", "too_many_errors"),
    "smtp.invalid-command": ("abuse", "unknown_command"),
    "smtp.syntax-error": ("abuse", "syntax_error"),
    "smtp.request-too-large": ("abuse", "command_limit"),
    "smtp.too-many-messages": ("refused", "rate_limit"),
    "smtp.rate-limit-exceeded": ("refused", "rate_limit"),
    "smtp.concurrency-limit-exceeded": ("refused", "rate_limit"),
    "smtp.invalid-ehlo": ("abuse", "helo"),
    "smtp.did-not-say-ehlo": ("abuse", "no_helo"),
    "smtp.mail-from-unauthenticated": ("refused", "sender"),
    "smtp.mail-from-unauthorized": ("refused", "sender"),
    "smtp.mail-from-not-allowed": ("refused", "sender"),
    "smtp.auth-not-allowed": ("refused", "mechanism"),
    "smtp.auth-mechanism-not-supported": ("refused", "mechanism"),
}
_RECIPIENTS = {
    "smtp.mailbox-does-not-exist": ("unknown", "user_unknown"),
    "smtp.vrfy": ("accepted", ""),
    "smtp.vrfy-not-found": ("unknown", "user_unknown"),
    "smtp.vrfy-disabled": ("refused", "refused"),
    "smtp.expn": ("accepted", ""),
    "smtp.expn-not-found": ("unknown", "user_unknown"),
    "smtp.expn-disabled": ("refused", "refused"),
    "smtp.relay-not-allowed": ("relay_denied", "relay_denied"),
    "smtp.rcpt-to-greylisted": ("deferred", "greylisted"),
    "smtp.too-many-recipients": ("refused", "too_many_recipients"),
    "smtp.message-too-large": ("refused", "too_big"),
    "smtp.loop-detected": ("refused", "loop"),
}
_VERDICTS = {
    f"smtp.{name}-{word}": (kind, word)
    for name, kind in (("spf-from", "spf"), ("dkim", "dkim"), ("dmarc", "dmarc"))
    for word in ("pass", "fail")
}
_FAILURES = frozenset(
    {
        "delivery.rcpt-to-rejected",
        "delivery.rcpt-to-failed",
        "delivery.message-rejected",
        "delivery.mail-from-rejected",
        "delivery.dsn-perm-fail",
    }
)


def _client(keys: str) -> str:
    """The client's address; "" where a string of the client's may have brought it along."""
    found = list(_REMOTE.finditer(keys))
    if not found:
        return ""
    first = found[0]
    certain = _SAFE.fullmatch(keys, 0, first.start()) is not None
    if certain or len({one["ip"] for one in found}) == 1:
        return net.address(first["ip"])
    return ""


def _at(keys: str, name: str) -> int:
    """Where the value of the first key of that name begins; -1 where there is none."""
    key = f"{name} = "
    at = keys.find(key)
    while at > 0 and keys[at - 1] != " ":
        at = keys.find(key, at + 1)
    return at + len(key) if at >= 0 else -1


def _text(keys: str, name: str) -> str:
    at = _at(keys, name)
    found = _TEXT.match(keys, at) if at >= 0 else None
    return found["value"].replace('\\"', '"') if found else ""


def _number(keys: str, name: str) -> int:
    at = _at(keys, name)
    found = _NUMBER.match(keys, at) if at >= 0 else None
    return int(found["value"]) if found else 0


def _mailbox(text: str) -> str:
    return text.strip("<>")[:320].lower()


def _service(keys: str) -> str:
    listener = _text(keys, "listenerId") or _text(keys, "listener-id")
    return next((name for begin, name in _SERVICES if listener.startswith(begin)), "")


def _session(keys: str, client: str) -> str:
    port = _number(keys, "remotePort")
    return f"stalwart {client} {port}" if port and client else ""


def _login(record: Record, event: str, keys: str) -> Items:
    outcome, reason = _LOGINS[event]
    client, account = _client(keys), _text(keys, "accountName").lower()[:320]
    auth = Auth(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=client,
        account=account,
        outcome=outcome,
        reason=reason,
        service=_service(keys),
    )
    session = _session(keys, client)
    items: list[Item] = [Attempt("smtp", auth, session or f"stalwart {client} {record.offset}")]
    if outcome == "ok" and session:
        keeps = {"client": client, "account": account}
        items.append(Part(record.at, record.host, "session", session, keeps))
    return items


def _connection(record: Record, event: str, keys: str) -> Items:
    outcome, reason = _CONNECTIONS[event]
    return (
        Connection(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=_client(keys),
            outcome=outcome,
            reason=reason,
        ),
    )


def _recipient(record: Record, event: str, keys: str) -> Items:
    verdict, reason = _RECIPIENTS[event]
    command = event[5:9]
    return (
        Recipient(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=_client(keys),
            sender=_mailbox(_text(keys, "from")),
            recipient=_mailbox(_text(keys, "to") or _text(keys, "name")),
            verdict=verdict,
            reason=reason,
            command=command if command in ("vrfy", "expn") else "",
        ),
    )


def _verdict(record: Record, event: str, keys: str) -> Items:
    kind, word = _VERDICTS[event]
    return (
        Verdict(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=_client(keys),
            sender=_mailbox(_text(keys, "from")),
            kind=kind,
            scale=word,
            score=SCORES[word],
        ),
    )


def _queued(record: Record, event: str, keys: str) -> Items:
    queue_id = str(_number(keys, "queueId") or "")
    client = _client(keys)
    at = _at(keys, "to")
    listed = _LIST.match(keys, at) if at >= 0 else None
    recipients = listed["list"].split(", ") if listed else [_text(keys, "to")]
    sender = _mailbox(_text(keys, "from"))
    values: dict[str, Any] = {
        "queue_id": queue_id,
        "sender": sender,
        "recipients": len(recipients),
        "size": _number(keys, "size"),
    }
    keeps = {"client": client, "sender": sender, "origin": "stalwart"}
    items: list[Item] = [
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
            begins=True,
            session=_session(keys, client),
        )
    ]
    if event == "queue.dsn-queued":
        items.append(
            Bounce(
                at=record.at,
                gateway=record.host,
                offset=record.offset,
                direction="made",
                queue_id=queue_id,
                recipient=_mailbox(recipients[0].strip('"')),
            )
        )
    return items


def _delivered(record: Record, event: str, keys: str) -> Items:
    """What became of a message; several events can tell of one failure."""
    code, said = _number(keys, "code"), _text(keys, "details")
    if event == "delivery.delivered":
        status = "sent"
    else:
        status = "deferred" if 400 <= code < 500 else "bounced"
    queue_id = str(_number(keys, "queueId") or "")
    recipient = _mailbox(_text(keys, "to"))
    values: dict[str, Any] = {"queue_id": queue_id, "recipient": recipient, "status": status}
    if event != "delivery.dsn-perm-fail":
        values["relay"] = _text(keys, "hostname")[:255]
    if status != "sent":
        values["reason"] = reply.failure(
            "4.0.0" if status == "deferred" else "", said or _text(keys, "reason")
        )
    if sender := _mailbox(_text(keys, "from")):
        values["sender"] = sender
    once = f"{status} {recipient}" if status == "bounced" else ""
    where = (record.at, record.host, "queue", queue_id)
    return (Part(*where, {}, record.offset, Delivery, values, once),)


def _done(record: Record, event: str, keys: str) -> Items:
    queue_id = str(_number(keys, "queueId") or "")
    return (Part(record.at, record.host, "queue", queue_id, ends=True),) if queue_id else ()


_READERS: dict[str, Callable[[Record, str, str], Items]] = {
    **dict.fromkeys(_LOGINS, _login),
    **dict.fromkeys(_CONNECTIONS, _connection),
    **dict.fromkeys(_RECIPIENTS, _recipient),
    **dict.fromkeys(_VERDICTS, _verdict),
    **dict.fromkeys(
        (
            "queue.message-queued",
            "queue.authenticated-message-queued",
            "queue.dsn-queued",
            "queue.report-queued",
            "queue.autogenerated-message-queued",
        ),
        _queued,
    ),
    **dict.fromkeys(("delivery.delivered", *_FAILURES), _delivered),
    "delivery.completed": _done,
}


def read(record: Record) -> Items | None:
    """What a line says; None where it is no event of Stalwart's."""
    text = record.text
    if "\x1b" in text:
        text = ANSI.sub("", text)
    found = _EVENT.match(text)
    if found is None:
        return None
    event = found["event"]
    reader = _READERS.get(event)
    return reader(record, event, text[found.end() :]) if reader else ()


def _tagged(record: Record) -> Items:
    return read(record) or ()


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return read
    return _tagged if program.startswith("stalwart") else None


FORMAT = Format(
    "stalwart",
    parser,
    begins=unnamed(_EVENT),
    holds=("\x1b",),
)
