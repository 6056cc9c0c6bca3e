"""Dovecot 1.x to 2.4: one file for each of its programs that tells of clients and mail.

The tag is ``dovecot``, with the process at the line's beginning, or the process itself, as in
Dovecot's own log file.
"""

from collections.abc import Callable

from streams.parsers.dovecot import auth, delivery, exported, login
from streams.parsers.part import DOCUMENT, Format, Items, Mask, Parse, Record, any_of

_DELIVERING = ("lmtp", "lda", "deliver")
_AUTHENTICATING = ("auth", "auth-worker", "dovecot-auth")
TAGS = frozenset({*_AUTHENTICATING, *_DELIVERING, *login.SERVICES})


class _Parser:
    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._readers: dict[str, Callable[[Record, str, str], Items]] = {
            **dict.fromkeys(login.SERVICES, login.read),
            **dict.fromkeys(_AUTHENTICATING, self._auth),
            **dict.fromkeys(_DELIVERING, delivery.read),
            "stats": exported.read,
        }

    def parse(self, record: Record) -> Items:
        """A line that begins with the name of its process."""
        text = record.text
        name, _, rest = text.partition(": ")
        read = self._readers.get(name)
        if read is not None:
            return read(record, name, rest)
        name = name.partition("(")[0]
        read = self._readers.get(name)
        return read(record, name, text[len(name) :]) if read is not None else ()

    def of_process(self, name: str) -> Parse:
        """A parser of lines whose tag is the name of their process."""
        read = self._readers[name]
        return lambda record: read(record, name, record.text)

    def by_text(self, record: Record) -> Items | None:
        """A line without a tag."""
        return self.parse(record) or None

    def _auth(self, record: Record, name: str, rest: str) -> Items:
        return auth.read(self._mask, record, rest)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _Parser(mask).by_text
    if program == "dovecot":
        return _Parser(mask).parse
    if program == DOCUMENT:
        return exported.document
    return _Parser(mask).of_process(program) if program in TAGS else None


FORMAT = Format(
    "dovecot",
    parser,
    begins=rf"(?:{any_of(*TAGS, 'stats')})(?:: |\()",
    keys=("event",),
)
