"""Postfix's refusals: ``reject: RCPT from host[ip]: 550 5.1.1 <culprit>: text; from=<> to=<> ...``

smtpd_check.c and smtpd.c (log_whatsup), postscreen_smtpd.c (whose fields stand between commas).
Client and command stand before anything that the client chose; what follows is cut from left to
right. A quoted address may hold a forged tail (RFC 5321, 4.1.2), which older releases log without
its quotes (info_log_address_format, Postfix 3.5): where the server's own words name the recipient,
they are believed before the fields are.
"""

import re
from typing import NamedTuple

from streams.parsers.postfix.peer import mailbox

# How smtpd_check.c goes on after the culprit.
_OWN_WORDS = (
    "Recipient address",
    "Sender address",
    "Client host",
    "Helo command",
    "Relay access",
    "Data command",
    "End-of-data",
    "SASL login",
    "User unknown",
    "ETRN",
    "Access denied",
    "Temporary lookup",
)


# Behind these the culprit is the recipient.
_ABOUT_RECIPIENT = ("Recipient address", "Relay access", "User unknown")
_ADDRESS = r'((?:"(?:[^"\\]|\\.)*+"(?:@[^\s<>"]*)?|[^\s<>"]*))'
_ADDRESSES = re.compile(rf"from=<{_ADDRESS}>,? to=<{_ADDRESS}>,? proto=")


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
    code = enhanced = ""
    words = tail
    if tail[:3].isdecimal() and not tail[3:4].isdecimal():
        code, words = tail[:3], tail[4:]
    status, _, after = words.partition(" ")
    if status.replace(".", "").isdecimal() and status.count(".") == 2:
        enhanced, words = status, after
    culprit = ""
    if words.startswith("<"):
        end = _end_of_culprit(words)
        culprit, words = words[1 : end - 3], words[end:]
        if not words.startswith(_ABOUT_RECIPIENT):
            culprit = ""
    # What smtpd writes nearly always, field by field.
    text, sender_, more = words.partition("; from=<")
    sender, to_, more = more.partition("> to=<")
    recipient, proto_, more = more.partition("> proto=")
    helo, closed, after = more.partition(" helo=<")[2].partition(">")
    if (
        sender_
        and to_
        and proto_
        and closed
        and not after
        and culprit in ("", recipient)
        and '"' not in (both := sender + recipient)
        and "<" not in both
    ):
        return Refusal(
            int(code or 0), enhanced, text, mailbox(sender), mailbox(recipient), helo[:255], "", ""
        )
    text, fields = _cut(words, "; from=<", "; to=<", "; proto=")
    sender, recipient, fields = _both(fields, culprit)
    helo, fields = _helo(fields)
    return Refusal(
        int(code or 0),
        enhanced,
        text,
        mailbox(sender),
        mailbox(recipient),
        helo[:255],
        _value(fields, " sasl_username=").lower(),
        _value(fields, " sasl_method=").upper(),
    )


def _end_of_culprit(words: str) -> int:
    """Where the server's own words begin. The client chose the culprit, perhaps to look like
    them; but the whole of it comes again as sender, recipient or greeting."""
    first = at = words.find(">: ")
    while at >= 0:
        again = f"={words[: at + 1]}"
        if words.startswith(_OWN_WORDS, at + 3) and (
            words.find(">: ", at + 3) < 0 or f"{again} " in words or words.endswith(again)
        ):
            return at + 3
        at = words.find(">: ", at + 3)
    return first + 3 if first >= 0 else 0


def _cut(words: str, *marks: str) -> tuple[str, str]:
    """What stands before the first of `marks` that is there at all, and the rest from its
    space on."""
    for mark in marks:
        at = words.find(mark)
        if at >= 0:
            return words[:at], words[at + 1 :]
    return words.removesuffix(";"), ""


def _both(fields: str, culprit: str) -> tuple[str, str, str]:
    """Sender and recipient, and the fields behind them."""
    named = f"> to=<{culprit}> proto="
    at = fields.rfind(named) if culprit and fields.startswith(" from=<") else -1
    if at >= 0:
        return fields[7:at], culprit, fields[at + len(named) - 7 :]
    quoted = _ADDRESSES.match(fields, 1)
    if quoted is not None:
        return quoted[1], quoted[2], fields[quoted.end() - 7 :]
    sender, fields = _field(fields, " from=<", (">, to=<", "> to=<", ">, proto=", "> proto="))
    recipient, fields = _field(fields, " to=<", (">, proto=", "> proto="))
    return sender, recipient, fields


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
