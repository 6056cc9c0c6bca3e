"""What checked a message's origin: OpenDKIM, OpenDMARC, and the SPF policy servers.

Sources: OpenDKIM's opendkim.c (2.9 to 2.11), OpenDMARC's opendmarc.c (1.3, 1.4), policyd-spf of
spf-engine (pypolicyd-spf, pyspf-milter), postfix-policyd-spf-perl. Each line is one verdict; its
queue file, where the line names it, tells whose message it was. OpenDKIM tells results only with
``SyslogSuccess`` and ``LogResults``, and never of what.

HELO and sender stand beside the client's address and may say anything: an address counts only
where the line has one ``client-ip=``.
"""

import re
from typing import Any

from schemas import net
from streams.parsers import fields
from streams.parsers.part import Format, Items, Mask, Parse, Record
from streams.parsers.results import SCORES, result
from streams.parsers.verdicts import verdict

_QUEUED = re.compile(r"(?P<qid>[0-9A-Za-z]{6,20}): (?P<said>.*)", re.DOTALL)
_SIGNED = re.compile(
    r"s=[^ ]{1,80} d=(?P<domain>[^ ]{1,255}) (?:a=[\w-]{1,20} )?(?:SSL|error|signature)"
)
_DMARC = re.compile(r"(?P<domain>[^ :;()]{1,255}) (?P<result>pass|fail|none)")
_RECEIVED = re.compile(r"Received-SPF: (?P<result>[A-Za-z]{4,10})\b")
_PLAIN = re.compile(r"(?P<result>[A-Z][A-Za-z]{3,9}); identity=")
_REFUSED = re.compile(r"(?:Message rejected due to|rejected due to): SPF (?P<result>[a-z]{4,10})")
_CLIENT = re.compile(r"\b(?:client-ip=|[;&]ip=)(?P<ip>[0-9A-Fa-f.:]{2,45})(?![\w.:-])")
_SENDER = re.compile(r'\benvelope-from="?(?P<sender>[^\s";]{1,320})')

_DKIM_WORDS = (
    # what a line begins with, result
    ("DKIM verification successful", "pass"),
    ("bad signature data", "fail"),
    ("key retrieval failed", "temperror"),
    ("no signature data", "none"),
    ("message has signatures from", ""),
)


def _verdict(record: Record, kind: str, word: str, queue_id: str = "", **known: Any) -> Items:
    return verdict(record, kind, queue_id, scale=word, score=SCORES[word], **known)


def _dkim(record: Record) -> Items:
    found = _QUEUED.fullmatch(record.text)
    if found is None:
        return ()
    said, queue_id = found["said"], found["qid"]
    for words, word in _DKIM_WORDS:
        if said.startswith(words):
            return _verdict(record, "dkim", word, queue_id) if word else ()
    if said.startswith("s=") and _SIGNED.match(said):
        word = "fail" if "bad signature" in said or "verification failed" in said else "permerror"
        return _verdict(record, "dkim", word, queue_id)
    return ()


def _dmarc(record: Record) -> Items:
    found = _QUEUED.fullmatch(record.text)
    if found is None:
        return ()
    told = _DMARC.fullmatch(found["said"])
    return _verdict(record, "dmarc", told["result"], found["qid"]) if told else ()


def _spf(record: Record) -> Items:
    text = record.text
    found = _RECEIVED.search(text) or _PLAIN.match(text) or _REFUSED.search(text)
    word = result(found["result"]) if found else ""
    if not word:
        return ()
    addresses = {one["ip"] for one in _CLIENT.finditer(text)}
    sender = _SENDER.findall(text)
    return _verdict(
        record,
        "spf",
        word,
        client=net.address(addresses.pop()) if len(addresses) == 1 else "",
        sender=fields.mailbox(sender[0]) if len(sender) == 1 else "",
    )


READERS: dict[str, Parse] = {
    "opendkim": _dkim,
    "opendmarc": _dmarc,
    "policyd-spf": _spf,
    "policy-spf": _spf,
    "pyspf-milter": _spf,
    "spfmilter": _spf,
    "postfix/policy-spf": _spf,
    "postfix-policyd-spf-perl": _spf,
}


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return READERS.get(program)


FORMAT = Format("authentication", parser)
