"""smtpd(8): clients that come and go, log in, and are refused.

Wordings from Postfix's src/smtpd/smtpd.c, smtpd_check.c, smtpd_sasl_glue.c and smtpd_peer.c.
"""

import re
from typing import Any

from schemas.events import Auth, Connection, Recipient
from streams.parsers import reply
from streams.parsers.part import Attempt, Item, Items, Parse, Part, Record
from streams.parsers.postfix import reject, trouble
from streams.parsers.postfix.peer import is_queue_id, peer
from streams.parsers.postfix.session import connection, session

_CLIENT = re.compile(
    r"(?P<peer>[^\s,]+)(?:, sasl_sender=.*?)?(?:, orig_queue_id=(?P<earlier>\w+))?"
    r"(?:, orig_client=(?P<origin>\S+))?"
)
_AUTH = re.compile(r"(?:^| )auth=(?P<good>\d{1,9})(?:/(?P<all>\d{1,9}))?(?: |$)")
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

_RECIPIENT_COMMANDS = frozenset(
    {"RCPT", "VRFY", "DATA", "DATA content", "BDAT", "BDAT content", "END-OF-MESSAGE"}
)
_REFUSALS = ("reject: ", "milter-reject: ", "discard: ", "milter-discard: ")


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
                    # "unknown": none, or one that does not lead back (smtpd_peer.c)
                    reason="" if name else "no_reverse_name",
                ),
            )
        if text.startswith("disconnect from "):
            return _disconnect(record, service)
        first, _, rest = text.partition(": ")
        if rest.startswith("client="):
            return _client(record, service, first, rest[7:])
        if rest.startswith(_REFUSALS):
            message = first if first != "NOQUEUE" and is_queue_id(first) else ""
            return _reject(record, service, message, rest)
        if first == "warning":
            who, found, tail = rest.partition(": SASL ")
            return _sasl(record, service, who, tail) if found else trouble.warning(record, rest)
        if first.startswith("proxy-"):
            return _proxied(record, first, rest)
        if first == "reject" and not rest.startswith("ETRN "):
            return _reject(record, service, "", text)  # before 2.1
        return trouble.trouble(record) if " from " in text else ()

    return read


def _disconnect(record: Record, service: str) -> Items:
    who, _, counts = record.text[16:].partition(" ")
    name, client = peer(who)
    key = session(record, client)
    left = Connection(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=client,
        name=name,
        outcome="closed",
    )
    closed = Part(record.at, record.host, "session", key, None, -1, left, once="closed", ends=True)
    found = _AUTH.search(counts) if "auth=" in counts else None
    if found is None:
        return (closed,)
    good, tried = int(found["good"]), int(found["all"] or found["good"])
    tally = _auth(record, service, client, "failed", "rejected")
    return (Attempt("tally", tally, key, tried, good), closed)


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
        items.append(Attempt("smtp", auth, session(record, client)))
    if queue_id != "NOQUEUE":
        items.append(
            Part(record.at, record.host, "queue", queue_id, keeps, begins=True, continues=earlier)
        )
    elif record.pid:
        # A before-queue filter gets the message; its verdict comes without the client.
        key = _proxy(record)
        items.append(Part(record.at, record.host, "session", key, ends=True))
        items.append(Part(record.at, record.host, "session", key, keeps))
    return items


def _proxy(record: Record) -> str:
    return f"{record.pid} proxy"


def _proxied(record: Record, what: str, rest: str) -> Items:
    """``proxy-reject: END-OF-MESSAGE: 554 5.7.0 text; from=<> to=<> proto=ESMTP helo=<>``"""
    key = _proxy(record)
    if what != "proxy-reject":
        return (Part(record.at, record.host, "session", key, ends=True),)
    said = reject.read(rest.partition(": ")[2])
    verdict, reason = reply.verdict(said.code, said.enhanced, said.text)
    if verdict == "refused":
        verdict, reason = "blocked", "content"
    values = _values(said, verdict, reason)
    return (
        Part(
            record.at,
            record.host,
            "session",
            key,
            None,
            record.offset,
            Recipient,
            values,
            ends=True,
        ),
    )


def _reject(record: Record, service: str, message: str, rest: str) -> Items:
    action, _, rest = rest.partition(": ")
    command, _, rest = rest.partition(" from ")
    who, colon, tail = rest.partition(": ")
    if not colon and not command.startswith("bare <"):  # which may come without a reply
        raise ValueError(f"a refusal without reply: {rest[:200]!r}")
    name, client = peer(who)
    said = reject.read(tail)
    if action.endswith("discard"):
        verdict, reason = "blocked", "discarded"
    else:
        verdict, reason = reply.verdict(said.code, said.enhanced, said.text)
    items: list[Item] = []
    if said.account:
        auth = _auth(record, service, client, "ok", "", said.account, said.method)
        items.append(Attempt("smtp", auth, session(record, client)))
    if command in _RECIPIENT_COMMANDS and message and not said.account:
        values = _values(said, verdict, reason)
        values["client"], values["queue_id"] = client, message
        # One of several recipients. Who had logged in was told when the first one was accepted.
        items.append(
            Part(record.at, record.host, "queue", message, None, record.offset, Recipient, values)
        )
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
                command="vrfy" if command == "VRFY" else "",
                helo=said.helo,
            )
        )
    elif command.startswith("bare <"):
        items.append(connection(record, client, name, "abuse", "bare_newline", said.helo))
    elif verdict != "deferred":
        items.append(connection(record, client, name, "refused", reason, said.helo))
    return items


def _values(said: reject.Refusal, verdict: str, reason: str) -> dict[str, Any]:
    return {
        "sender": said.sender,
        "recipient": said.recipient,
        "verdict": verdict,
        "code": said.code,
        "enhanced": said.enhanced,
        "reason": reason,
        "helo": said.helo,
    }


def _sasl(record: Record, service: str, who: str, tail: str) -> Items:
    _, client = peer(who)
    mechanism, _, tail = tail.partition(" authentication ")
    key = session(record, client)
    if tail.startswith("aborted"):
        auth = _auth(record, service, client, "failed", "aborted", "", mechanism)
        return (Attempt("smtp", auth, key, said=False),)
    if not tail.startswith("failed"):
        raise ValueError(f"a SASL warning that ends early: {tail[:200]!r}")
    said, _, account = tail[6:].lstrip(":").partition(", sasl_username=")
    if account == "(unavailable)":
        account = ""
    fault = said.strip().lower().startswith(_SERVER_FAULTS)
    outcome, reason = ("error", "server") if fault else ("failed", "rejected")
    auth = _auth(record, service, client, outcome, reason, account, mechanism)
    return (Attempt("smtp", auth, key),)
