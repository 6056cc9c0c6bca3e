"""qmail and its kin (netqmail, notqmail, s/qmail, spamcontrol): queue, clients, spamdyke.

Programs write to standard error: multilog puts a TAI64N label before a line, splogger a syslog
header and the seconds since 1970, and all of it may be in one log. The lines of qmail-send have
no name at all. The original qmail-smtpd logs nothing; tcpserver, rblsmtpd and patches do, each
in its way. Logins are vpopmail's. Which client a queued message came from is not told.
"""

from streams.parsers.part import Format, Items, Mask, Parse, Record, any_of
from streams.parsers.qmail import chkuser, send, smtpd, spamcontrol, spamdyke

_Read = dict[str, send.Read]

SAID: _Read = {**send.WORDS, "CHKUSER": chkuser.read, "blocked": smtpd.rblsmtpd}
"""By the first word."""

PROGRAMS: _Read = {
    "tcpserver": smtpd.tcpserver,
    "sslserver": smtpd.tcpserver,
    "rblsmtpd": smtpd.rblsmtpd,
    "qmail-smtpd": smtpd.qmail_smtpd,
    "qmail-popup": spamcontrol.read,
    "qmail-pop3d": spamcontrol.read,
    "spamdyke": spamdyke.read,
    "status": send.status,
}
_TAGS = frozenset({"qmail", "qmail-send", "qmail-inject", "qmail-queue"})


def _read(record: Record) -> Items | None:
    return said(record, record.text)


def said(record: Record, text: str) -> Items | None:
    """What a line says, whichever program wrote it."""
    word = text.partition(" ")[0]
    read = SAID.get(word)
    if read is not None:
        return read(record, text)
    if "::" in word:
        return spamcontrol.read(record, text)
    if word[-1:] == ":":
        read = PROGRAMS.get(word[:-1].partition("[")[0])
        return read(record, text[len(word) + 1 :]) if read is not None else None
    return None


def _unstamped(text: str) -> str:
    """A line without the stamp that splogger puts before it."""
    stamp, _, rest = text.partition(" ")
    return rest.lstrip() if "." in stamp and stamp.replace(".", "", 1).isdecimal() else text


def _queue(record: Record) -> Items | None:
    return said(record, _unstamped(record.text))


def _smtpd(record: Record) -> Items | None:
    text = _unstamped(record.text)
    items = said(record, text)
    return smtpd.qmail_smtpd(record, text) if items is None else items


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _read
    if program in ("qmail-smtpd", "smtpd"):
        return _smtpd
    if program in _TAGS:
        return _queue
    read = PROGRAMS.get(program)
    return (lambda record: read(record, record.text)) if read is not None else None


FORMAT = Format(
    "qmail",
    parser,
    begins="|".join(
        (
            any_of(*(f"{word} " for word in SAID)),
            "(?:Accept|Reject)::",
            rf"(?:{any_of(*PROGRAMS)})(?:\[[^ ]*)?:",
        )
    ),
)
