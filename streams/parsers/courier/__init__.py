"""Courier: its IMAP and POP3 servers, its SMTP server and queue; see the files of each.

What authdaemond says about its modules is no more than the servers' own lines tell; with
DEBUG_LOGIN=2 it holds passwords, and is never looked at.
"""

from streams.parsers.courier import login, mta
from streams.parsers.part import Format, Items, Mask, Parse, Record, any_of

_LOGINS = {
    **dict.fromkeys(("imapd", "imapd-ssl", "imaplogin", "imapd_ssl"), "imap"),
    **dict.fromkeys(("pop3d", "pop3d-ssl", "pop3login", "pop3d_ssl"), "pop3"),
    **dict.fromkeys(("sqwebmaild", "webmaild", "sqwebmail"), "web"),
}
_SUBMISSION = frozenset({"courieresmtpd-msa", "courieresmtpd-ssl", "esmtpd-msa", "esmtpd-ssl"})
_QUEUE = frozenset(
    {"courierd", "courieresmtp", "courierlocal", "courieruucp", "courierfax", "courierdsn"}
)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program in ("", "INFO"):  # what courierlogger cuts off
        return login.parser("")
    name = program.removeprefix("courier-").removeprefix("courier")
    service = _LOGINS.get(program) or _LOGINS.get(name)
    if service:
        return login.parser(service)
    if program in _SUBMISSION:
        return mta.esmtpd(mask, "submission")
    if program in ("courieresmtpd", "esmtpd"):
        return mta.esmtpd(mask, "smtp")
    if program in _QUEUE:
        return mta.queue
    return _nothing if program in ("authdaemond", "courierfilter", "couriertls") else None


def _nothing(record: Record) -> Items | None:
    # PAM's lines have the tag of whoever asked it
    return None if record.text.startswith("pam_") else ()


FORMAT = Format(
    "courier",
    parser,
    begins=rf"(?:{any_of(*login.WORDS)}), |(?:ALERT: )?Maximum connection limit ",
)
