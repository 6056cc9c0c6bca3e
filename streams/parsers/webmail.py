"""Small webmailers: SquirrelMail, RainLoop and SnappyMail, Open WebMail, Group-Office.

Sources: SquirrelMail's plugin squirrel_logger (2.x, its default format), the ``auth_logging`` of
RainLoop and SnappyMail (application.ini, UserAuth.php), Open WebMail's writelog, Group-Office's
infolog (``[2026-03-07]LOGIN FAILED for user: "U" from IP: A``). Each has a file of its own or goes
through syslog. The address stands before the name of the user, or after all
that a stranger wrote; the text around it is the program's own.
"""

import re

from schemas.events import Auth
from streams.parsers import fields
from streams.parsers.event import event
from streams.parsers.part import Format, Items, Mask, Parse, Record

_SQUIRREL = re.compile(
    r"\[(?P<what>LOGIN|LOGIN_ERROR)\] (?P<user>.{0,320}?)(?: \([^()]{0,255}\))? from "
    r"(?P<ip>[0-9A-Fa-f.:]{2,45}):(?P<more> [^:]{0,200})?",
    re.DOTALL,
)
_SNAPPY = re.compile(
    r"(?:Admin )?Auth failed: ip=(?P<ip>[0-9A-Fa-f.:]{2,45}) user=(?P<user>.{0,320}?)"
    r"(?: host=\S{0,255} port=\S{0,5})?",
    re.DOTALL,
)
_OPEN = re.compile(
    r"- \[\d{1,10}\] \((?P<ip>[0-9A-Fa-f.:]{2,45})\) (?P<user>\S{0,320}) - "
    r"(?P<what>login|login error|userinfo error|session error) - (?P<more>.*)",
    re.DOTALL,
)


_OFFICE = re.compile(
    r"LOGIN (?P<what>FAILED|SUCCESS) for user: \"(?P<user>.{0,320})\" from IP: "
    r"(?P<ip>[0-9A-Fa-f.:]{2,45})",
    re.DOTALL,
)


def _login(record: Record, found: re.Match[str], outcome: str, reason: str) -> Items:
    return (
        event(
            Auth,
            record,
            client=fields.client(found["ip"]),
            account=fields.mailbox(found["user"]),
            outcome=outcome,
            reason=reason,
            service="web",
        ),
    )


def _squirrelmail(record: Record) -> Items:
    found = _SQUIRREL.fullmatch(record.text)
    if found is None:
        return ()
    if found["what"] == "LOGIN":
        return _login(record, found, "ok", "")
    server = "connect" in (found["more"] or "").lower()
    return _login(
        record, found, "error" if server else "failed", "server" if server else "rejected"
    )


def _snappymail(record: Record) -> Items:
    found = _SNAPPY.fullmatch(record.text)
    return _login(record, found, "failed", "rejected") if found else ()


def _openwebmail(record: Record) -> Items:
    found = _OPEN.fullmatch(record.text)
    if found is None or found["what"] == "session error":
        return ()
    if found["what"] == "login":
        return _login(record, found, "ok", "")
    unknown = "doesn't exist" in found["more"]
    return _login(record, found, "failed", "unknown_account" if unknown else "rejected")


def _groupoffice(record: Record) -> Items:
    found = _OFFICE.fullmatch(record.text)
    if found is None:
        return ()
    if found["what"] == "SUCCESS":
        return _login(record, found, "ok", "")
    return _login(record, found, "failed", "rejected")


def _text(record: Record) -> Items | None:
    """A line of a webmailer's own file."""
    text = record.text
    if text.startswith(("LOGIN FAILED for user: ", "LOGIN SUCCESS for user: ")):
        return _groupoffice(record) or None
    if text.startswith(("[LOGIN] ", "[LOGIN_ERROR] ")):
        return _squirrelmail(record) or None
    if text.startswith(("Auth failed: ip=", "Admin Auth failed: ip=")):
        return _snappymail(record) or None
    if text.startswith("- [") and " - " in text:
        return _openwebmail(record) if _OPEN.fullmatch(text) else None
    return None


READERS: dict[str, Parse] = {
    "": _text,
    "squirrelmail": _squirrelmail,
    "SquirrelMail": _squirrelmail,
    "snappymail": _snappymail,
    "rainloop": _snappymail,
    "groupoffice": _groupoffice,
}


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return READERS.get(program)


FORMAT = Format(
    "webmail",
    parser,
    begins=r"LOGIN (?:FAILED|SUCCESS) for user: |\[LOGIN(?:_ERROR)?\] |"
    r"(?:Admin )?Auth failed: ip=|- \[",
)
