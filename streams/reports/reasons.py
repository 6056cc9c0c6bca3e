"""Why a mail was not delivered: one word for what a reply, a status or a sentence says.

The classes:

user_unknown     there is no such mailbox          mailbox_full  it is over its quota
suspended        it is disabled or expired         moved         it has another address now
host_unknown     the domain does not exist or takes no mail at all
too_big          the mail is larger than allowed   rate          too much or too many at once
relay            the server does not pass it on    reputation    the sending host is not wanted
content          spam, a virus, a forbidden part   policy        any other rule of the receiver
network          the host was not reached          expired       it was tried until time ran out
system           the receiver's own fault          protocol      a command was not understood
other            nothing of these

The words come first, for status codes are often generic or wrong; then the enhanced status code
(RFC 3463 and its registry), then the reply code (RFC 5321). The wordings are those of mail
servers and providers at large, written down as what they have in common.
"""

import re
from functools import cache, lru_cache
from typing import Final

from streams.reports.wordings import BOX, NOT, WORDINGS

LONGEST = 1500  # characters of an explanation that are looked at

_STATUS: Final = {
    "1.0": "user_unknown",
    "1.1": "user_unknown",
    "1.2": "host_unknown",
    "1.3": "user_unknown",
    "1.4": "user_unknown",
    "1.5": "user_unknown",
    "1.6": "moved",
    "1.7": "policy",
    "1.8": "policy",
    "1.9": "system",
    "1.10": "host_unknown",
    "2.1": "suspended",
    "2.2": "mailbox_full",
    "2.3": "too_big",
    "2.4": "system",
    "3.4": "too_big",
    "4.4": "host_unknown",
    "4.5": "rate",
    "4.7": "expired",
    "5.3": "rate",
    "7.28": "rate",
}
_STATUS_CLASS: Final = {"3": "system", "4": "network", "5": "protocol", "6": "content"}
_EXACT: Final = {  # what a status says more surely than most words
    "1.6": "moved",
    "1.7": "policy",
    "1.8": "policy",
    "2.2": "mailbox_full",
    "2.3": "too_big",
    "3.4": "too_big",
    "4.7": "expired",
    "7.23": "policy",
    "7.25": "policy",
    "7.26": "policy",
    "7.27": "policy",
    "7.28": "rate",
}
_STRANGE = re.compile(r"\S{1,300}@\S{1,300}")
_ADDRESS = re.compile(r"\[?\b\d{1,3}(?:\.\d{1,3}){3}\b\]?|\[[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}\]")
_LINK = re.compile(r"https?://\S{1,500}")
_MICROSOFT_BANNED = re.compile(r"[45]\.7\.6\d\d$")  # 5.7.606 to 5.7.649: banned addresses
_REPLY: Final = {
    421: "network",
    450: "system",
    451: "system",
    452: "system",
    500: "protocol",
    501: "protocol",
    502: "protocol",
    503: "protocol",
    504: "protocol",
    521: "host_unknown",
    530: "policy",
    535: "policy",
    551: "moved",
    552: "mailbox_full",
    556: "host_unknown",
}


NAMES: Final = frozenset({name for name, _ in WORDINGS} | {"other"})
"""All classes."""


@lru_cache(maxsize=4096)
def classify(code: int, enhanced: str, *texts: str) -> str:
    """The class of a failure. `texts` are what the refusing server said, and then what the
    reporting one did: the first that says anything decides."""
    exact = _EXACT.get(enhanced[2:])
    if exact:
        return exact
    if _MICROSOFT_BANNED.match(enhanced):
        return "reputation"
    for text in texts:
        found = by_words(text)
        if found:
            return found
    return by_codes(code, enhanced)


@cache
def _wordings() -> list[tuple[str, re.Pattern[str]]]:
    """Compiled when the first mail comes: most processes see none."""
    return [(name, _pattern(lines)) for name, lines in WORDINGS]


def _pattern(lines: str) -> re.Pattern[str]:
    words = "|".join(filter(None, map(str.strip, lines.split("\n"))))
    return re.compile(words.replace("BOX", BOX).replace("NOT", NOT))


def by_words(text: str) -> str:
    """What words say, or "". Addresses in them are strangers' words: they are not looked at.
    Where the words say nothing, the page that they point to may."""
    said = _STRANGE.sub("x", " ".join(text[:LONGEST].lower().split()))
    said = _ADDRESS.sub("ip", said)
    plain = _LINK.sub("x", said)
    for version in (plain, said) if plain != said else (said,):
        for name, words in _wordings():
            if words.search(version):
                return name
    return ""


def by_codes(code: int, enhanced: str) -> str:
    """What the codes alone say."""
    detail = enhanced[2:]
    return (
        _STATUS.get(detail)
        or ("policy" if detail[:1] == "7" else "")
        or ("" if detail in ("3.0", "5.0") else _STATUS_CLASS.get(detail[:1], ""))
        or _REPLY.get(code)
        or "other"
    )
