"""Postfix: one file for each of its programs that tells of clients and messages.

The tag is ``instance[/service]/program``: ``postfix/smtpd``, ``postfix-in/smtpd``,
``postfix/submission/smtpd``; the service tells submission from relaying.
"""

from streams.parsers.part import Format, Items, Mask, Parse, Record
from streams.parsers.postfix import delivery, postscreen, queue, smtpd

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
    "postsuper",
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
    **dict.fromkeys(
        ("smtp", "lmtp", "local", "virtual", "pipe", "error", "discard", "retry"), delivery.read
    ),
    **dict.fromkeys(SILENT, _nothing),
}

_SUBMISSION = frozenset({"submission", "submissions", "smtps"})


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _by_text
    instance, slash, name = program.rpartition("/")
    if program == "postfix":
        return _nothing
    if not slash or instance.startswith("cyrus"):
        return None
    if name == "smtpd":
        submission = instance.rpartition("/")[2] in _SUBMISSION
        return smtpd.parser("submission" if submission else "smtp")
    return PROGRAMS.get(name)


_TEXTS = (
    smtpd.parser("smtp"),
    postscreen.read,
    queue.qmgr,
    queue.cleanup,
    queue.pickup,
    queue.bounce,
)


def _by_text(record: Record) -> Items | None:
    """Tries each program; a line that looks like one's and is broken may yet be another's."""
    for read in _TEXTS:
        try:
            items = read(record)
        except ValueError:
            continue
        if items:
            return items
    return None


FORMAT = Format("postfix", parser)
