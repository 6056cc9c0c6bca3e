"""Where a report's own words end and the returned mail begins, and what that mail's header says."""

import re

from streams.reports import mime

KINDS = (
    "message/rfc822", "text/rfc822-headers", "text/rfc822-header", "message/global",
    "message/global-headers", "message/partial", "message/rfc822-headers", "text/rfc822",
)  # fmt: skip

_MARK = re.compile(
    r"^[ \t]{0,8}(?:[-=_*#>]{2,80}[ \t]{0,8})?(?:"
    r"below (?:this line|is) (?:is )?(?:a|the) (?:copy|original|mail|header)|"
    r"(?:the |your )?(?:original|returned|undelivered|failed|bounced) "
    r"(?:message|mail|e-mail|text|header)s?(?: (?:headers?|follows?|text|is following|"
    r"body|content|attached|below))*|"
    r"(?:this|here|following|included|the following|attached) is (?:a |the )?(?:copy|header|"
    r"original|beginning|first|text)|"
    r"(?:the )?(?:header|text|body|copy|beginning|first \d+ lines?) of (?:the |your )?"
    r"(?:original|returned|message|mail)|"
    r"(?:un)?sent message follows|message (?:header|text|contents?) follows?|"
    r"(?:rejected|bounced) (?:message|e-mail)|"
    r"original message follows|message contents|returned (?:message|content)|"
    r"start of (?:the )?(?:returned|original) message|copy of (?:the|your) (?:original )?message"
    r")\b[^\n]{0,80}$",
    re.IGNORECASE | re.MULTILINE,
)
_FIELD = re.compile(
    r"^>{0,2}[ ]?(?:received|return-path|message-id|from|to|subject|date|mime-version|"
    r"content-type|reply-to|dkim-signature|x-[\w-]{1,60}|sender|cc|delivered-to|user-agent|"
    r"content-transfer-encoding|authentication-results|received-spf|references)[ \t]{0,4}:",
    re.IGNORECASE,
)
_PROOF = ("received", "return-path", "message-id", "mime-version", "dkim-sig", "from:", "from :")
_LINES = 4000


def split(text: str) -> tuple[str, str]:
    """(what the report says, the returned mail or "") of a text part."""
    end = _header(text)
    mark = _MARK.search(text[:end])
    while mark and not _is_mark(text, mark):
        mark = _MARK.search(text, mark.end(), end)
    if mark:
        return text[: mark.start()], text[max(mark.end(), 0) :].lstrip()
    return text[:end], text[end:]


def header(text: str) -> mime.Fields:
    """The fields of a returned mail."""
    text = text.lstrip("\n ")
    if text.startswith(("From ", ">From ")):
        text = text.partition("\n")[2]
    begin = _header(text)
    return mime.fields(text[begin:] if begin < len(text) else text)


def message_id(fields: mime.Fields) -> str:
    """The Message-ID as events have it."""
    return mime.first(fields, "message-id").strip(" <>").split(" ")[0].rstrip(">")[:255]


def reference(fields: mime.Fields) -> str:
    """The Message-ID that a mail answers."""
    return mime.first(fields, "in-reply-to", "references").strip("<> ").split(">")[0][:255]


def _is_mark(text: str, mark: re.Match[str]) -> bool:
    """A mark is a line of its own: dashes around it, a colon or a full stop behind it, and the
    words before it do not end in the middle of a sentence."""
    line = mark[0].strip()
    if re.search(r"\b(?:response|reason|error|because)\b", line, re.IGNORECASE):
        return False
    if re.match(r"[-=_*#>]{2}", line) or line[-1] in ":-=.*" or len(line.split()) <= 5:
        before = text[: mark.start()].rstrip()
        return bool(before)
    return False


def _header(text: str) -> int:
    """Where a mail's header begins: three of its fields in a row, one of which people do not
    write; the length of the text where there is none."""
    at = begin = 0
    count = 0
    proof = False
    for line in text.split("\n", _LINES):
        if _FIELD.match(line):
            if not count:
                begin = at
            count += 1
            proof = proof or line.lstrip("> ").lower().startswith(_PROOF)
            if count >= 3 and proof:
                return begin
        elif line[:1] not in (" ", "\t") or not line.strip():
            count, proof = 0, False
        at += len(line) + 1
    return len(text)
