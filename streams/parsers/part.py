"""What parsers take and give: a `Record` in; facts, parts and attempts out.

A parser is a pure function of one line, ``parse(record) -> Items | None``: ``None`` where the
line is nobody's of this format, ``()`` where it is and says nothing of interest, ValueError
where it is of this format and broken (it goes to the dead letters). Each syslog tag has its
own. What needs several lines it
leaves to the joiner: a `Part` of a message, connection or session, or an `Attempt` to log in
that others may report too.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from schemas.events import Auth, Fact
from streams import secrets

DOCUMENT = "{}"
INDENTED = " \t"


class Record(Struct, frozen=True, gc=False):
    """A line without its carrier."""

    at: float  # Unix seconds, UTC
    host: str  # that the line names, else the configured one
    # The syslog tag without pid: "postfix/submission/smtpd"; "" where none is told. A row of a
    # table with a header has "#" and the names of its columns, joined by commas; a JSON object
    # that is no carrier's has DOCUMENT. A line that is indented goes on from the one before it,
    # as its writer means it: it has a space.
    program: str
    pid: str
    text: str
    offset: int = -1
    times: int = 1  # a line "message repeated N times" stands for N records
    data: Any = None  # a row: its values in the order of the columns; a JSON object: a dict
    otherwise: "Record | None" = None  # what this is if no format knows it as what it seems
    file: str = ""  # that a shipper read it from, where it says so and no program is told


class Part(Struct, frozen=True, gc=False):
    """What one line tells of a message, connection or session that spans several lines.

    The joiner keeps one memory for each (gateway, namespace, key); `keeps` goes into it. An
    `event` is ready, or a kind: then it is made of `values`, and of the memory where `values`
    are silent. `once` names an event that is made only the first time for its memory. One whose
    memory lacks `needs` waits for it up to `wait` seconds of event time, so that lines out of
    order still find each other. `begins` marks a line that can only be the first of its story,
    `ends` the last.

    A message can go on under another key: `continues` names the one it had before, `passes` the
    one that the next server says it gave (a content filter's "queued as"), `through` that
    server's address. `covers` names a namespace in which another program tells of this same
    event, under the Message-ID: that report is dropped. `session` is the key of the session in
    whose course a message comes: client and account are known from there. `within` is the key,
    in the same namespace, of what this is a part of: all that is known of that is known of this,
    as of a delivery that its later lines name alone. `refuses` marks a
    message that was not taken after all: if its acceptance still waits, it is not told.

    A message that `continues` another one does so for all of its recipients where the line
    `begins`, else for one (an alias). A memory that knows a ``probe`` is of no message: an
    address was only asked for.

    `asks` leaves no memory of its own: its event is completed from what others told, where they
    did.
    """

    at: float
    gateway: str
    namespace: str
    key: str
    keeps: dict[str, Any] | None = None
    offset: int = -1
    event: Fact | type[Fact] | None = None
    values: dict[str, Any] | None = None
    once: str = ""
    needs: str = ""
    wait: float = 0.0
    begins: bool = False
    ends: bool = False
    continues: str = ""
    passes: str = ""
    through: str = ""
    covers: str = ""
    session: str = ""
    within: str = ""
    refuses: bool = False
    asks: bool = False


class Attempt(Struct, frozen=True, gc=False):
    """One reporter's word on attempts to log in; streams/attempts.py counts each attempt once.

    ``detail``
        The authentication server's own line: why, for whom, with which password. One attempt
        can cause several, one for each password database that was asked.
    ``single``
        A detail that is an attempt of its own, although others come at once.
    ``early``
        The same from a library (PAM), some seconds before the server's own line.
    ``summary``
        The login process, when the session opens or ends: how many attempts there were.
    ``smtp``
        The SMTP server, for each attempt.
    ``tally``
        The SMTP server's sum when its session ends: `tried` attempts, `opened` of them good.
    """

    reporter: str
    event: Auth
    session: str = ""  # that the reporter names: Dovecot's session id, smtpd's pid
    tried: int = 0
    opened: int = 0
    said: bool = True  # False: an attempt that was made, and is no event (aborted)


class Twin(Struct, frozen=True, gc=False):
    """What a line tells that its program writes to two logs; streams/twins.py counts it once.

    `line` is the same in both. In `pairs` both logs come from one source, one line after the
    other (syslog); else each log is a source of its own, or `log` tells which of them it is.
    """

    gateway: str
    line: str
    item: "Item"
    pairs: bool = False
    log: str = ""


class Turn(Struct, frozen=True, gc=False):
    """A turn of an SMTP dialogue that a server logs line by line; streams/dialogue.py tells what
    came of it. `kind` says what `text` is:

    ``command``, ``reply``
        As they were spoken, by whomever.
    ``denied``
        The server notes that it refuses a login: the outcome and the reason.
    ``name``
        Who that was.
    ``user``
        Who wants to log in, by the client's word.
    ``login``
        Whose login was good; nobody's where another server logged in.
    ``claims``
        A front end's word about the client, and the session in which it heard of it.
    ``believed``
        The server takes that word.
    ``message``
        Queue id and Message-ID of what is being sent.
    ``probe``
        The server tests itself.
    ``closed``
        The session ends: why.
    """

    at: float
    gateway: str
    session: str
    client: str  # the other side
    kind: str
    text: str
    offset: int = -1
    service: str = "smtp"
    ours: bool = False  # the other side is the server: we send


class Entry(Struct, frozen=True, gc=False):
    """A line of a listing of the mail queue; streams/listings.py adds it up with the others.

    `listing` tells kinds of listings apart. `counts` are fields of a Queue event: those of one
    `message`, or the sums of all where `ends` marks the last line.
    """

    at: float
    gateway: str
    listing: str
    message: str  # queue id
    counts: dict[str, int]
    sender: str = ""
    arrived: float = 0.0  # Unix seconds
    offset: int = -1
    begins: bool = False
    ends: bool = False


Item = Fact | Part | Attempt | Twin | Turn | Entry
Items = Sequence[Item]
Parse = Callable[[Record], Items | None]
Mask = secrets.Mask


class Format(Struct, frozen=True):
    """A log format: a row of PARSERS.

    `parser` is given how to mask secrets and a syslog tag without its pid (`Record.program`), and
    gives the parser of that tag's lines; None where the tag is not of this format. Several
    formats may have one tag: the first one whose parser does not say None has the line. The tag
    ``""`` stands for lines that have none: its parser knows the format by the text alone.

    The rest is only for speed: it says which lines need not be shown to the parser at all. One
    without a tag is shown to it only where the text begins as `begins` says, or has one of
    `holds` in it; where both are empty, always. A JSON object only where it has one of `keys`;
    where there are none, always.

    `stray` gives the parser of a tag that no format has, if it may be what a site calls its
    instance, or what a shipper left of a tag; such a parser takes a line only if its words can be
    nobody else's.
    """

    name: str
    parser: Callable[[Mask, str], Parse | None]
    begins: str = ""  # a regular expression whose groups have no names
    holds: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    stray: Callable[[str], Parse | None] | None = None


def any_of(*words: str) -> str:
    """A regular expression for any of these words, as they stand."""
    return "|".join(map(re.escape, words))


def unnamed(pattern: re.Pattern[str]) -> str:
    """The regular expression of a pattern, its groups without their names."""
    return re.sub(r"\?P<\w+>", "?:", pattern.pattern)
