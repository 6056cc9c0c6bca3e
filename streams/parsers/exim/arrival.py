"""``<=``: a message has arrived.

The line is made at the end of receive_msg() in src/receive.c: sender, where from, protocol, TLS,
login, size, Message-ID, subject, recipients. What stands behind the client is taken from left to
right; the subject is quoted, with ``\\"`` for a quote in it.
"""

import re
from functools import lru_cache
from typing import Any

from schemas.events import Auth, Bounce, Message
from streams.parsers.exim.peer import Peer, mailbox, peer, session
from streams.parsers.part import Attempt, Item, Items, Part, Record

LONGEST_ID = 255

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"\S*')
_SIZE = re.compile(r" S=(?P<size>\d{1,18})(?= |$)")
_ID = re.compile(r" id\*?=(?P<id>\S+)")
_SUBJECT = re.compile(r' T="(?:[^"\\]|\\.)*"')
_LOGIN = re.compile(r" A=(?P<by>[^\s:]+)(?::(?P<account>[^\s:]+))?")
_REFERENCE = re.compile(r" R=(?P<about>[\w-]{16,23})(?= |$)")

_MECHANISMS = (
    # a part of the authenticator's name, what it is likely to be
    ("cram", "CRAM-MD5"),
    ("digest", "DIGEST-MD5"),
    ("scram", "SCRAM"),
    ("ntlm", "NTLM"),
    ("spa", "NTLM"),
    ("gssapi", "GSSAPI"),
    ("oauth", "XOAUTH2"),
    ("external", "EXTERNAL"),
    ("plain", "PLAIN"),
    ("login", "LOGIN"),
)


@lru_cache(maxsize=256)
def mechanism(authenticator: str) -> str:
    """The mechanism that an authenticator's name points to; sites choose the names, and the log
    tells nothing else."""
    name = authenticator.lower()
    return next((found for part, found in _MECHANISMS if part in name), "")


def login(record: Record, who: Peer, by: str, account: str, outcome: str, reason: str) -> Auth:
    return Auth(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=who.client,
        account=account.strip().lower()[:320],
        outcome=outcome,
        reason=reason,
        mechanism=mechanism(by),
        service=who.service,
    )


def read(record: Record, pid: str, queue_id: str, text: str) -> Items:
    """What stands behind ``<= ``."""
    if text.startswith('"'):
        quoted = _QUOTED.match(text)
        end = quoted.end() if quoted else -1
    else:
        end = text.find(" ")
    if end <= 0:
        raise ValueError(f"an arrival that ends early: {text[:200]!r}")
    sender = mailbox(text[:end])
    items: list[Item] = []
    about = ""
    if not sender and text.startswith(" R=", end):
        reference = _REFERENCE.match(text, end)
        if reference:
            about, end = reference["about"], reference.end()
    who = peer(text, end + 1, " P=") if text.startswith(" H=", end) else None
    values: dict[str, Any] = {"queue_id": queue_id, "sender": sender}
    keeps: dict[str, Any] = {"sender": sender, "origin": "exim" if who else "pickup"}
    size = _SIZE.search(text, who.end if who else end)
    if size:
        values["size"] = int(size["size"])
        _tail(text, size.end(), values)
    if who:
        values["client"] = keeps["client"] = who.client
        if who.helo:
            values["helo"] = who.helo
        between = text[who.end : size.start() if size else len(text)]
        # An ident (U=) is the client's word and could name another login: then there are two P=.
        found = _LOGIN.search(between) if " A=" in between and between.count(" P=") == 1 else None
        if found:
            account = (found["account"] or "").lower()[:320]
            values["account"] = keeps["account"] = account
            auth = login(record, who, found["by"], account, "ok", "")
            items.append(Attempt("smtp", auth, session(pid, who) if who.port or pid else queue_id))
    if "message_id" in values:
        keeps["message_id"] = values["message_id"]
    items.append(
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
        )
    )
    if about:
        items.append(_report(record, queue_id, about))
    return items


def _tail(text: str, begin: int, values: dict[str, Any]) -> None:
    """Message-ID and recipients."""
    found = _ID.search(text, begin)
    if found:
        values["message_id"] = found["id"][:LONGEST_ID]
        begin = found.end()
    subject = _SUBJECT.search(text, begin)
    if subject:
        begin = subject.end()
    at = text.find(" for ", begin)
    if at >= 0:
        values["recipients"] = text.count(" ", at + 5) + 1


def _report(record: Record, queue_id: str, about: str) -> Part:
    """A report that this server wrote about another message."""
    values = {"direction": "made", "queue_id": queue_id, "about": about}
    return Part(record.at, record.host, "queue", about, {}, record.offset, Bounce, values)
