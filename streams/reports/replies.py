"""SMTP replies inside text: reply code, enhanced status code, and which of several says most.

RFC 5321 (4.2), RFC 3463. Only what stands where a server's reply begins counts as a code: a
number inside an address, a size or a date does not.
"""

import re

from msgspec import Struct

LONGEST = 2000  # characters that are looked at
SHOWN = 300  # of a reply that are kept

_REPLY = re.compile(
    r"(?:^|(?<=[\s:;,\"'(\[<{#=|-]))(?<!port )(?P<code>[45][0-57]\d)"
    r"(?=[-\s:;,)\]#]\s{0,3}|$)(?:[-\s:;,#)(<\[]{0,4}(?P<status>[45]\.\d{1,2}\.\d{1,3})\b)?",
    re.MULTILINE,
)
_STATUS = re.compile(
    r"(?<![\d.\w])(?<!ersion )(?P<status>[245]\.\d{1,2}\.\d{1,3})(?![\d.]*\d)(?!\.\w)"
)
_WRAPPED = re.compile(r" <[^<>\n]{1,320}>\.\.\. [45]")  # 554 <a@b>... 550 Host unknown
_NO_REPLY = re.compile(
    r"\s{0,3}(?:bytes|kb|mb|seconds|messages|days|hours|attempts|port)\b", re.IGNORECASE
)

_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_OWN_WORDS = re.compile(r"\n(?:I'm not going to try|Giving up on|\s{0,8}----- )")


class Said(Struct, frozen=True):
    """What a reply says; 0 and "" where it says nothing."""

    code: int = 0
    status: str = ""


def read(text: str) -> Said:
    """The code and the enhanced status code of the first reply in a text."""
    text = text[:LONGEST]
    code, status, last = 0, "", 0
    for found in _REPLY.finditer(text):
        if _NO_REPLY.match(text, found.end("code")):
            continue
        if not code or _WRAPPED.match(text, last):
            code = int(found["code"])
        last = found.end("code")
        if found["status"]:
            code, status = int(found["code"]), found["status"]
            break
    if not status:
        status = exact(found["status"] for found in _STATUS.finditer(text))
    if status[:1] == "2":
        status = ""
    if code and status and status[0] != str(code)[0] and code // 100 == 5:
        status = ""  # a temporary status of a permanent reply was not said of this one
    return Said(code, status)


def exact(found: object) -> str:
    """The most telling of some status codes: 5.1.1 before 5.1.0 before 5.0.0, else the first."""
    best = ""
    for status in found:  # type: ignore[attr-defined]
        if status and (not best or rank(status) > rank(best)):
            best = status
    return best


def rank(status: str) -> int:
    """How much a status code tells: 0 nothing beyond its class, 1 its subject, 2 all."""
    _, _, detail = status.partition(".")
    subject, _, rest = detail.partition(".")
    return 0 if subject == "0" and rest == "0" else 1 if rest == "0" else 2


def shown(text: str) -> str:
    """A reply in one line, cut."""
    return " ".join(text[:LONGEST].split())[:SHOWN]


def essence(text: str) -> str:
    """From the first reply in a text to the end of its paragraph, or of the brackets that it
    stands in; "" where there is none."""
    text = text[:LONGEST]
    for found in _REPLY.finditer(text):
        if not _NO_REPLY.match(text, found.end("code")):
            reply = text[found.start() :].partition("\n\n")[0]
            return _OWN_WORDS.split(_inside(text[found.start() - 1 : found.start()], reply))[0]
    return ""


def _inside(bracket: str, text: str) -> str:
    """`text` up to where a bracket is closed that was opened before it."""
    closing = _BRACKETS.get(bracket)
    if closing is None:
        return text
    depth = 1
    for index, sign in enumerate(text):
        depth += (sign == bracket) - (sign == closing)
        if not depth:
            return text[:index]
    return text
