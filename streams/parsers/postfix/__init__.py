"""Postfix: one file for each of its programs that tells of clients and messages.

The tag is ``instance[/service]/program``: ``postfix/smtpd``, ``postfix-in/smtpd``,
``postfix/submission/smtpd``; the service tells submission from relaying.
"""

from collections.abc import Callable

from streams.parsers.part import Format, Items, Mask, Parse, Record
from streams.parsers.postfix import delivery, postscreen, queue, smtpd

Read = Callable[[Record, str], Items | None]


def _nothing(record: Record, service: str) -> Items:
    """A program that tells nothing of interest."""
    return ()


PROGRAMS: dict[str, Read] = {
    "smtpd": smtpd.read,
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
    **dict.fromkeys(
        "anvil dnsblog flush master postalias postdrop postfix-script postlog postlogd postmap "
        "postqueue postsuper proxymap qmqpd scache sendmail showq spawn tlsmgr tlsproxy "
        "trivial-rewrite verify".split(),
        _nothing,
    ),
}

_SUBMISSION = frozenset({"submission", "submissions", "smtps"})
_TEXT_ONLY = (smtpd.read, postscreen.read, queue.qmgr, queue.cleanup, queue.pickup, queue.bounce)
KEPT = 4096  # tags that are remembered

_known: dict[str, tuple[Read, str]] = {}


def claims(program: str) -> bool:
    instance, slash, name = program.rpartition("/")
    return (bool(slash) and name in PROGRAMS and not instance.startswith("cyrus")) or (
        program == "postfix"
    )


def _learn(program: str) -> tuple[Read, str]:
    instance, _, name = program.rpartition("/")
    service = "submission" if instance.rpartition("/")[2] in _SUBMISSION else "smtp"
    if len(_known) >= KEPT:
        _known.clear()
    found = _known[program] = (PROGRAMS.get(name, _nothing), service)
    return found


def parse(record: Record) -> Items | None:
    """What a line of any Postfix program says. One without a tag is known by its text alone."""
    program = record.program
    if not program:
        return _by_text(record)
    read, service = _known.get(program) or _learn(program)
    items = read(record, service)
    return () if items is None else items


def _by_text(record: Record) -> Items | None:
    """Tries each program; a line that looks like one's and is broken may yet be another's."""
    for read in _TEXT_ONLY:
        try:
            items = read(record, "smtp")
        except ValueError:
            continue
        if items:
            return items
    return None


def _parser(mask: Mask) -> Parse:
    return parse


FORMAT = Format("postfix", claims, _parser)
