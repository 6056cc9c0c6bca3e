"""Bounce and complaint mails: one mail becomes the events that it reports.

A mail is, in this order: a complaint in the form of RFC 5965; a report of failed delivery, by its
delivery status (RFC 3464), by its prose, or by both; an automatic reply (RFC 3834), which says
nothing; a complaint of a person who forwards a mail. Anything else says nothing either: reports
of DMARC and of TLS, and mail.

What it cannot tell: where a report names no failed recipient and the returned mail has several,
who of them failed; whether a report answers mail that was really sent.
"""

import re
from collections.abc import Sequence
from email.utils import mktime_tz, parsedate_tz

import msgspec

from schemas import net
from schemas.events import Bounce, Complaint, Fact
from streams.reports import (
    amazon,
    complaint,
    delivery_status,
    mime,
    original,
    prose,
    reasons,
    replies,
)
from streams.reports.failure import Failure

SOURCE = "intake"
HOPS = 5  # Received fields of our own that are passed over

_DAEMON = re.compile(
    r"(?:mailer[-_.]?daemon|post[-_.]?master|mail[-_.]?daemon|mdaemon|daemon|mailer|bounces?|"
    r"mail[-_.]?(?:system|deliver\w*|admin\w*|server)|mail-delivery\w*|delivery|uucp|root|"
    r"microsoftexchange[0-9a-f]{8,40}|system|complaints)@|"
    r"(?:mailer|mail)-?daemon|mail (?:delivery|deliver|administrator|system)|"
    r"postmaster|system administrator|microsoft outlook|delivery (?:sub)?system|"
    r"mailer-?daemon",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|non-?deliver|not deliver|returned mail|return(?:ed)? (?:to sender|message)|"
    r"deliver(?:y|ed|ing)[^a-z]{0,3}(?:status|failure|fail|failed|report|has failed|problem|"
    r"error|notification|delayed|incomplete|attempt|of)|failure (?:notice|delivery)|fail(?:ed|ure)"
    r"[ :]{1,2}(?:delivery|mail)|mail (?:system error|failure|error|delay|could not|not sent|"
    r"delivery)|message (?:delivery|could not|not|rejected|undeliv|delayed|blocked)|"
    r"could not be (?:sent|delivered)|cannot be delivered|unzustellbar|bounced?\b|"
    r"unable to deliver|error sending|delivery failure|failure notice|rejected:|"
    r"warning: could not send|mail status|\bndn\b|\bndr\b|disk quota|invalid address|"
    r"notice: mail|was not delivered|no(?:t|n) remis|no entregado|não entreg|"
    r"配信|不達|エラー",
    re.IGNORECASE,
)
_AUTOMATIC = re.compile(
    r"auto(?:matic(?:ally)?|mated)?[ :-]*(?:reply|response|respond|antwort|generated|:)|auto:|"
    r"out of (?:the )?(?:office|town)|away from|vacation|abwesen|absen(?:ce|t)|on holiday|"
    r"réponse automatique|respuesta automática|on leave|不在",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"could not be delivered|undeliverable|unable to deliver|delivery (?:has )?failed|"
    r"was not delivered|couldn't be delivered|not able to deliver",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"warning message only|will (?:keep|continue) (?:to )?try|will be retried|not yet been "
    r"deliver|has been delayed|delivery[^.;\n]{0,20} delayed|do not need to resend|"
    r"delivery attempts will continue|still trying|\(delay\)",
    re.IGNORECASE,
)
_HOP = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f.:]{3,45})(?:%\w{1,20})?\]")
_PLAIN_HOP = re.compile(r"from\s{1,4}\S{1,255}\s{1,4}\((?:[\w.-]{1,255}\s)?([0-9A-Fa-f.:]{3,45})\)")
_UNNAMED = "<>"
_PRIVATE = net.Networks(net.PRIVATE)


def read(raw: bytes, *, now: float, gateway: str = "", at: float | None = None) -> list[Fact]:
    """The events of one mail. `at` is when it came, where that is known; else its own stamps
    say so, but never later than `now`."""
    mail = mime.split(raw)
    found = _events(mail)
    if not found:
        return []
    if at is None:
        at = min(_stamp(mail) or now, now)
    client = _client(mail)
    return [_placed(event, at, gateway, client) for event in found]


