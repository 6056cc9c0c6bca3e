"""MailScanner (4.x, 5.x): its verdict on each message.

Source: MailScanner's own modules Message.pm and SA.pm and the texts of its languages.conf
(English). The address stands before all that strangers choose. A message can have two verdicts,
one on spam and one on viruses.
"""

import re

from schemas import net
from streams.parsers import fields
from streams.parsers.part import Format, Items, Mask, Parse, Record
from streams.parsers.verdicts import verdict

_JUDGED = re.compile(
    r"Message (?P<qid>[0-9A-Za-z.-]{4,40}) from (?P<ip>[0-9A-Fa-f.:]{2,45}) "
    r"\((?P<sender>[^\s()]{0,320})\) to \S{0,1000} is (?P<what>not spam|spam)\b"
)
_SCORE = re.compile(r"\b[Ss]core=(?P<score>-?\d{1,6}(?:\.\d{1,6})?), required ")
_INFECTED = re.compile(
    r"Infected message (?P<qid>[0-9A-Za-z.-]{4,40}) came from (?P<ip>[0-9A-Fa-f.:]{2,45})"
)


def _log(record: Record) -> Items:
    text = record.text
    if text.startswith("Infected message "):
        found = _INFECTED.match(text)
        return _verdict(record, found, "virus") if found else ()
    if not text.startswith("Message "):
        return ()
    found = _JUDGED.match(text)
    if found is None:
        return ()
    score = _SCORE.search(text, found.end())
    return _verdict(
        record,
        found,
        "spam" if found["what"] == "spam" else "ham",
        float(score["score"]) if score else 0.0,
        fields.mailbox(found["sender"]),
    )


def _verdict(
    record: Record, found: re.Match[str], kind: str, score: float = 0.0, sender: str = ""
) -> Items:
    # Postfix's queue file has a suffix of MailScanner's: "4c1kQ20000z.A1B2C"
    queue_id = found["qid"].partition(".")[0]
    return verdict(
        record,
        kind,
        queue_id,
        client=net.address(found["ip"]),
        sender=sender,
        score=score,
        scale="SpamAssassin" if kind != "virus" else "",
    )


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return _log if program == "MailScanner" else None


FORMAT = Format("mailscanner", parser)
