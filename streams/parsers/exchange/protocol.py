"""Exchange's SMTP receive and send protocol logs, 2007 to 2019.

Columns from Microsoft's "Protocol logging"; the wordings of what the server notes (``*``) and
replies from its own transport. A receive connector is named with its server
(``EX1\\Default Frontend EX1``), a send connector is not: that tells who is the client. A front
end hands sessions on to a back end (``XPROXYFROM``, ``XPROXY``); what it says of the client counts
once the back end has accepted it, which strangers cannot bring about. It cannot tell which
password was tried: the log itself leaves that out.
"""

import re

from msgspec.structs import replace

from schemas import net
from schemas.events import Connection
from streams.parsers.exchange import rows
from streams.parsers.part import Format, Items, Mask, Parse, Record, Turn

_SUBMISSION = frozenset({"465", "587"})
_VERBS = frozenset({"MAIL", "RCPT", "DATA", "BDAT", "AUTH", "X-EX", "EHLO", "HELO", "RSET"})
_QUIET = frozenset({"220", "221", "334", "354"})

_PROXY = re.compile(r"XPROXY(?P<again>FROM)? (?P<rest>.{1,2000})", re.IGNORECASE | re.DOTALL)
_PROXIED = re.compile(r"(?:^| )(?P<name>SID|IP)=(?P<value>[^ ]{1,64})", re.IGNORECASE)
_DENIED = re.compile(
    r"(?:Inbound .{1,60} failed because of|LiveID Authentication failed with reason:) "
    r"(?P<why>\w{1,80})"
)
_UNFIT = re.compile(r".{0,40}'(?P<who>[^']{1,320})' provided valid credentials, but ")
_UNPERMITTED = re.compile(
    r"Inbound authentication failed because the client (?P<who>.{1,320}) doesn't have submit "
    r"permission\."
)
_PROXYING = re.compile(
    r"Proxy session was successfully set up\. Session for ?(?P<who>\S{1,320}) will now be proxied"
)
_SENDING = re.compile(
    r"sending message with RecordId (?P<record>\d{1,20})"
    r"(?: and InternetMessageId <(?P<id>[^<>]*)>)?"
)
_CLOSED = {"": "", "local": "", "remote": ""}


def _layout(columns: list[str]) -> rows.Row:
    connector, session, local, remote, event, data, context = (
        columns.index(name)
        for name in (
            "connector-id",
            "session-id",
            "local-endpoint",
            "remote-endpoint",
            "event",
            "data",
            "context",
        )
    )

    def row(record: Record, values: list[str]) -> Items:
        what, said = values[event], values[data]
        sends = "\\" not in values[connector]
        if what in "<>" and what:
            if (what == ">") is sends:
                kind, said = _command(said)
            else:
                kind = _reply(said, sends)
        elif what == "*":
            kind, said = _note(said, values[context])
        elif what == "+":
            return _opened(record, values[remote]) if not sends else ()
        elif what == "-":
            kind, said = (
                "closed",
                _CLOSED.get(values[context].lower(), values[context].lower()[:80]),
            )
        else:
            kind = ""
        if not kind:
            return ()
        port = values[local].rpartition(":")[2]
        turn = Turn(
            record.at,
            record.host,
            values[session],
            rows.address(values[remote]),
            kind,
            said,
            record.offset,
            "submission" if port in _SUBMISSION else "smtp",
            sends,
        )
        if kind == "denied" and (found := _UNPERMITTED.match(values[context])):
            return (turn, replace(turn, kind="name", text=rows.account(found["who"])))
        return (turn,)

    return row


def _opened(record: Record, remote: str) -> Items:
    return (
        Connection(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=rows.address(remote),
        ),
    )


def _reply(said: str, sends: bool) -> str:
    """The kind of a reply; none for those to EHLO and the like."""
    if said[:3] in _QUIET or said[3:4] == "-":
        return ""
    if not sends and said.startswith("250 ") and said[4:5] != "2":
        believes = said[4:10].upper() == "XPROXY" and "accepted" in said.lower()
        return "believed" if believes else ""
    return "reply"


def _command(said: str) -> tuple[str, str]:
    verb = said[:4].upper()
    if verb in _VERBS:
        if verb == "AUTH":  # a password can follow the mechanism
            said = " ".join(said.split(" ", 2)[:2])
        elif verb == "MAIL" and rows.probe(said[10:].lstrip("< ")):
            return "probe", ""
        return "command", said
    if verb == "XPRO":
        found = _PROXY.match(said)
        if found is not None:
            # What follows the name that the client gave itself may be that client's word.
            before = found["rest"].partition(" DOMAIN=")[0]
            told = {name.upper(): value for name, value in _PROXIED.findall(before)}
            behind = told.get("SID", "") + ("+" if found["again"] else "")
            return "claims", f"{net.address(told.get('IP', ''))} {behind}"
    return "", ""


def _note(said: str, context: str) -> tuple[str, str]:
    """What the server notes: kind and text of a turn; no kind where it is of no interest."""
    first = context[:8]
    if first == "authenti":
        return ("login", "" if said.endswith("$") else rows.account(said)) if said else ("", "")
    if first in ("User Nam", "Username"):
        return "name", rows.account(context.partition(": ")[2])
    if first == "sending " and (found := _SENDING.match(context)):
        return "message", f"{found['record']} {found['id'] or ''}"
    if first == "Proxy se" and (found := _PROXYING.match(context)):
        return "login", rows.account(found["who"])
    if first in ("Inbound ", "LiveID A"):
        if found := _DENIED.match(context):
            return "denied", " ".join(rows.refusal(found["why"]))
        return ("denied", "failed not_authorized") if _UNPERMITTED.match(context) else ("", "")
    if "provided valid credentials" in context and (found := _UNFIT.match(context)):
        return "denied", "failed not_authorized"
    return "", ""


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a table; see `Format`."""
    needs = ("connector-id", "session-id", "local-endpoint", "remote-endpoint", "event", "data")
    return rows.of_table(program, "connector-id", (*needs, "context"), _layout)


FORMAT = Format(
    "exchange-protocol",
    parser,
    begins=rows.BEGINS,
    keys=("connector-id",),
)
