"""Sendmail 8.8 to 8.18, open source and commercial, under the tags that its packages use.

Grammar from sendmail's own sources (sendmail/*.c, op.me: "the system log"). A session ends
without a line, and a message for which none was due; which of submission and relaying a client
used is told only in ``daemon=``, a name that the site chooses. A password is never logged.
"""

from streams.parsers.part import Format, Items, Mask, Parse, Record, any_of
from streams.parsers.sendmail import message, session
from streams.parsers.sendmail.relay import is_queue_id

# The dialogue itself, with all that is secret in it, is logged from level 15 on.
_SILENT = ("STARTTLS", "milter=", "done; ", "SYSERR", "Milter ", "<-- ", "--- ", "--> ")
_UNTAGGED = ("ruleset=", "AUTH=server, relay=", "AUTH failure (")


def read(record: Record) -> Items:
    """A line of sendmail's."""
    text = record.text
    queue_id, _, rest = text.partition(": ")
    if not is_queue_id(queue_id):
        return _line(record, "", rest if queue_id == "NOQUEUE" else text)
    return _line(record, queue_id, rest)


def _line(record: Record, queue_id: str, text: str) -> Items:
    if queue_id:
        if text.startswith("to="):
            return message.delivered(record, queue_id, text)
        if text.startswith("from="):
            return message.sent(record, queue_id, text)
    if text.startswith("ruleset="):
        return session.ruleset(record, queue_id, text)
    if text.startswith("AUTH"):
        if text.startswith("AUTH=server, "):
            return session.logged_in(record, text)
        return session.not_logged_in(record, queue_id, text)
    if text.startswith("Milter: "):
        return session.milter(record, queue_id, text[8:])
    if text.startswith(_SILENT):
        return ()
    culprit, refused, words = text.rpartition("... ")
    if refused:
        return message.refused(record, queue_id, culprit, words)
    report, _, said = text.partition(": ")
    if is_queue_id(report):
        return message.reported(record, queue_id, report, said)
    return session.present(record, queue_id, text)


def by_text(record: Record) -> Items | None:
    """A line without a tag."""
    text = record.text
    queue_id, _, rest = text.partition(": ")
    if is_queue_id(queue_id):
        known = (rest.startswith("from=") and ", nrcpts=" in rest) or (
            rest.startswith("to=") and ", delay=" in rest and ", stat=" in rest
        )
        known = known or rest.startswith(_UNTAGGED)
    else:
        known = text.startswith(_UNTAGGED)
    if not known:
        return None
    try:
        return read(record)
    except ValueError:
        return None


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return by_text
    if program.startswith(("sendmail", "sm-")):
        return read
    if is_queue_id(program) and not program.isdecimal():
        # No tag at all: the first word is the queue id.
        return lambda record: _untagged(record, program)
    return None


def _untagged(record: Record, queue_id: str) -> Items | None:
    text = f"{queue_id}: {record.text}"
    return by_text(Record(record.at, record.host, "", record.pid, text, record.offset))


_BEGINS = any_of(*_UNTAGGED)

FORMAT = Format(
    "sendmail",
    parser,
    begins=rf"[0-9A-Za-z]{{3,20}}\d{{4}}: (?:from=|to=|{_BEGINS})|{_BEGINS}",
)
