"""smtpd(8): clients that come and go, log in, and are refused.

Wordings from Postfix's src/smtpd/smtpd.c, smtpd_check.c, smtpd_sasl_glue.c and smtpd_peer.c.
"""

import re
from typing import Any

from schemas.events import Auth, Connection, Recipient
from streams.parsers import reply
from streams.parsers.part import Attempt, Item, Items, Parse, Part, Record
from streams.parsers.postfix import reject
from streams.parsers.postfix.peer import is_queue_id, peer

_LOST = re.compile(
    r"(?:\w+: )?(?P<what>lost connection|timeout|too many errors) after (?P<command>\S+)"
    r"(?: \((?:approximately )?\d+ bytes\))? from (?P<peer>\S+)"
)
_CLIENT = re.compile(
    r"(?P<peer>[^\s,]+)(?:, sasl_sender=.*?)?(?:, orig_queue_id=(?P<earlier>\w+))?"
    r"(?:, orig_client=(?P<origin>\S+))?"
)
_AUTH = re.compile(r"(?:^| )auth=(?P<good>\d{1,9})(?:/(?P<all>\d{1,9}))?(?: |$)")
_ABUSE = re.compile(
    r"(?P<what>improper command pipelining|bare <LF> received) after \S+ "
    r"from (?P<peer>[^\s:\[]*\[[^\]\s]*\](?::\d+)?)(?:: |$)"
)
_NON_SMTP = re.compile(r"non-E?SMTP command from (?P<peer>[^\s\[]*\[[^\]\s]*\](?::\d+)?): ")
_LIMIT = re.compile(
    r"(?P<what>[A-Z][A-Za-z ]{1,40}) limit exceeded: \d+ from (?P<peer>\S+) for service \S+"
)

# The server's fault, or a mechanism that it does not offer: nobody's password was wrong.
_SERVER_FAULTS = (
    "connection lost to authentication server",
    "temporary authentication failure",
    "invalid authentication mechanism",
    "no mechanism available",
    "generic failure",
    "internal authentication error",
    "authentication server is not available",
)

_RECIPIENT_COMMANDS = frozenset({"RCPT", "VRFY", "DATA", "BDAT", "END-OF-MESSAGE"})


def parser(service: str) -> Parse:
    """The parser of the smtpd that serves `service`: smtp or submission."""

    def read(record: Record) -> Items:
        text = record.text
        if text.startswith("connect from "):
            name, client = peer(text[13:])
            return (
                Connection(
                    at=record.at,
                    gateway=record.host,
                    offset=record.offset,
                    client=client,
                    name=name,
                ),
            )
        if text.startswith("disconnect from "):
            return _disconnect(record, service)
        first, _, rest = text.partition(": ")
        if rest.startswith("client="):
            return _client(record, service, first, rest[7:])
        if rest.startswith(("reject: ", "milter-reject: ")):
            message = first if first != "NOQUEUE" and is_queue_id(first) else ""
            return _reject(record, service, message, rest.partition(": ")[2])
        if first == "warning":
            return _warning(record, service, rest)
        if " after " in first or " after " in rest[:40]:
            return _trouble(record)
        return ()

    return read


def _session(record: Record, client: str) -> str:
    """A process serves one client after the other, each under its own memory."""
    return f"{record.pid} {client}"


def _disconnect(record: Record, service: str) -> Items:
    who, _, counts = record.text[16:].partition(" ")
    name, client = peer(who)
    session = _session(record, client)
    left = Connection(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=client,
        name=name,
        outcome="closed",
    )
    closed = Part(
        record.at, record.host, "session", session, None, -1, left, once="closed", ends=True
    )
    found = _AUTH.search(counts) if "auth=" in counts else None
    if found is None:
        return (closed,)
    good, tried = int(found["good"]), int(found["all"] or found["good"])
    tally = _auth(record, service, client, "failed", "rejected")
    return (Attempt("tally", tally, session, tried, good), closed)


def _auth(
    record: Record,
    service: str,
    client: str,
    outcome: str,
    reason: str,
    account: str = "",
    mechanism: str = "",
) -> Auth:
    return Auth(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=client,
        account=account.strip().lower()[:320],
        outcome=outcome,
        reason=reason,
        mechanism=mechanism.upper()[:40],
        service=service,
    )


