"""Cisco Secure Email Gateway (ESA, IronPort), AsyncOS 4 to 16: text mail logs, and the consolidated
event as CEF.

Grammar from the "Logging" chapter of the AsyncOS user guides and Cisco's notes on single lines.
A log subscription's name, which is its syslog tag, is the site's choice.
"""

import re

from streams.parsers.cisco_esa import cef, mail
from streams.parsers.part import Format, Items, Mask, Parse, Record

_LEVELS = ("Info: ", "Warning: ", "Critical: ", "Debug: ", "Trace: ")
_LEAD = re.compile(
    # a stamp of its own; an address, the subscription's name
    r"(?:(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d (?:\d{4} )? ?)?"
    r"(?:[\w.:/-]{1,255} )?(?:[\w.-]{1,80}: )?(?=(?:Info|Warning|Critical): )"
)
_NUMBERED = re.compile(r"\b(?:Info|Warning|Critical): (?:\w{3,12} ){0,2}(?:MID|[IDR]CID):? \d")
_TAG = re.compile(
    r"(?i)(?:.{0,40}[._-])?(?:mail|gui|auth|authentication)_?logs?|authentication|.{0,40}(?:ironport|securityaudit|cisco_esa).{0,40}"
)


def read(record: Record) -> Items | None:
    """A line of a mail log, perhaps behind a stamp of its own; None where it is none."""
    text = record.text
    if text.startswith(cef.BEGIN):
        return cef.read(record, text)
    host, _, rest = text.partition(" ")
    if rest.startswith(cef.BEGIN):
        named = Record(record.at, host, "", "", rest, record.offset, record.times)
        return cef.read(named, rest)
    if not text.startswith(_LEVELS):
        head = text[:160]
        lead = _LEAD.match(text) if any(level in head for level in _LEVELS[:3]) else None
        if lead is None:
            return None
        text = text[lead.end() :]
    level, _, said = text.partition(": ")
    if level in ("Debug", "Trace"):
        return ()
    return mail.read(record, said.lstrip())


def by_text(record: Record) -> Items | None:
    """A line without a tag: what is not of interest may be anybody's, but for its numbers."""
    items = read(record)
    if items is None or items:
        return items
    return items if _NUMBERED.search(record.text, 0, 300) else None


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program or program == "CEF":
        return by_text
    return read if _TAG.fullmatch(program) else None


FORMAT = Format(
    "cisco-esa",
    parser,
    holds=(*_LEVELS[:3], cef.BEGIN),
)
