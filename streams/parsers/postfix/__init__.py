"""Postfix: one file for each of its programs that tells of clients and messages.

The tag is ``instance[/service]/program``: ``postfix/smtpd``, ``postfix-in/smtpd``,
``postfix/submission/smtpd``; the service tells submission from relaying. A shipper may cut it at
the slash: of ``mx-out/smtpd`` only one word is left, and the text must tell whose line it is.
"""

import re

from streams.parsers.part import DOCUMENT, Format, Items, Mask, Parse, Record, any_of
from streams.parsers.postfix import delivery, listing, policy, postscreen, queue, smtpd
from streams.parsers.postfix.peer import is_queue_id

SILENT = (
    "anvil",
    "dnsblog",
    "flush",
    "master",
    "postalias",
    "postdrop",
    "postfix-script",
    "postlog",
    "postlogd",
    "postmap",
    "postqueue",
    "proxymap",
    "qmqpd",
    "scache",
    "sendmail",
    "showq",
    "spawn",
    "tlsmgr",
    "tlsproxy",
    "trivial-rewrite",
    "verify",
)
"""Programs that tell nothing of clients and messages."""


def _nothing(record: Record) -> Items:
    return ()


PROGRAMS: dict[str, Parse] = {
    "postscreen": postscreen.read,
    "cleanup": queue.cleanup,
    "pickup": queue.pickup,
    "qmgr": queue.qmgr,
    "nqmgr": queue.qmgr,
    "oqmgr": queue.qmgr,
    "bounce": queue.bounce,
    "postsuper": queue.postsuper,
    "policyd-weight": policy.weighed,
    **dict.fromkeys(
        ("smtp", "lmtp", "local", "virtual", "pipe", "error", "discard", "retry"), delivery.read
    ),
    **dict.fromkeys(SILENT, _nothing),
}

TAGS: dict[str, Parse] = {
    "mailq": listing.read,
    "postqueue": listing.read,
    "policyd-weight": policy.weighed,
    "policyd": policy.greylisted,
    "cbpolicyd": policy.greylisted,
}
"""Tags of one word."""

_SUBMISSION = ("submission", "smtps", "587", "465")  # in the names of services and instances


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _by_text
    instance, slash, name = program.rpartition("/")
    if program == DOCUMENT:
        return listing.document
    if program in TAGS:
        return TAGS[program]
    if program == "smtpd":  # or OpenSMTPD's
        return _sure
    if program == "postfix":  # postfix(1) itself, or a shipper that cuts tags at the slash
        return lambda record: _by_text(record) or ()
    if not slash or instance.startswith("cyrus"):
        return None
    if name == "smtpd":
        service = instance.rpartition("/")[2]
        submission = any(word in service for word in _SUBMISSION)
        return smtpd.parser("submission" if submission else "smtp")
    read = PROGRAMS.get(name)
    if read is None or instance.startswith("postfix"):
        return read
    return lambda record: read(record) or None  # other programs have tags like this too


_smtpd = smtpd.parser("smtp")
_WORDS = frozenset(
    {"connect", "disconnect", "lost", "timeout", "too", "improper", "warning:", "bad", "reject:"}
)
"""How lines of smtpd begin that have no queue file."""


def _by_text(record: Record) -> Items | None:
    """Lines without a tag, known by how they begin; also listings of the queue."""
    text = record.text
    word = text.partition(" ")[0]
    try:
        if word in _WORDS:
            return _smtpd(record) or None
        if word[-1:] == ":" and is_queue_id(word[:-1]):
            return _of_a_message(record, text[len(word) + 1 :])
        return postscreen.read(record) or listing.read(record)
    except ValueError:
        return None  # it only looks like one of ours


_SURE = re.compile(
    r"NOQUEUE: (?:(?:milter-)?(?:reject|discard): [A-Z-]{3,20} from |client=)\S{1,400}\[|"
    r"[0-9A-Za-z]{6,20}: (?:client=\S{1,400}\[|message-id=|uid=\d|removed$|"
    r"from=<.{0,400}>, size=\d{1,18}, nrcpt=|to=<.{0,400}>, (?:orig_to=<.{0,400}>, )?relay=|"
    r"(?:milter-)?reject: [A-Z-]{3,20} from \S{1,400}\[|sender (?:non-delivery|delivery|delay) )|"
    r"(?:dis)?connect from \S{1,400}\[|warning: \S{1,400}\[[^\s\]]{1,64}\](?::\d{1,5})?: SASL |"
    r"(?:lost connection|timeout|too many errors) after [A-Z][A-Za-z ()\d-]{1,60} from \S{1,400}\["
)


# What sites call an instance of a mail server; other programs may log anybody's words
_MAIL = re.compile(r"mx|mail|smtp|mta|postfix|relay|submission|bulk|(?:^|-)(?:in|out)(?:-|$)")


def _sure(record: Record) -> Items | None:
    """A line under a tag that is not Postfix's."""
    return _by_text(record) if _SURE.match(record.text) else None


def stray(program: str) -> Parse | None:
    """The parser of a tag that no format has: half of one of ours, or like a mail server's."""
    return _sure if program in PROGRAMS or _MAIL.search(program.lower()) else None


def _of_a_message(record: Record, rest: str) -> Items | None:
    for begins, read in _MESSAGES:
        if rest.startswith(begins):
            return read(record) or None
    return None


def _refusal(record: Record) -> Items | None:
    """Of postscreen, which names no host; of cleanup, which refuses content; else of smtpd."""
    command, _, who = record.text.split(": ", 2)[2].partition(" from ")
    if who.startswith("["):
        return postscreen.read(record)
    if command.startswith("bare <"):
        return _smtpd(record)
    if command == "END-OF-MESSAGE" or not command.replace("-", "").isupper():
        return queue.cleanup(record)
    return _smtpd(record)


_MESSAGES: tuple[tuple[tuple[str, ...], Parse], ...] = (
    (("client=", "lost ", "timeout ", "too many ", "improper "), _smtpd),
    (("reject: ", "milter-reject: ", "discard: ", "milter-discard: "), _refusal),
    (("message-id=", "milter-header-", "milter-body-"), queue.cleanup),
    (("from=", "removed", "canceled"), queue.qmgr),
    (("to=",), delivery.read),
    (("uid=",), queue.pickup),
    (("sender ", "postmaster "), queue.bounce),
)

_BEGINS = "|".join(
    (
        rf"(?:{any_of(*_WORDS)}) ",
        rf"[0-9A-Za-z]{{6,}}: (?:{'|'.join(any_of(*begins) for begins, _ in _MESSAGES)})",
        rf"(?:{any_of(*postscreen.READERS)}) ",
        # listings
        r"-+Queue ID-|-- \d|Mail queue is empty|[0-9A-Za-z]{6,40}[*!#]{0,2} +\d{1,20} [A-Z]",
    )
)

FORMAT = Format(
    "postfix",
    parser,
    begins=_BEGINS,
    keys=("queue_id",),
    stray=stray,
)