def _client(record: Record, service: str, queue_id: str, rest: str) -> Items:
    if not is_queue_id(queue_id):
        return ()
    who, login, more = rest.partition(", sasl_method=")
    account = method = earlier = ""
    if login:
        # Whoever logs in chooses some of the text behind it; hosts that use XFORWARD do not.
        method, _, account = more.partition(", sasl_username=")
        account = account.partition(", sasl_sender=")[0]
        client = peer(who)[1]
    elif ", " not in rest:
        client = peer(rest)[1]
    else:
        found = _CLIENT.fullmatch(rest)
        if found is None:
            raise ValueError(f"no client: {rest[:200]!r}")
        earlier = found["earlier"] or ""
        client = peer(found["origin"] or found["peer"])[1]
    keeps: dict[str, Any] = {"client": client, "origin": "smtpd"}
    items: list[Item] = []
    if login:
        auth = _auth(record, service, client, "ok", "", account, method)
        keeps["account"] = auth.account
        items.append(Attempt("smtp", auth, _session(record, client)))
    if queue_id != "NOQUEUE":
        items.append(
            Part(record.at, record.host, "queue", queue_id, keeps, begins=True, continues=earlier)
        )
    return items


def _reject(record: Record, service: str, message: str, rest: str) -> Items:
    command, _, rest = rest.partition(" from ")
    who, colon, tail = rest.partition(": ")
    if not colon:
        raise ValueError(f"a refusal without reply: {rest[:200]!r}")
    name, client = peer(who)
    said = reject.read(tail)
    verdict, reason = reply.verdict(said.code, said.enhanced, said.text)
    items: list[Item] = []
    if said.account:
        auth = _auth(record, service, client, "ok", "", said.account, said.method)
        items.append(Attempt("smtp", auth, _session(record, client)))
    if command in _RECIPIENT_COMMANDS and message and not said.account:
        items.append(_refused(record, message, client, said, verdict, reason))
    elif command in _RECIPIENT_COMMANDS:
        items.append(
            Recipient(
                at=record.at,
                gateway=record.host,
                offset=record.offset,
                client=client,
                account=said.account,
                sender=said.sender,
                recipient=said.recipient,
                queue_id=message,
                verdict=verdict,
                code=said.code,
                enhanced=said.enhanced,
                reason=reason,
            )
        )
    elif verdict != "deferred":
        items.append(_connection(record, client, name, "refused", reason, said.helo))
    return items


def _refused(
    record: Record, message: str, client: str, said: reject.Refusal, verdict: str, reason: str
) -> Part:
    """One of several recipients. Who had logged in was told when the first one was accepted."""
    values: dict[str, Any] = {
        "client": client,
        "sender": said.sender,
        "recipient": said.recipient,
        "queue_id": message,
        "verdict": verdict,
        "code": said.code,
        "enhanced": said.enhanced,
        "reason": reason,
    }
    return Part(record.at, record.host, "queue", message, None, record.offset, Recipient, values)


def _connection(
    record: Record, client: str, name: str, outcome: str, reason: str, helo: str = ""
) -> Connection:
    return Connection(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=client,
        name=name,
        helo=helo,
        outcome=outcome,
        reason=reason,
    )


def _warning(record: Record, service: str, rest: str) -> Items:
    who, found, tail = rest.partition(": SASL ")
    if found:
        return _sasl(record, service, who, tail)
    command = _NON_SMTP.match(rest)
    if command:
        name, client = peer(command["peer"])
        return (_connection(record, client, name, "abuse", "non_smtp_command"),)
    limit = _LIMIT.fullmatch(rest)
    if limit:
        name, client = peer(limit["peer"])
        return (_connection(record, client, name, "refused", "rate_limit"),)
    return ()


def _sasl(record: Record, service: str, who: str, tail: str) -> Items:
    _, client = peer(who)
    mechanism, _, tail = tail.partition(" authentication ")
    session = _session(record, client)
    if tail.startswith("aborted"):
        auth = _auth(record, service, client, "failed", "aborted", "", mechanism)
        return (Attempt("smtp", auth, session, said=False),)
    if not tail.startswith("failed"):
        raise ValueError(f"a SASL warning that ends early: {tail[:200]!r}")
    said, _, account = tail[6:].lstrip(":").partition(", sasl_username=")
    if account == "(unavailable)":
        account = ""
    fault = said.strip().lower().startswith(_SERVER_FAULTS)
    outcome, reason = ("error", "server") if fault else ("failed", "rejected")
    auth = _auth(record, service, client, outcome, reason, account, mechanism)
    return (Attempt("smtp", auth, session),)


def _trouble(record: Record) -> Items:
    """Sessions that broke off, and clients that talk out of turn."""
    text = record.text
    lost = _LOST.fullmatch(text)
    if lost:
        name, client = peer(lost["peer"])
        if lost["what"] == "too many errors":
            return (_connection(record, client, name, "abuse", "too_many_errors"),)
        reason = f"{lost['what']} after {lost['command']}"
        broken = _connection(record, client, name, "closed", reason)
        session = _session(record, client)
        return (Part(record.at, record.host, "session", session, event=broken, once="closed"),)
    abuse = _ABUSE.match(text)
    if abuse:
        name, client = peer(abuse["peer"])
        reason = "pipelining" if abuse["what"].startswith("improper") else "bare_newline"
        return (_connection(record, client, name, "abuse", reason),)
    return ()
