"""IIS's logs: of Exchange's web services, and of Exchange 2000/2003's SMTP service.

W3C Extended Log File Format (columns as the header says, ``+`` for a space, ``-`` for nothing,
UTC) and NCSA's common format; HttpProxy's own tables of Exchange 2013 and later. A form login
(``POST /owa/auth.owa``) is answered with 302 whatever it came to: it failed where the client is
then sent to ``logon.aspx?…reason=2``, and was good where it goes on to read its mail. Each client
and account is told as logged in once an hour. A proxy's word on the client counts only where it
comes from within. It cannot tell a wrong password from an unknown account.
"""

import re
from collections.abc import Callable
from typing import Any

from schemas import net
from schemas.events import Auth
from streams.parsers.exchange import rows
from streams.parsers.part import DOCUMENT, Format, Items, Mask, Parse, Part, Record, Turn

_NCSA = re.compile(
    r"(?P<client>[0-9A-Fa-f.:]{3,45}) - (?P<helo>\S{1,512}) \[[^\[\]]{1,40}\] "
    r"\"(?P<verb>\S{1,40}) -(?:\?(?P<query>.*))? SMTP\" (?P<code>\d{1,3}) \d{1,15}"
)
_MESSAGE_ID = re.compile(r"<[^<>]{1,255}>")
_OUTBOUND = "OutboundConnection"
_SERVICES = frozenset(
    {"owa", "ecp", "ews", "microsoft-server-activesync", "autodiscover", "mapi", "rpc", "oab"}
)
_BACK_END = frozenset({"81", "444"})  # the mailbox server's own site: its clients are front ends
_LOCAL = net.Networks(net.PRIVATE)

# sc-win32-status of a 401 (Microsoft's system error codes, and SSPI's as unsigned numbers)
_REFUSED = {
    "1326": "rejected",
    "1327": "not_authorized",
    "1330": "expired",
    "1331": "disabled",
    "1907": "expired",
    "1909": "locked",
    "2148074252": "rejected",
}


def _layout(columns: list[str]) -> rows.Row:
    def column(name: str) -> Callable[[list[str]], str]:
        return rows.optional(columns, name)

    stem, method, status = (
        columns.index(name) for name in ("cs-uri-stem", "cs-method", "sc-status")
    )
    query, user, client = column("cs-uri-query"), column("cs-username"), column("c-ip")
    cause, port = column("sc-win32-status"), column("s-port")
    forwarded, received = column("x-forwarded-for"), column("cs-bytes")

    def row(record: Record, values: list[str]) -> Items | None:
        path = values[stem]
        if path[:1] != "/":
            return _smtp(
                record,
                client(values),
                user(values),
                values[method],
                query(values),
                values[status],
                received(values),
            )
        folder = path[1:].partition("/")[0].lower()
        if folder not in _SERVICES:
            return None
        who = user(values).replace("+", " ")
        if port(values) in _BACK_END or rows.probe(who.rpartition("\\")[2]):
            return ()
        return _web(
            record,
            _client(client(values), forwarded(values)),
            rows.account(who),
            f"{values[method]} {path.lower()}",
            query(values),
            values[status],
            cause(values),
        )

    return row


def _client(peer: str, forwarded: str) -> str:
    """Who asks. Only a proxy of our own may name another."""
    client = net.address(peer)
    if forwarded not in ("", "-") and client in _LOCAL:
        last = forwarded.rpartition(",")[2].strip("+ ")
        return rows.address(last) or client
    return client


def _web(
    record: Record, client: str, account: str, asked: str, query: str, status: str, cause: str
) -> Items:
    form = f"owa {client}"
    if asked == "POST /owa/auth.owa" and status not in ("401", "403"):
        return (Part(record.at, record.host, "session", form, {"account": account}),)
    if asked.endswith("/auth/logon.aspx"):
        if "reason=2" not in query:
            return ()
        return (_auth(record, form, client, "", "failed", "rejected"),)
    if status == "401":
        reason = _REFUSED.get(cause, "rejected" if account else "")
        return (_auth(record, form, client, account, "failed", reason),) if reason else ()
    if account and status.startswith("2"):
        return (_auth(record, f"web {client} {account}", client, account, "ok", ""),)
    return ()


