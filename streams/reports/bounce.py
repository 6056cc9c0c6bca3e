"""Reports of failed delivery: one event for each recipient that failed.

The delivery status (RFC 3464) names the recipients, if there is one; what the prose says of them
is more, and often more exact: of the status codes the one that tells most counts, and of equals
the one in the reply of the server that refused.
"""

import re

from schemas.events import Bounce
from streams.reports import delivery_status, mime, original, prose, reasons, replies, signs
from streams.reports.failure import Failure

_QUOTED = re.compile(r"^(?:> ?){1,4}", re.MULTILINE)
_FORMAL_BEGINS = re.compile(
    r"^(?:final-recipient|reporting-mta|received-from-mta|arrival-date)[ \t]{0,4}:",
    re.IGNORECASE | re.MULTILINE,
)
_FORMAL = re.compile(r"^final-recipient[ \t]{0,4}:", re.IGNORECASE | re.MULTILINE)


def read(mail: mime.Mail) -> list[Bounce]:
    """The failures that a mail reports; none where it is no report."""
    said, returned, status = _taken_apart(mail)
    if not signs.is_report(mail, said):
        return []
    formal = [failure for text in status for failure in delivery_status.failures(text)]
    recipient = mime.address(mail.headers, "to", "delivered-to", "envelope-to", "x-original-to")
    spared = {recipient, mime.address(mail.headers, "from"), mime.address(returned, "from")}
    addressed = _addressed(returned)
    told = prose.failures(said, frozenset(spared - addressed), addressed)
    failures = _together(formal, told, _named(mail), addressed, said)
    about = original.message_id(returned) or original.reference(mail.headers)
    delayed = signs.is_delayed(mail, said)
    return [
        _bounce(failure, recipient, about, delayed)
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
                text = _FORMAL_BEGINS.split(_QUOTED.sub("", text), maxsplit=1)[0]
    return text, returned, status


def _together(
    formal: list[Failure],
    told: list[Failure],
    named: list[str],
    addressed: frozenset[str],
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
    return [Failure(name, words=said.strip()) for name in addressed] if len(addressed) == 1 else []


def _once(failures: list[Failure]) -> list[Failure]:
    """One for each recipient: the first."""
    seen: dict[str, Failure] = {}
    for failure in failures:
        seen.setdefault(failure.recipient, failure)
    return list(seen.values())


def _bounce(failure: Failure, recipient: str, about: str, delayed: bool) -> Bounce:
    reply = replies.read(failure.words)
    more = replies.read(failure.prose)
    candidates = [reply.status, failure.status]
    if not reply.code or more.code == reply.code:
        candidates.append(more.status)
    enhanced = replies.exact(candidates)
    code = reply.code or more.code
    words = replies.essence(failure.words) or (failure.words if reply.status else "")
    words = words or replies.essence(failure.prose) or _telling(failure.words or failure.prose)
    texts = (words,) if code else (words, failure.words, failure.prose)
    reason = reasons.classify(code, enhanced, *texts)
    if failure.action == "delayed" or (not failure.action and delayed and enhanced[:1] != "5"):
        status = "deferred"
    else:
        status = "expired" if reason == "expired" else "bounced"
    return Bounce(
        at=0.0,
        direction="received",
        about=about,
        recipient=recipient,
        failed_recipient=failure.recipient,
        status=status,
        code=code,
        enhanced=enhanced,
        reason=reason,
        reply=replies.shown(words),
    )


def _telling(words: str) -> str:
    """What a report says without a reply: its first paragraph, where that says why."""
    paragraph = words.partition("\n\n")[0]
    return paragraph if reasons.by_words(paragraph) else words


def _named(mail: mime.Mail) -> list[str]:
    """The failed recipients that a field of the header names (Exim, Gmail)."""
    value = ",".join(mail.headers.get("x-failed-recipients", ()))
    return [name for name in map(mime.mailbox, value.split(",", 100)) if name]


def _addressed(returned: mime.Fields) -> frozenset[str]:
    """To whom the returned mail was addressed."""
    pieces = mime.first(returned, "to").split(",", 50)
    return frozenset(filter(None, map(mime.mailbox, pieces)))
