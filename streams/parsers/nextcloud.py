"""Nextcloud and ownCloud: logins, and what its audit log says of accounts.

Sources: Nextcloud's lib/private/Log (``nextcloud.log``, one JSON object a line; syslog), the
``Login failed`` of lib/private/Authentication and core, apps/admin_audit. ``remoteAddr`` is the
client behind the proxies that Nextcloud trusts. Successful logins are only in the audit log.
"""

import re
from typing import Any

from schemas.events import Auth, Change
from streams.parsers import fields
from streams.parsers.event import event
from streams.parsers.part import DOCUMENT, Format, Items, Mask, Parse, Record

_FAILED = re.compile(
    r"Login failed: (?P<user>.{0,320}) \(Remote IP: '?(?P<ip>[0-9A-Fa-f.:]{2,45})'?\)", re.DOTALL
)
_APP = re.compile(r"\{(?P<app>[\w ]{1,60})\} ")
_QUOTED = re.compile(r'"(?P<user>[^"]{1,320})"')

CHANGES = (
    # what a message of the audit log begins with, what it changes
    ("User disabled: ", "disabled"),
    ("User enabled: ", "enabled"),
    ("User deleted: ", "disabled"),
    ("Password of user ", "password"),
    ("Two factor provider ", "mfa"),
)


def _document(record: Record) -> Items | None:
    """An entry of ``nextcloud.log`` or ``audit.log``."""
    data = record.data
    if "remoteAddr" not in data or "reqId" not in data:
        return None
    message, app = fields.text(data.get("message")), data.get("app")
    client = fields.client(data["remoteAddr"])
    if message.startswith("Login failed: "):
        found = _FAILED.fullmatch(message)
        said = found["user"] if found else message.removeprefix("Login failed: ")
        return _login(record, client, said, "failed")
    if app != "admin_audit":
        return ()
    user = fields.mailbox(data.get("user")).replace("--", "")
    if message.startswith("Login successful: "):
        return _login(record, client, message.partition(": ")[2], "ok")
    return _audited(record, message, {"client": client, "actor": user})


def _login(record: Record, client: str, user: str, outcome: str) -> Items:
    return (
        event(
            Auth,
            record,
            client=client,
            account=fields.mailbox(user.strip("'\"")),
            outcome=outcome,
            reason="" if outcome == "ok" else "rejected",
            service="web",
        ),
    )


def _audited(record: Record, message: str, known: dict[str, Any]) -> Items:
    for words, what in CHANGES:
        if message.startswith(words):
            named = _QUOTED.search(message)
            account = fields.mailbox(named["user"]) if named else known["actor"]
            detail = message[:200]
            return (event(Change, record, account=account, what=what, detail=detail, **known),)
    return ()


def _syslog(record: Record) -> Items:
    """``{app} message``; the message names the client itself, behind the user."""
    text = record.text
    app = _APP.match(text)
    message = text[app.end() :] if app else text
    found = _FAILED.fullmatch(message) if message.startswith("Login failed: ") else None
    if found is None:
        return ()
    return _login(record, fields.client(found["ip"]), found["user"], "failed")


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program == DOCUMENT:
        return _document
    return _syslog if program in ("Nextcloud", "nextcloud", "ownCloud", "owncloud") else None


FORMAT = Format(
    "nextcloud",
    parser,
    keys=("remoteAddr",),
)
