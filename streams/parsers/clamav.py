"""ClamAV: clamd, clamav-milter, clamsmtpd.

Sources: clamd's server-th.c and session.c, clamav-milter's actions.c (``LogInfected``), clamsmtp's
clamsmtpd.c. Only what was infected is a verdict. clamd does not know whose message it was: its
client is the filter that asked. Names of files and viruses are strangers' text.
"""

import re

from streams.parsers import fields
from streams.parsers.part import Format, Items, Mask, Parse, Record
from streams.parsers.verdicts import verdict

_FOUND = re.compile(r"(?:-> )?(?P<what>[^\n]{1,1000}): (?P<virus>[^\s:]{1,200}) FOUND")
_FILE = re.compile(
    r"-> (?:instream\([^()\s]{1,80}\)|fd\[\d{1,9}\]|/[^\n]{0,1000}): [^\s:]{1,200} FOUND"
)
_INFECTED = re.compile(
    r"Message (?:(?P<qid>[0-9A-Za-z]{6,20}) )?from (?P<sender>\S{0,322}) to .{1,4000} "
    r"infected by (?P<virus>[^\s']{1,200})",
    re.DOTALL,
)
_SMTPD = re.compile(
    r"[0-9A-F]{6}: (?:client=[^,]{1,64}, )?from=(?P<sender>[^,]{0,320}), to=.{0,4000}, "
    r"status=VIRUS:(?P<virus>[^\s,]{1,200})",
    re.DOTALL,
)


def _virus(record: Record, queue_id: str = "", sender: str = "") -> Items:
    return verdict(record, "virus", queue_id, sender=fields.mailbox(sender))


def _clamd(record: Record) -> Items:
    text = record.text
    return _virus(record) if text.endswith(" FOUND") and _FOUND.fullmatch(text) else ()


def _milter(record: Record) -> Items:
    found = _INFECTED.match(record.text)
    return _virus(record, found["qid"] or "", found["sender"]) if found else ()


def _smtpd(record: Record) -> Items:
    found = _SMTPD.match(record.text)
    return _virus(record, sender=found["sender"]) if found else ()


def _text(record: Record) -> Items | None:
    """clamd's own file: ``ctime -> what: virus FOUND``."""
    text = record.text
    if text[:3] != "-> " or not text.endswith(" FOUND"):
        return None
    return _virus(record) if _FILE.fullmatch(text) else None


READERS: dict[str, Parse] = {
    "": _text,
    "clamd": _clamd,
    "clamdscan": _clamd,
    "clamav-milter": _milter,
    "clamsmtpd": _smtpd,
}


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return READERS.get(program)


FORMAT = Format(
    "clamav",
    parser,
    begins="-> ",
)
