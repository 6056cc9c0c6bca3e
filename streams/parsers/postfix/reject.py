"""Postfix's refusals: ``reject: RCPT from host[ip]: 550 5.1.1 <culprit>: text; from=<> to=<> ...``

smtpd_check.c and smtpd.c (log_whatsup), postscreen_smtpd.c (whose fields stand between commas).
Client and command stand before anything that the client chose; what follows is cut from left to
right, so that a forged tail inside an address can spoil this line's addresses and no more.
"""

import re
from typing import NamedTuple

from streams.parsers.postfix.peer import mailbox

_REPLY = re.compile(r"(?:(?P<code>\d{3})[ -])?(?:(?P<enhanced>[245]\.\d{1,3}\.\d{1,3}) )?")

# What may follow the culprit in smtpd_check.c: it ends where one of these begins.
_AFTER_CULPRIT = re.compile(
    r">: (?=Recipient address|Sender address|Client host|Helo command|Relay access|Data command|"
    r"End-of-data|SASL login|User unknown|ETRN|Access denied|Temporary lookup)"
)


class Refusal(NamedTuple):
    code: int
    enhanced: str
    text: str  # the server's words, without the culprit
    sender: str
    recipient: str
    helo: str
    account: str
    method: str


def read(tail: str) -> Refusal:
    """The part of a refusal behind ``from host[ip]: ``."""
    found = _REPLY.match(tail)
    code = found["code"] if found else None
    enhanced = found["enhanced"] if found else None
    words = tail[found.end() :] if found else tail
    if words.startswith("<"):
        end = _AFTER_CULPRIT.search(words)
        words = words[end.end() :] if end else words.partition(">: ")[2] or words
    text, fields = _cut(words, "; from=<", "; to=<", "; proto=")
    sender, fields = _field(fields, " from=<", (">, to=<", "> to=<", ">, proto=", "> proto="))
    recipient, fields = _field(fields, " to=<", (">, proto=", "> proto="))
    helo, fields = _helo(fields)
    return Refusal(
        int(code or 0),
        enhanced or "",
        text,
        mailbox(sender),
        mailbox(recipient),
        helo[:255],
        _value(fields, " sasl_username=").lower(),
        _value(fields, " sasl_method=").upper(),
    )


def _cut(words: str, *marks: str) -> tuple[str, str]:
    """What stands before the first of `marks` that is there at all, and the rest from its
    space on."""
    for mark in marks:
        at = words.find(mark)
        if at >= 0:
            return words[:at], words[at + 1 :]
    return words.removesuffix(";"), ""


def _field(fields: str, begin: str, ends: tuple[str, ...]) -> tuple[str, str]:
    if not fields.startswith(begin):
        return "", fields
    for end in ends:
        at = fields.find(end, len(begin))
        if at >= 0:
            return fields[len(begin) : at], fields[at + 1 :].lstrip(",")
    return fields[len(begin) :].rstrip(">"), ""


def _helo(fields: str) -> tuple[str, str]:
    _, found, rest = fields.partition(" helo=<")
    if not found:
        return "", fields
    helo, found, more = rest.partition("> sasl_")
    return (helo, " sasl_" + more) if found else (rest.rstrip(">"), "")


def _value(fields: str, name: str) -> str:
    value = fields.partition(name)[2]
    return value.partition(" sasl_")[0].strip("<>")[:320]
