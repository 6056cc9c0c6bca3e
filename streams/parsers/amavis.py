"""amavis (amavisd-new 2.3 to 2.13): its verdict on each message.

Sources: the ``log_templ`` and ``log_verbose_templ`` that amavisd comes with, its
structured_report (JSON, through Redis or a log shipper). Names of attachments and viruses, the
sender and the Message-ID stand around the client's address and may say anything: it counts only
where nothing with brackets stands before it. The second address in brackets is the message's own
word of where it began, and is nobody's here.

Cannot tell who logged in: the mail server's lines of the same queue file do.
"""

import re

from schemas import net
from streams.parsers import fields
from streams.parsers.moments import moment
from streams.parsers.part import DOCUMENT, Format, Items, Mask, Parse, Record
from streams.parsers.verdicts import verdict

SCALE = "SpamAssassin"

KINDS = {
    "CLEAN": "ham",
    "SPAM": "spam",
    "SPAMMY": "spam",
    "INFECTED": "virus",
    "BANNED": "virus",  # a file that nobody should send
    "BAD-HEADER": "ham",
    "UNCHECKED": "ham",
}

_LINE = re.compile(
    r"\([\w-]{1,40}\) (?:Passed|Blocked|Not-Delivered) (?P<kind>[A-Z]{3,12}(?:-HEADER)?)"
    r"(?:-[\w-]{1,20})?"
    # Neither a virus nor a file can have brackets in its name, and be followed by an address.
    r"(?P<usual>(?: \([^\[\]]{0,1000}\))?(?: \{[\w,]{0,200}\})?,(?: [A-Z/]{1,30}){0,6}"
    r"(?: \[(?:IPv6:)?(?P<ip>[0-9A-Fa-f.:]{2,45})\](?::\d{1,5})?(?: \[[0-9A-Fa-f.:]{2,50}\])?)?"
    r" <(?:(?P<sender>[^<>\s]{0,320})> -> <)?)?"
)
_QUEUE_ID = re.compile(r"(?P<id>[0-9A-Za-z]{6,20}),")
_HITS = re.compile(r"-?\d{1,6}(?:\.\d{1,6})?")


def _log(record: Record) -> Items:
    text = record.text
    if ") Passed " not in text[:60] and ") Blocked " not in text[:60]:
        return ()
    found = _LINE.match(text)
    kind = KINDS.get(found["kind"], "") if found else ""
    if found is None or not kind:
        return ()
    queue_id = _after(text, ", Queue-ID: ", _QUEUE_ID)
    hits = _after(text, ", Hits: ", _HITS)
    return verdict(
        record,
        kind,
        queue_id["id"] if queue_id else "",
        scale=SCALE,
        score=float(hits[0]) if hits else 0.0,
        client=net.address(found["ip"] or ""),
        sender=fields.mailbox(found["sender"] or ""),
    )


def _after(text: str, words: str, pattern: re.Pattern[str]) -> re.Match[str] | None:
    """What follows these words, where nobody wrote them a second time."""
    at = text.find(words)
    if at < 0 or text.find(words, at + 1) > 0:
        return None
    return pattern.match(text, at + len(words))


def _document(record: Record) -> Items | None:
    """A message's report as JSON."""
    data = record.data
    if "mail_id" not in data or "mail_from" not in data or "rcpt_to" not in data:
        return None
    told = list(fields.records(data.get("recipients")))
    content = fields.text(data.get("content_type") or data.get("content"))
    words = [content, *(fields.text(one.get("ccat_main")) for one in told)]
    kinds = {KINDS.get(word.upper().replace("VIRUS", "INFECTED"), "") for word in words}
    kind = next((kind for kind in ("virus", "spam", "ham") if kind in kinds), "")
    if not kind:
        return ()
    said = [data.get("score"), *(one.get("spam_score") for one in told)]
    scores = [float(score) for score in said if isinstance(score, int | float)]
    return verdict(
        record,
        kind,
        fields.text(data.get("queue_id"))[:64],
        at=moment(data.get("time_unix")),
        scale=SCALE,
        score=max(
            (float(score) for score in scores if isinstance(score, int | float)), default=0.0
        ),
        client=fields.client(data.get("client_ip") or data.get("src_ip")),
        sender=fields.mailbox(data["mail_from"]),
    )


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program == DOCUMENT:
        return _document
    return _log if program in ("amavis", "amavisd", "amavisd-new") else None


FORMAT = Format(
    "amavis",
    parser,
    keys=("mail_id",),
)
