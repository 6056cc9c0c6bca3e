"""Exim 4: its main, reject and panic log, as files and through syslog.

Grammar from the manual ("Log files") and from src/{log,receive,deliver,smtp_in,daemon}.c; ids of
messages are 6-6-2 characters, since 4.97 6-11-4. A line is ``[pid] id text``, either may lack;
through syslog its own stamp may stand before that, and long lines come in pieces (``[1/3] …``),
of which the first one tells enough.

A login that succeeds is told only with what it was for: a message, a refused recipient, or a
connection without mail. The log does not tell the mechanism, but the authenticator's name.
``exim -bp`` lists the queue.
"""

import re

from streams.parsers.exim import arrival, delivery, listing, refusal, scan, session, signature
from streams.parsers.part import INDENTED, Format, Items, Mask, Parse, Part, Record, any_of, unnamed

_HEAD = re.compile(
    r"(?:\[(?P<piece>\d{1,4})[/\\]\d{1,4}\] )?"
    r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})?(?: [+-]\d{4})? )?"
    r"(?:\[(?P<pid>\d{1,10})\] )?"
)
_ID = re.compile(
    r"(?P<id>[0-9A-Za-z]{6}-(?:[0-9A-Za-z]{6}-[0-9A-Za-z]{2}|[0-9A-Za-z]{11}-[0-9A-Za-z]{4})) "
)
_CALM = re.compile(
    r"(?:U=\S+ (?:F=|rejected |temporarily )|Start queue run: |End queue run: |exim \d|"
    r"exim user |Warning: |TLS (?:error|session)|"
    r"SIGHUP received|DKIM: |daemon: |no (?:host name|IP address) found for |cwd=/\S* \d+ args: |"
    r"ETRN |spool directory space|log directory space|Failed to get write lock )"
)


def read(record: Record) -> Items | None:
    """What a line says; None where it is nothing that Exim is sure to have written."""
    text, pid = record.text, record.pid
    if text[:1] == "[" or text[:2] == "20" or text[:2] == "19":
        head = _HEAD.match(text)
        if head:
            if head["piece"] not in (None, "1"):
                return ()
            text, pid = text[head.end() :], head["pid"] or pid
    if text[6:7] == "-":
        found = _ID.match(text)
        if found:
            return _of_message(record, pid, found["id"], text[found.end() :])
    if text.startswith("H="):
        return refusal.by_client(record, pid, "", text)
    if text.startswith("SMTP "):
        return _smtp(record, pid, text)
    if text.startswith("F="):
        return refusal.scanned(record, pid, "", text)
    at = text.find(" authenticator failed for ", 0, 120)
    if at > 0 and " " not in text[:at]:
        return refusal.authentication(record, pid, text, at)
    word = text.partition(" ")[0]
    known = _WORDS.get(word)
    items = known(record, pid, text) if known else None
    if text[:1].isdecimal():
        return listing.read(record, text)
    return () if items is None and _CALM.match(text) else items


def _of_message(record: Record, pid: str, queue_id: str, rest: str) -> Items | None:
    flag = rest[:2]
    if rest[2:3] == " ":
        if flag == "<=" or flag == "(=":  # noqa: PLR1714 - a set would be slower
            return arrival.read(record, pid, queue_id, rest[3:])
        if flag in delivery.STATUS:
            return delivery.read(record, queue_id, flag, rest[3:])
    if rest == "Completed" or rest.startswith(("Completed ", "cancelled by ")):
        return (Part(record.at, record.host, "queue", queue_id, ends=True),)
    if rest.startswith("H="):
        return refusal.by_client(record, pid, queue_id, rest)
    if rest.startswith("DKIM: d="):
        return signature.read(record, queue_id, rest)
    if rest.startswith("rejected "):
        return session.rejected(record, pid, queue_id, rest)
    if rest.startswith("F="):
        return refusal.scanned(record, pid, queue_id, rest) or ()
    if rest.startswith("SA: Action: "):
        return scan.read(record, pid, queue_id, rest)
    return _smtp(record, pid, rest) if rest.startswith("SMTP ") else ()


def _smtp(record: Record, pid: str, text: str) -> Items | None:
    if text.startswith("SMTP connection from "):
        return session.connected(record, pid, text)
    if text.startswith("SMTP call from "):
        return session.called(record, pid, text)
    if text.startswith("SMTP protocol synchronization error ("):
        return session.out_of_turn(record, pid, text)
    if text.startswith(('SMTP protocol error in "', 'SMTP syntax error in "')):
        return session.error(record, pid, text)
    if text.startswith(("SMTP command timeout", "SMTP data timeout")):
        return session.timed_out(record, pid, text)
    return None


def _rejected(record: Record, pid: str, text: str) -> Items | None:
    return session.rejected(record, pid, "", text)


_WORDS = {
    "no": session.idle,
    "unexpected": session.broken,
    "rejected": _rejected,
    "refused": session.refused,
    "temporarily": session.refused,
    "Connection": session.refused,
    "too": session.too_many,
    "unqualified": session.unqualified,
    "VRFY": session.unverified,
}


def _tagged(record: Record) -> Items:
    return listing.count(record) if record.text.isdecimal() else read(record) or ()


def _indented(record: Record) -> Items | None:
    return listing.read(record, record.text)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return read
    if program in INDENTED:
        return _indented
    return _tagged if program.rpartition("/")[2].startswith("exim") else None


_BEGINS = (
    rf"H=|F=|SMTP |[^ ]{{1,94}} authenticator failed for |(?:{any_of(*_WORDS)}) |\d{{1,5}}[mhd] "
)
_HEADLESS = "|".join((unnamed(_ID), _CALM.pattern, _BEGINS))

FORMAT = Format(
    "exim",
    parser,
    begins=rf"{unnamed(_HEAD)}(?:{_HEADLESS})|\[\d{{1,4}}[/\\]",
)
