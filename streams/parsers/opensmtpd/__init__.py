"""OpenSMTPD 5.0 to 7.7, smtpd(8).

Wordings from usr.sbin/smtpd: smtp_session.c, mta.c, mda.c, of three generations: prose up to 5.9
(``smtp-in: New session``), ``event=`` in 6.0 to 6.3, and since 6.4 ``<session> smtp connected``.
Only the first line of a session names the client. An envelope's id begins with its message's.
Names of users and commands are written with strnvis(3). Which domain of senders and recipients
was refused, and why, only the reply tells; that of a successful RCPT is not logged.
"""

import re
from collections.abc import Callable

from streams.parsers.opensmtpd import prose, told
from streams.parsers.part import Format, Items, Mask, Parse, Part, Record

_FIELD = re.compile(
    r"(?P<name>[a-z-]{1,20})=(?P<value>\"(?:[^\"\\]|\\.)*\"|<[^>]{0,400}>|\S*)(?: |$)"
)
_HEX = frozenset("0123456789abcdef")


def _fields(text: str) -> dict[str, str]:
    """``name=value`` one after the other, up to what is none. The first of a name counts: what
    strangers write stands behind."""
    found: dict[str, str] = {}
    at = 0
    while (field := _FIELD.match(text, at)) is not None:
        found.setdefault(field["name"], field["value"].strip('"<>'))
        at = field.end()
    return found


def read(record: Record) -> Items | None:
    """A line of smtpd's; None where it is another program's."""
    text = record.text
    if text[16:17] == " " and _HEX.issuperset(text[:16]):
        component, _, rest = text[17:].partition(" ")
        if component == "smtp":
            return _smtp(record, text[:16], rest)
        if component in ("mta", "mda"):
            return _agent(record, component, rest)
        return None
    if text.startswith("smtp-in: "):
        return prose.session(record, text[9:])
    if text.startswith(("delivery: ", "relay: ")):
        return prose.delivered(record)
    return None


def _smtp(record: Record, session: str, rest: str) -> Items:
    word, _, tail = rest.partition(" ")
    read = _SMTP.get(word.removeprefix("event="))
    return read(record, session, tail) if read is not None else ()


def _connected(record: Record, session: str, tail: str) -> Items:
    address, _, host = tail.removeprefix("address=").partition(" host=")
    return told.opened(record, session, address, host)


def _closed(record: Record, session: str, tail: str) -> Items:
    reason = _fields(tail).get("reason", "")
    return (told.end(record, session, "" if reason == "quit" else reason),)


def _authentication(record: Record, session: str, tail: str) -> Items:
    fields = _fields(tail)
    return told.login(record, session, fields.get("user", ""), fields.get("result", ""))


def _command(record: Record, session: str, tail: str) -> Items:
    """``command="C" result="R"``; in 6.0 to 6.3 behind the client's address and name"""
    command, _, result = tail.partition('command="')[2].rpartition('" result="')
    return told.refused(record, session, command, result.removesuffix('"'))


def _message(record: Record, session: str, tail: str) -> Items:
    fields = _fields(tail)
    queue_id = fields.get("msgid", "")
    recipients = fields.get("nrcpt", "") or fields.get("ndest", "")
    return told.accepted(record, session, queue_id, fields, recipients)


def _envelope(record: Record, session: str, tail: str) -> Items:
    fields = _fields(tail)
    keeps = {"sender": fields.get("from", "").lower()[:320], "origin": "smtpd"}
    queue_id = fields.get("evpid", "")[:8]
    return (Part(record.at, record.host, "queue", queue_id, keeps, session=session),)


def _agent(record: Record, agent: str, rest: str) -> Items:
    """``evpid=E from=<s> to=<r> rcpt=<r> source="A" relay="A (H)" delay=T result="R" stat="S"``"""
    word, _, tail = rest.partition(" ")
    if word.removeprefix("event=") != "delivery":
        return ()
    evpid, _, more = tail.removeprefix("evpid=").partition(" from=<")
    sender, _, more = more.partition("> to=<")
    recipient, _, more = more.partition("> ")
    more, _, stat = more.partition(" stat=")
    more, _, result = more.partition(" result=")
    relay = more.partition(' relay="')[2].partition('"')[0]
    fields = {"from": sender, "to": recipient, "relay": relay, "stat": stat.strip('"')}
    return told.delivery(record, agent, evpid, result.strip('"'), fields)


_SMTP: dict[str, Callable[[Record, str, str], Items]] = {
    "connected": _connected,
    "disconnected": _closed,
    "closed": _closed,
    "authentication": _authentication,
    "failed-command": _command,
    "bad-input": told.bad_input,
    "message": _message,
    "envelope": _envelope,
}


def _by_text(record: Record) -> Items | None:
    try:
        return read(record)
    except ValueError:
        return None


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _by_text
    if program in ("smtpd", "opensmtpd"):
        return read
    if program == "smtp-in":  # prose without a tag
        return lambda record: prose.session(record, record.text)
    return None


FORMAT = Format(
    "opensmtpd",
    parser,
    begins="[0-9a-f]{16} (?:smtp|mta|mda) |smtp-in: |delivery: |relay: ",
)