def _placed(event: Bounce | Complaint, at: float, gateway: str, client: str) -> Fact:
    client = event.client or (client if isinstance(event, Bounce) else "")
    return msgspec.structs.replace(event, at=at, gateway=gateway, source=SOURCE, client=client)


def _events(mail: mime.Mail) -> Sequence[Bounce | Complaint]:
    return (
        complaint.by_form(mail) or amazon.read(mail) or _bounces(mail) or complaint.by_people(mail)
    )


# -- reports of failed delivery -------------------------------------------------------------------


def _bounces(mail: mime.Mail) -> list[Bounce]:
    said, returned, status = _taken_apart(mail)
    formal = [failure for text in status for failure in delivery_status.failures(text)]
    by_form = any(part.kind in delivery_status.KINDS for part in mail.parts)
    if not by_form and not _is_report(mail, said):
        return []
    recipient = _address(mail.headers, "to")
    spared = frozenset({recipient, _address(mail.headers, "from"), _address(returned, "from")})
    told = prose.failures(said, spared - {_only(returned)})
    named = _named(mail)
    failures = _together(formal, told, named, returned, said)
    about = original.message_id(returned) or mime.first(mail.headers, "in-reply-to").strip("<> ")
    delayed = bool(_DELAYED.search(said[:8000]) or _DELAYED.search(_subject(mail)))
    return [
        _bounce(failure, recipient, about, said, delayed)
        for failure in failures
        if not _delivered(failure)
    ]


def _delivered(failure: Failure) -> bool:
    """Whether a part of a report tells of success."""
    if failure.action in ("delivered", "relayed", "expanded", "deliverable"):
        return True
    return failure.status[:1] == "2" and failure.action not in ("failed", "delayed")


def _taken_apart(mail: mime.Mail) -> tuple[str, mime.Fields, list[str]]:
    """What the report says, the header of the returned mail, the delivery status."""
    said: list[str] = []
    html: list[str] = []
    status: list[str] = []
    returned: mime.Fields = {}
    for part in mail.parts:
        if part.kind in delivery_status.KINDS:
            status.append(part.text())
        elif part.kind in original.KINDS:
            returned = returned or original.header(part.text())
        elif part.kind == "text/plain":
            words, rest = original.split(part.text())
            if not returned:
                said.append(words)
            if rest and not returned:
                returned = original.header(rest)
        elif part.kind == "text/html" and not returned:
            html.append(original.split(part.text())[0])
    text = "\n\n".join(said if any(map(str.strip, said)) else html)
    if not status:
        for part in mail.parts:
            whole = _QUOTED.sub("", part.text()) if part.kind == "text/plain" else ""
            if _FORMAL.search(whole):
                status.append(whole)
    return text, returned, status


_QUOTED = re.compile(r"^(?:> ?){1,4}", re.MULTILINE)
_FORMAL = re.compile(r"^final-recipient[ \t]{0,4}:", re.IGNORECASE | re.MULTILINE)


def _together(
    formal: list[Failure],
    told: list[Failure],
    named: list[str],
    returned: mime.Fields,
    said: str,
) -> list[Failure]:
    """The failures that the status names, with what the prose says of them; else those of the
    prose; else those that a field names; else the only one to whom the returned mail went."""
    if formal:
        by_name = {failure.recipient: failure for failure in told}
        for failure in formal:
            more = by_name.get(failure.recipient) or (told[0] if len(told) == 1 else None)
            if more is None and len(formal) == 1:
                more = Failure("", words=said)
            if not failure.recipient and len(formal) == 1:
                failure.recipient = named[0] if named else more.recipient if more else ""
            failure.prose = more.words if more else ""
        return _once(formal)
    if named:
        by_name = {failure.recipient: failure for failure in told}
        return [by_name.get(name) or Failure(name, words=said.strip()) for name in named]
    if told:
        return told
    only = _only(returned)
    return [Failure(only, words=said.strip())] if only else []


