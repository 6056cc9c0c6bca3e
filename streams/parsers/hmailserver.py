"""hMailServer 5: its log of SMTP, IMAP and POP3 dialogues and of connections.

Lines from source/Server/Common/Application/Logger.cpp: fields in quotes, separated by tabs::

    "SMTPD"<TAB>thread<TAB>session<TAB>"2025-03-04 08:01:00.123"<TAB>"192.0.2.1"<TAB>"SENT: 250 OK"

What was said stands last, unescaped: the fields before it are counted from the left. It shows
names of users in base64 and hides passwords as ``***``; old versions and clients that send both
at once show the password, which is dropped here. It cannot tell what became of a message.
"""

import re
from typing import Any

from schemas import net
from schemas.events import Auth, Connection
from streams.parsers import spoken
from streams.parsers.part import Format, Items, Mask, Parse, Part, Record, Turn, any_of

PARTS = ('"SMTPD"\t', '"IMAPD"\t', '"POP3D"\t', '"TCPIP"\t')
SILENT = ('"SMTPC"\t', '"POP3C"\t', '"APPLICATION"\t', '"DEBUG"\t', '"ERROR"\t')

_LOGIN = re.compile(
    r"\S{1,64} LOGIN (?:\"(?P<quoted>[^\"]{1,320})\"|(?P<bare>[^\s\"{]{1,320}))", re.IGNORECASE
)
_USER = re.compile(r"USER (?P<name>\S{1,320})", re.IGNORECASE)
_CONNECTED = re.compile(r"TCP - (?P<client>[0-9A-Fa-f.:]{2,45}) connected to \S{2,64}\.")
_BLOCKED = re.compile(r"Client connection from (?P<client>[0-9A-Fa-f.:]{2,45}) was not accepted")


def read(record: Record) -> Items | None:
    """What a line says; None where it is no such line."""
    text = record.text
    if not text.startswith(PARTS):
        return () if text.startswith(SILENT) else None
    fields = text.split("\t", 5)
    kind = fields[0].strip('"')
    if kind == "TCPIP":
        return _connection(record, _unquoted(fields[-1]))
    if len(fields) < 6:
        raise ValueError(f"a line that ends early: {text[:200]!r}")
    session, client = fields[2], net.address(fields[4].strip('"'))
    way, _, said = _unquoted(fields[5]).partition(": ")
    if way not in ("RECEIVED", "SENT"):
        return ()
    key = f"hmailserver {client} {session}"
    if kind == "SMTPD":
        turns = spoken.command(said) if way == "RECEIVED" else spoken.reply(said)
        return [
            Turn(record.at, record.host, key, client, turn, what, record.offset)
            for turn, what in turns
        ]
    if way == "RECEIVED":
        return _named(record, key, said, _LOGIN if kind == "IMAPD" else _USER)
    return _answered(record, key, client, said, "imap" if kind == "IMAPD" else "pop3")


def _unquoted(field: str) -> str:
    return field.rstrip().removeprefix('"').removesuffix('"')


def _connection(record: Record, said: str) -> Items:
    found = _CONNECTED.fullmatch(said)
    blocked = _BLOCKED.match(said) if found is None else None
    who = found or blocked
    if who is None:
        return ()
    return (
        Connection(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=net.address(who["client"]),
            outcome="refused" if blocked else "opened",
            reason="denied" if blocked else "",
        ),
    )


def _named(record: Record, key: str, said: str, command: "re.Pattern[str]") -> Items:
    found = command.match(said)
    if found is None:
        return ()
    name = next(value for value in found.groups() if value is not None)
    keeps = {"account": name.lower()}
    return (Part(record.at, record.host, "session", key, keeps, record.offset),)


def _answered(record: Record, key: str, client: str, said: str, service: str) -> Items:
    if "Invalid user name or password" in said or "Too many invalid logon attempts" in said:
        outcome, reason = "failed", "rejected"
    elif said.startswith("+OK Mailbox locked and ready") or said.endswith(" OK LOGIN completed"):
        outcome, reason = "ok", ""
    else:
        return ()
    values: dict[str, Any] = {
        "client": client,
        "outcome": outcome,
        "reason": reason,
        "service": service,
    }
    return (Part(record.at, record.host, "session", key, {}, record.offset, Auth, values),)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return read if program in ("", "hmailserver") else None


FORMAT = Format(
    "hmailserver",
    parser,
    begins=any_of(*PARTS, *SILENT),
)
