"""Complaints: feedback reports (RFC 5965, RFC 6591), those of providers with a form of their own,
and mail that people forward to the addresses where abuse is reported (RFC 2142)."""

import re

from schemas import net
from schemas.events import Complaint
from streams.reports import mime, original, signs

KIND = "message/feedback-report"
MOST = 100  # complaints of one mail

_ABUSE_DESK = re.compile(
    r"(?:abuse|postmaster|phish\w*|spam|security|report\w*|soc|cert)[@+.-]", re.IGNORECASE
)
_SUBJECT = re.compile(
    r"complaint about message from|abuse report|spam (?:report|complaint)", re.IGNORECASE
)
_AGGREGATE = re.compile(
    r"report domain:|dmarc aggregate|submitter:.{1,200}report-id:|tls-?rpt|smtp tls report",
    re.IGNORECASE,
)
_FORM = re.compile(r"^feedback-type[ \t]{0,4}:", re.IGNORECASE | re.MULTILINE)
_FAILED_DMARC = re.compile(r"\bdmarc (?:forensic|failure) report\b", re.IGNORECASE)
_ADDRESS = re.compile(r"\bIP(?: address)?[: =]{1,4}\[?([0-9A-Fa-f.:]{7,45})", re.IGNORECASE)
_FRAUD = re.compile(r"phish|fraud|scam|spoof|betrug|hameçon|credential", re.IGNORECASE)
_VIRUS = re.compile(r"virus|malware|trojan|ransom", re.IGNORECASE)
_FROM = re.compile(r"from\s{0,8}:[^\n]{0,400}", re.IGNORECASE)


def by_form(mail: mime.Mail) -> list[Complaint]:
    """What its feedback reports say."""
    found: list[Complaint] = []
    enclosed = [original.header(part.text()) for part in mail.parts if part.kind in original.KINDS]
    reports = [part.text().lstrip("\n") for part in mail.parts if part.kind == KIND]
    reports = reports or [part.text() for part in mail.parts if part.kind == "text/plain"]
    for number, text in enumerate(reports):
        begin = _FORM.search(text)
        if begin is None:
            continue
        fields = mime.fields(text[text.rfind("\n\n", 0, begin.start()) + 1 :].lstrip("\n"))
        about = enclosed[min(number, len(enclosed) - 1)] if enclosed else {}
        kind = mime.first(fields, "feedback-type").lower() or "abuse"
        sender = mime.mailbox(mime.first(fields, "original-mail-from"))
        who = [mime.mailbox(value) for value in fields.get("original-rcpt-to", [""])]
        for reporter in who:
            if len(found) >= MOST:
                break
            found.append(
                Complaint(
                    at=0.0,
                    sender=sender or _sender(about),
                    client=net.address(mime.first(fields, "source-ip", "source")),
                    message_id=original.message_id(about) or original.message_id(fields),
                    reporter=reporter or mime.address(mail.headers, "from"),
                    kind=kind[:40],
                )
            )
    return found


def by_people(mail: mime.Mail) -> list[Complaint]:
    """Mail with an enclosed mail that came where abuse is reported, or says what it is.

    No client: whoever forwards a mail may have written its header.
    """
    subject = signs.subject(mail)
    if "x-apple-unsubscribe" in mail.headers:
        return [Complaint(at=0.0, reporter=mime.address(mail.headers, "from"), kind="opt-out")]
    if _FAILED_DMARC.search(subject):
        return _failed_dmarc(mail, subject)
    if _AGGREGATE.search(subject) or not (
        _SUBJECT.search(subject) or any(map(_ABUSE_DESK.match, _addresses(mail.headers)))
    ):
        return []
    enclosed, words = _enclosed(mail)
    said = f"{subject}\n{words}"
    kind = "fraud" if _FRAUD.search(said) else "virus" if _VIRUS.search(said) else "abuse"
    return [
        Complaint(
            at=0.0,
            sender=_sender(about),
            message_id=original.message_id(about),
            reporter=mime.address(mail.headers, "from"),
            kind=kind,
        )
        for about in enclosed[:MOST]
    ]


def _failed_dmarc(mail: mime.Mail, subject: str) -> list[Complaint]:
    """A failure report of DMARC that has prose in place of RFC 6591's form."""
    enclosed, words = _enclosed(mail)
    found = _ADDRESS.search(words) or _ADDRESS.search(subject)
    about = enclosed[0] if enclosed else {}
    return [
        Complaint(
            at=0.0,
            sender=_sender(about),
            client=net.address(found[1]) if found else "",
            message_id=original.message_id(about),
            reporter=mime.address(mail.headers, "from"),
            kind="auth-failure",
        )
    ]


def _enclosed(mail: mime.Mail) -> tuple[list[mime.Fields], str]:
    """The headers of mails that a mail encloses as parts or quotes, and what is said of them."""
    enclosed = [original.header(part.text()) for part in mail.parts if part.kind in original.KINDS]
    words = ""
    for part in mail.parts:
        if part.kind == "text/plain":
            said, quoted = original.split(part.text())
            words += said[:2000]
            if quoted and not enclosed and _FROM.search(quoted[:4000]):
                enclosed = [original.header(quoted)]
    return [about for about in enclosed if about], words


def _sender(about: mime.Fields) -> str:
    return mime.address(about, "return-path", "from")


def _addresses(headers: mime.Fields) -> list[str]:
    """To whom the mail came."""
    return [
        mime.mailbox(piece)
        for name in ("delivered-to", "envelope-to", "x-original-to", "to")
        for value in headers.get(name, ())
        for piece in value.split(",", 20)
    ]
