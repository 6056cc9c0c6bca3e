"""Postfix's policy delegation protocol (SMTPD_POLICY_README): bytes <-> questions. No IO.

A question is lines ``name=value`` and an empty line; the answer is ``action=`` with a right side
of access(5), and an empty line. Postfix keeps its connection for the next question; Exim's
``${readsocket}`` asks once, and closes its half at once.

What clients of the mail server say is inside the values: where a name comes twice the first one
counts, so that a value that smuggles in a line changes nothing that stands before it.
"""

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

Attributes = dict[str, str]


class Questions:
    """The bytes of one connection as questions. One that cannot be read is None, and nothing
    comes after it: the rest cannot be trusted to begin where it seems to."""

    def __init__(self) -> None:
        self._rest = b""
        self._broken = False

    def feed(self, data: bytes) -> list[Attributes | None]:
        if self._broken:
            return []
        *blocks, self._rest = (self._rest + data).split(END)
        found: list[Attributes | None] = []
        for block in blocks:
            attributes = parse(block)
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
        return [parse(rest)] if rest and not self._broken else []


def parse(block: bytes) -> Attributes | None:
    """The attributes of a question without its empty line; None where it is none."""
    if len(block) > LONGEST:
        return None
    lines = block.decode("utf-8", "replace").split("\n")
    if len(lines) > MOST_LINES:
        return None
    if len(block) > LONGEST_LINE and max(map(len, lines)) > LONGEST_LINE:
        return None
    try:
        found: Attributes = dict([line.split("=", 1) for line in reversed(lines)])
    except ValueError:  # a line without a sign of equality
        return None
    return found if "request" in found and "" not in found else None


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