def _auth(record: Record, key: str, client: str, account: str, outcome: str, reason: str) -> Part:
    values: dict[str, Any] = {"client": client, "outcome": outcome, "service": "web"}
    if reason:
        values["reason"] = reason
    if account:
        values["account"] = account
    return Part(
        record.at,
        record.host,
        "session",
        key,
        {},
        record.offset,
        Auth,
        values,
        once="ok" if outcome == "ok" else "",
        ends=outcome != "ok",
    )


def _smtp(
    record: Record, client: str, helo: str, verb: str, query: str, status: str, received: str
) -> Items | None:
    """A command with the reply that it got."""
    if helo.startswith(_OUTBOUND):
        return ()
    peer = net.address(client)
    if not peer or not status.isdecimal():
        return None
    said = query.replace("+", " ").strip().removeprefix("- ")
    command = verb.upper()
    if not command.strip("X"):
        return ()  # a firewall crossed out a command that it does not know
    if command == "QUIT":
        return (_turn(record, peer, "closed", ""),)
    if command in ("MAIL", "RCPT", "EHLO", "HELO", "RSET", "AUTH"):
        asked = f"{command} {said.replace(': <', ':<')}"
        if command == "AUTH":
            asked = " ".join(asked.split(" ", 2)[:2])  # a password can follow the mechanism
        turns = [_turn(record, peer, "command", asked)]
    elif command in ("DATA", "BDAT"):
        turns = [_turn(record, peer, "command", command)]
    else:
        turns = []
    answer = status
    if status == "250" and command in ("DATA", "BDAT"):
        found = _MESSAGE_ID.search(said)
        size = f" {received} bytes in" if received.isdecimal() else ""
        answer = f"250 2.6.0 {found[0] if found else '<>'}{size}"
    elif status == "235":
        answer = "235 successful"
    if command in ("EHLO", "HELO", "RSET", "NOOP", "STARTTLS"):
        return turns
    return [*turns, _turn(record, peer, "reply", answer)]


def _turn(record: Record, client: str, kind: str, text: str) -> Turn:
    return Turn(record.at, record.host, f"smtpsvc {client}", client, kind, text, record.offset)


def _by_text(record: Record) -> Items | None:
    """NCSA's format."""
    if record.text[-1:].isdecimal() and ' SMTP" ' in record.text:
        found = _NCSA.fullmatch(record.text)
        if found is not None:
            return _smtp(
                record,
                found["client"],
                found["helo"],
                found["verb"],
                found["query"] or "",
                found["code"],
                "",
            )
    return None


def _proxied(columns: list[str]) -> rows.Row:
    """HttpProxy's table: who was let in, and who was not, by the front end's own word."""
    user, let_in, client, status, protocol = (
        columns.index(name)
        for name in (
            "authenticateduser",
            "isauthenticated",
            "clientipaddress",
            "httpstatus",
            "protocol",
        )
    )

    def row(record: Record, values: list[str]) -> Items:
        who, peer = rows.account(values[user]), rows.address(values[client])
        if not who or rows.probe(who.rpartition("\\")[2]) or who.endswith("$"):
            return ()
        if values[protocol].lower() in ("powershell", "remotepowershell"):
            return ()  # the servers' own management
        if values[status] == "401":
            return (_auth(record, f"owa {peer}", peer, who, "failed", "rejected"),)
        if values[let_in].lower() == "true":
            return (_auth(record, f"web {peer} {who}", peer, who, "ok", ""),)
        return ()

    return row


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a table; see `Format`."""
    if not program:
        return _by_text
    needs = ("cs-uri-stem", "cs-method", "sc-status", "c-ip")
    proxied = ("authenticateduser", "isauthenticated", "clientipaddress", "httpstatus", "protocol")
    iis = rows.of_table(program, "cs-uri-stem", needs, _layout)
    if program[0] == "#":
        return iis or rows.of_table(program, "AuthenticatedUser", proxied, _proxied)
    proxy = rows.of_table(program, "AuthenticatedUser", proxied, _proxied)
    return rows.either(iis, proxy) if program == DOCUMENT and iis and proxy else iis


FORMAT = Format(
    "exchange-w3c",
    parser,
    holds=(' SMTP" ',),
    keys=("cs-uri-stem", "AuthenticatedUser"),
)
