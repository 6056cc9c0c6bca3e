"""Postfix's policy delegation protocol (SMTPD_POLICY_README): bytes <-> questions. No IO.

A question is lines ``name=value`` and an empty line; the answer is ``action=`` with a right side
of access(5), and an empty line. Postfix keeps its connection for the next question; Exim's
``${readsocket}`` asks once, and closes its half at once.

What clients of the mail server say is inside the values: where a name comes twice the first one
counts, so that a value that smuggles in a line changes nothing that stands before it.
"""

import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

from schemas import keys, net

ASKED: Final = "smtpd_access_policy"  # the only kind of question of Postfix's
STATUS: Final = "mailwarden_status"  # and one of ours: is somebody there, and does anybody ask?

LONGEST = 32_768  # bytes of a question; Postfix's lines are 2 KiB at most, and it sends 35
LONGEST_LINE = 8_192
MOST_LINES = 100
LONGEST_NAME = 320  # characters of an address of mail or a login that count (RFC 5321, 4.5.3.1)

END = b"\n\n"

NAMES: Final = frozenset(
    {
        "request",
        "protocol_state",
        "client_address",
        "sender",
        "recipient",
        "recipient_count",
        "queue_id",
        "instance",
        "size",
        "sasl_username",
        "policy_context",
    }
)
"""The attributes that are looked at."""

Attributes = dict[str, str]
"""Values by name, one of `NAMES`."""

_Order = tuple[str, ...]


class Questions:
    """The bytes of one connection as questions. One that cannot be read is None, and nothing
    comes after it: the rest cannot be trusted to begin where it seems to.

    Who asks again names the same attributes in the same order. So two questions alike make a
    pattern of their names, which reads those that follow in less than half of the time."""

    def __init__(self) -> None:
        self._rest = b""
        self._broken = False
        self._order: _Order = ()  # names of the last question that was taken apart
        self._pattern: re.Pattern[str] | None = None  # of two such questions in that order
        self._known: _Order = ()  # what it finds

    def feed(self, data: bytes) -> list[Attributes | None]:
        if self._broken:
            return []
        *blocks, self._rest = (self._rest + data).split(END)
        found: list[Attributes | None] = []
        for block in blocks:
            attributes = self._read(block)
            found.append(attributes)
            if attributes is None:
                self._broken = True
                return found
        if len(self._rest) > LONGEST:
            self._broken = True
            found.append(None)
        return found

    def end(self) -> list[Attributes | None]:
        """Nothing more will come: what has no empty line behind it is a question as well."""
        rest, self._rest = self._rest.removesuffix(b"\n"), b""
        return [self._read(rest)] if rest and not self._broken else []

    def _read(self, block: bytes) -> Attributes | None:
        if self._pattern is not None and len(block) <= LONGEST_LINE:
            match = self._pattern.fullmatch(block.decode("utf-8", "replace"))
            if match is not None:
                return dict(zip(self._known, match.groups(), strict=True))
        lines = parse(block)
        if lines is None:
            return None
        order = tuple([name for name, _ in lines])
        if order != self._order:
            self._order, self._pattern = order, None
        elif self._pattern is None:
            self._pattern, self._known = _pattern(order)
        return {name: value for name, value in reversed(lines) if name in NAMES}


def parse(block: bytes) -> list[tuple[str, str]] | None:
    """The lines of a question without its empty line; None where it is none."""
    if len(block) > LONGEST:
        return None
    lines = block.decode("utf-8", "replace").split("\n")
    if len(lines) > MOST_LINES:
        return None
    if len(block) > LONGEST_LINE and max(map(len, lines)) > LONGEST_LINE:
        return None
    found = [(name, value) for name, sign, value in (x.partition("=") for x in lines) if sign]
    names = [name for name, _ in found]
    whole = len(found) == len(lines) and "request" in names and "" not in names
    return found if whole else None


@lru_cache(maxsize=64)
def _pattern(order: _Order) -> tuple[re.Pattern[str], _Order]:
    """A pattern for questions with the attributes of this order, and which of them it finds: of
    those that count, the first of each name."""
    lines = []
    known: list[str] = []
    for name in order:
        wanted = name in NAMES and name not in known
        lines.append(f"{re.escape(name)}=" + ("([^\n]*+)" if wanted else "[^\n]*+"))
        if wanted:
            known.append(name)
    return re.compile("\n".join(lines)), tuple(known)


def answer(action: str) -> bytes:
    """An answer. Whoever makes the action sees to it that it is one line."""
    return f"action={action}\n\n".encode()


class Request(Struct, frozen=True, gc=False):
    """What is asked: who wants to do what. What is not known is empty."""

    state: str = ""  # CONNECT, XCLIENT, EHLO, HELO, MAIL, RCPT, DATA, END-OF-MESSAGE, VRFY, ETRN
    client: str = ""  # canonical address
    account: str = ""  # that has logged in, in its one spelling
    sender: str = ""
    recipient: str = ""  # "" from DATA on where there are several
    recipients: int = 0  # accepted ones; from DATA on
    instance: str = ""  # the same for all questions about one message
    submission: bool = False


def request(attributes: Attributes, login_domain: str = "") -> Request:
    """The request of a question. What is nonsense in it counts as not known."""
    get = attributes.get
    login = get("sasl_username")
    return Request(
        get("protocol_state", ""),
        net.address(get("client_address", "")),
        keys.mailbox(login, login_domain) if login else "",
        get("sender", "").lower()[:LONGEST_NAME],
        get("recipient", "").lower()[:LONGEST_NAME],
        number(get("recipient_count", "")),
        get("instance", "")[:LONGEST_NAME],
        bool(login) or get("policy_context", "").startswith("submission"),
    )


def number(text: str) -> int:
    """A count; 0 where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
