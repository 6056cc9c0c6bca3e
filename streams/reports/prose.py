"""The human's part of a report: failed addresses, and what is said of each.

qmail, Exim, Exchange, Notes, Courier, Sendmail, the providers and the gateways word it in a
hundred ways that have this in common: an address stands at the beginning of a line, or behind a
label, or inside a sentence of failure; what is said of it follows until the next one, or stands
in a transcript that names the address again, or is the only reply in the text. Nothing here
depends on a producer's name.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from streams.reports import replies
from streams.reports.failure import Failure

MOST = 100  # addresses
LONGEST = 1 << 15  # characters of a text
WIDTH = 2000  # characters of a line

_NAME = r"""(?:[^\s<>()\[\]"',;:@|*=]|=(?!"))[^\s<>()\[\]"',;:@|]{0,63}"""
_ADDRESS = (
    rf"""(?<![\w.+%/-])(?P<a>(?:{_NAME}|"[^"@\n]{{1,60}}")@[^\W_](?:[\w-]|\.(?=[\w-])){{1,252}})"""
)
_STARTS = re.compile(
    rf"""[ \t>*•·–-]{{0,24}}(?:\d{{1,3}}[.)]\s)?(?:rfc822;\s?)?[<"'(\[]{{0,3}}(?:mailto:|smtp:)?"""
    rf"""{_ADDRESS}""",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    rf"""[^@\n]{{0,90}}?(?:(?:failed |final |original |intended |e-?mail |mail |target mail |"""
    rf"""recipient(?:'s)? |delivery )?(?:recipients?|address(?:es)?|addressee|rcpt to|to)"""
    rf"""(?:\s\(final\))?|for|user|mailbox|size|attempts|account|宛先|destination|addressed to|"""
    rf"""generated from|smtp)"""
    rf"""\s{{0,4}}[:=]?>?\s{{0,12}}[<"'(\[]{{0,3}}(?:mailto:|rfc822;\s?|smtp:)?{_ADDRESS}""",
    re.IGNORECASE,
)
_ECHO = re.compile(
    rf"""[ \t>]{{0,24}}to\s{{0,4}}:\s{{0,12}}[<"']{{0,2}}{_ADDRESS}""", re.IGNORECASE
)
_ACTOR = re.compile(
    r"\b(?<!generated )(?:from|by|sender|contact|via)[\s:]{0,3}[<\"'(]{0,3}$", re.IGNORECASE
)
_LAST = re.compile(rf"""[^@\n:]{{1,90}}:\s{{0,8}}[<"'(]?{_ADDRESS}[>"')]?[ \t.]{{0,8}}$""")
_ANYWHERE = re.compile(_ADDRESS)
_FAILS = re.compile(
    r"\b(?:fail|undeliver|unable|could ?n[o']t|can ?not|can't|reject|unknown|no such|invalid|"
    r"does(?: not|n't)|not |full|quota|exceed|error|refus|denied|bounce|disabled|suspend|expired|"
    r"[45]\d\d[ -]|unreach|delay|dropp|discard|returned|timed|never|unrout|retry)",
    re.IGNORECASE,
)
_NOT_FAILED = re.compile(
    r"^[ \t>]{0,8}(?:from|sender|mail from|reply-to|return-path|envelope-from|cc|message-id|"
    r"in-reply-to|reported by|contact|support|x-[\w-]{1,40}|subject|generating server|"
    r"sent by|received|helo|the mail system|by)\b\s{0,4}[:=<]?",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"(?:mailer-daemon|postmaster|abuse|hostmaster|help ?desk|support|noreply|no-reply)@",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"[ \t]{0,8}(?:Sent )?[<>]{3,4} ?(?:RCPT TO|MAIL FROM|DATA|HELO|EHLO|STARTTLS|QUIT)",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"[ \t]{0,8}(?:(?:Received )?(?:<<<|>>>)|<-|Server:|Remote host said:?) ?(?P<reply>.{1,1000})",
    re.IGNORECASE,
)
_BARE_REPLY = re.compile(r"[ \t]{0,8}(?P<reply>[45]\d\d[ -].{1,1000})")


_ECHOED, _MENTIONED, _NAMED, _BEGINS = 1, 2, 3, 4
"""How an address can stand in a text: in the header that it repeats, in a sentence of failure,
behind a label, at the beginning of a line."""


class Line(Struct):
    text: str
    address: str = ""  # that begins a segment here
    rank: int = 0  # how sure it is that this one failed
    rest: str = ""  # what follows the address


class Answer(Struct, frozen=True):
    """A reply in a transcript."""

    context: str  # lower case: the command that it answers, and itself
    text: str
    said: replies.Said


def failures(
    text: str, not_failed: frozenset[str], addressed: frozenset[str] = frozenset()
) -> list[Failure]:
    """The addresses that a text calls failed, with what it says of them. `not_failed` are those
    that are not meant, such as the one that gets the report, unless there are no others;
    `addressed` are those to whom the returned mail went."""
    lines = [Line(line[:WIDTH]) for line in text[:LONGEST].split("\n")]
    for line in lines:
        _look(line, addressed)
    found = [line for line in lines if line.rank and line.address not in not_failed]
    found = found or [line for line in lines if line.rank]
    if not found:
        return []
    best = max(found, key=lambda line: _weight(line, addressed)).rank
    meant = {line.address for line in found if line.rank == best}
    words: dict[str, list[str]] = {}
    before: list[str] = []
    current = before
    for line in lines:
        if line.rank == best and line.address in meant:
            if line.address not in words and len(words) >= MOST:
                break
            current = words.setdefault(line.address, [])
            current.append(line.rest.strip())
        else:
            current.append(line.text.strip())
    shared = "\n".join(before)
    answers = list(_answers(lines))
    alone = len(words) == 1
    return [_failure(name, said, answers, alone, shared) for name, said in words.items()]


def _weight(line: Line, addressed: frozenset[str]) -> tuple[bool, int]:
    return line.rank > _ECHOED and line.address in addressed, line.rank


def _look(line: Line, addressed: frozenset[str]) -> None:
    """Whether an address that failed stands in a line, and how sure that is."""
    text = line.text
    if "@" not in text or _NOT_FAILED.match(text):
        return
    found = _ECHO.match(text)
    rank = _ECHOED
    if found is None:
        found, rank = _STARTS.match(text), _BEGINS
    if found is None:
        found, rank = _LABELLED.match(text), _NAMED
    if found is None and not _COMMAND.match(text) and _FAILS.search(text):
        found, rank = _LAST.match(text), _NAMED
        if found is None:
            found, rank = _ANYWHERE.search(text), _MENTIONED
    if found is None or _ACTOR.search(text[: found.start("a")]):
        return
    name, rest = found["a"].strip("'").lower(), text[found.end("a") :]
    listed = rank == _BEGINS and rest.startswith(">:")  # as qmail and Postfix list who failed
    if listed or name in addressed or not _NOBODY.match(name):
        line.address, line.rank = name, rank
        line.rest = rest.lstrip(">:,;\"')] \t") if rank == _BEGINS else text


def _failure(
    name: str, said: list[str], answers: list[Answer], alone: bool, shared: str
) -> Failure:
    """What is said of one address: in its own lines, where a transcript names it, or before all
    of them; and, where it is alone, anywhere."""
    own = "\n".join(said).strip("\n")
    reply = replies.read(own)
    if not (reply.code and reply.status):
        answer = next(
            (a for a in answers if name in a.context), answers[0] if alone and answers else None
        )
        other = answer.said if answer else replies.Said()
        if answer and _tells(other) > _tells(reply):
            own = f"{answer.text}\n{own}"
        elif not (reply.code or reply.status) and replies.read(shared).code:
            own = f"{replies.essence(shared)}\n\n{own}"
    if alone and not _FAILS.search(own):
        own = f"{own}\n{shared}"
    return Failure(name, words=own[: replies.LONGEST].strip("\n"))


def _tells(said: replies.Said) -> tuple[bool, int]:
    return bool(said.code), replies.rank(said.status) if said.status else -1


def _answers(lines: list[Line]) -> Iterator[Answer]:
    """The replies of a session that a text repeats, each with the command before it."""
    command = ""
    for line in lines:
        text = line.text
        if _COMMAND.match(text):
            command = text.lower()
            continue
        found = _ANSWER.match(text) or _BARE_REPLY.match(text)
        said = replies.read(found["reply"]) if found else replies.Said()
        if found and said.code:
            yield Answer(f"{command} {text.lower()}", found["reply"], said)
