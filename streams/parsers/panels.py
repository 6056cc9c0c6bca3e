"""Control panels with a mail user's or administrator's login: Webmin, cPanel, Plesk.

Sources: Webmin's miniserv.pl (syslog), cPanel's ``login_log`` and Plesk's ``panel.log`` as their
manuals show them. A stranger chooses the name; the address stands after it in Webmin's and
Plesk's lines and before it in cPanel's.
"""

import re

from schemas.events import Auth
from streams.parsers import fields
from streams.parsers.event import event
from streams.parsers.part import Format, Items, Mask, Parse, Record

_WEBMIN = re.compile(
    r"(?P<what>Invalid|Non-existent|Successful) login as (?P<user>.{0,320}) from "
    r"(?P<ip>[0-9A-Fa-f.:]{2,45})",
    re.DOTALL,
)
_CPANEL = re.compile(
    r"info \[(?P<service>cpaneld|webmaild|whostmgrd|cpdavd)\] (?P<ip>[0-9A-Fa-f.:]{2,45}) - "
    r'(?P<user>[^"]{0,320}) "(?P<more>.*)',
    re.DOTALL,
)
_PLESK = re.compile(
    r"(?:ERR|WARN|INFO|NOTICE) (?:\(\d\) )?\[panel\] Failed login attempt with login "
    r"'(?P<user>.{0,320})' from IP (?P<ip>[0-9A-Fa-f.:]{2,45})(?:[. ].{0,300})?",
    re.DOTALL,
)
_REASONS = {"Invalid": "bad_password", "Non-existent": "unknown_account", "Successful": ""}


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


def _webmin(record: Record) -> Items:
    found = _WEBMIN.fullmatch(record.text)
    if found is None:
        return ()
    reason = _REASONS[found["what"]]
    return _login(record, found, "failed" if reason else "ok", reason)


def _text(record: Record) -> Items | None:
    """A line of cPanel's or Plesk's own file."""
    text = record.text
    if text.startswith("info ["):
        found = _CPANEL.fullmatch(text)
        if found is None:
            return None
        failed = found["more"].rpartition(" FAILED LOGIN ")[2]
        if failed == found["more"]:
            return ()
        unknown = "invalid user" in failed or "user does not exist" in failed
        return _login(record, found, "failed", "unknown_account" if unknown else "bad_password")
    if " [panel] Failed login attempt with login '" in text[:80]:
        found = _PLESK.fullmatch(text)
        return _login(record, found, "failed", "rejected") if found else None
    return None


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _text
    return _webmin if program in ("webmin", "usermin") else None


FORMAT = Format(
    "panels",
    parser,
    begins=r"info \[|(?:ERR|WARN|INFO|NOTICE) (?:\(\d\) )?\[panel\] ",
)
