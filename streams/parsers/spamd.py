"""SpamAssassin's spamd (2.6 to 4.0): its verdict on each message.

Source: spamd's own script (spamd.raw). Each message has two lines, ``identified spam`` or
``clean message`` with the exact score, and ``result:``; the first is the verdict. spamd does not
know who sent the message: its client is whoever runs spamc, its user the recipient.
"""

import re

from schemas.events import Verdict
from streams.parsers.part import Format, Items, Mask, Parse, Record

_JUDGED = re.compile(
    r"(?:spamd: )?(?P<what>identified spam|clean message) "
    r"\((?P<score>-?\d{1,6}(?:\.\d{1,6})?)/-?\d{1,6}(?:\.\d{1,6})?\) for "
)


def _log(record: Record) -> Items:
    found = _JUDGED.match(record.text)
    if found is None:
        return ()
    return (
        Verdict(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            kind="spam" if found["what"] == "identified spam" else "ham",
            score=float(found["score"]),
            scale="SpamAssassin",
        ),
    )


def _text(record: Record) -> Items | None:
    """spamd's own file: ``ctime [pid] level: spamd: text``."""
    text = record.text
    at = text.find("spamd: ", 0, 40)
    if text[:1] != "[" or at < 0:
        return None
    return _log(Record(record.at, record.host, "spamd", "", text[at:], record.offset, record.times))


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _text
    return _log if program in ("spamd", "spamassassin") else None


FORMAT = Format(
    "spamd",
    parser,
    begins=r"\[(?s:.{0,32}?)spamd: ",
)