def _once(failures: list[Failure]) -> list[Failure]:
    """One for each recipient: the first."""
    seen: dict[str, Failure] = {}
    for failure in failures:
        seen.setdefault(failure.recipient, failure)
    return list(seen.values())


def _bounce(failure: Failure, recipient: str, about: str, said: str, delayed: bool) -> Bounce:
    reply = replies.read(failure.words)
    more = replies.read(failure.prose)
    candidates = [reply.status, failure.status]
    if not reply.code or more.code == reply.code:
        candidates.append(more.status)
    enhanced = replies.exact(candidates)
    code = reply.code or more.code
    words = replies.essence(failure.words) or (failure.words if reply.status else "")
    words = words or replies.essence(failure.prose) or failure.words or failure.prose
    texts = (words,) if code else (words, failure.words, failure.prose)
    reason = reasons.classify(code, enhanced, *texts)
    if failure.action == "delayed" or (not failure.action and delayed and enhanced[:1] != "5"):
        status = "deferred"
    else:
        status = "expired" if reason == "expired" else "bounced"
    return Bounce(
        at=0.0,
        direction="received",
        about=about[:255],
        recipient=recipient,
        failed_recipient=failure.recipient,
        status=status,
        code=code,
        enhanced=enhanced,
        reason=reason,
        reply=replies.shown(words),
    )


def _is_report(mail: mime.Mail, said: str) -> bool:
    """Whether a mail without a delivery status looks like a report at all."""
    headers = mail.headers
    subject = _subject(mail)
    if "x-failed-recipients" in headers:
        return True
    daemon = bool(_DAEMON.search(mime.words(mime.first(headers, "from"))))
    known = bool(_SUBJECT.search(subject))
    if _AUTOMATIC.match(subject) and not known:
        return False
    path = mime.first(headers, "return-path").strip().lower()
    unnamed = path in ("<>", "") or "mailer-daemon" in path
    if daemon and (unnamed or known):
        return True
    if known and (unnamed or daemon):
        return True
    if daemon or unnamed:
        return bool(replies.read(said).code or _FAILED.search(said[:4000]))
    return False


def _subject(mail: mime.Mail) -> str:
    return mime.words(mime.first(mail.headers, "subject"))


def _named(mail: mime.Mail) -> list[str]:
    """The failed recipients that a field of the header names (Exim, Gmail)."""
    value = ",".join(mail.headers.get("x-failed-recipients", ()))
    return [name for name in map(delivery_status.address, value.split(",", 100)) if name]


def _only(returned: mime.Fields) -> str:
    """The one to whom the returned mail was addressed; "" where there were several."""
    value = mime.first(returned, "to")
    return _address(returned, "to") if value.count("@") == 1 else ""


def _address(fields: mime.Fields, name: str) -> str:
    value = mime.first(fields, name)
    return delivery_status.address(value[value.rfind("<") :] if "<" in value else value)


# -- where and when -------------------------------------------------------------------------------


def _client(mail: mime.Mail) -> str:
    """Who brought the mail: the topmost hop that is not one of our own machines. The hops above
    it were written by us, and those below it by anybody."""
    for value in mail.headers.get("received", ())[:HOPS]:
        sender = re.split(r"\sby\s", value[:1000], maxsplit=1)[0]
        found = _HOP.findall(sender) or _PLAIN_HOP.findall(sender)
        address = net.address(found[-1]) if found else ""
        if not address:
            return ""
        if address not in _PRIVATE:
            return address
    return ""


def _stamp(mail: mime.Mail) -> float:
    """When the mail came: by the topmost hop, else by its own date; 0.0 where nothing says."""
    hops = mail.headers.get("received", ())[:1]
    for text in (*(hop.rpartition(";")[2] for hop in hops), mime.first(mail.headers, "date")):
        try:
            parsed = parsedate_tz(text.strip()[:100])
            stamp = float(mktime_tz(parsed)) if parsed else 0.0
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
        if 0.0 < stamp < 253402300800.0:
            return stamp
    return 0.0
