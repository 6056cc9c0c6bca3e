"""Small POP3 servers: vm-pop3d (virtual domains), Solid POP3, Qpopper.

Wordings: vm-pop3d ``User 'U' - failed auth, from=ADDRESS``; Solid POP3 ``authentication failed: no
such user: U - ADDRESS``; Qpopper ``[AUTH] Failed attempted login to U from host (NAME) ADDRESS``
and ``(v4.0) POP login by user "U" at (NAME) ADDRESS``. The address stands last in each of them;
before it stands what the client typed.
"""

import re

from schemas import net
from schemas.events import Auth, Connection
from streams.parsers.event import event, name
from streams.parsers.part import Format, Items, Mask, Parse, Record

TAGS = frozenset(
    {"vm-pop3d", "solid-pop3d", "spop3d", "popper", "qpopper", "in.qpopper", "popa3d", "in.pop3d"}
)

_IP = r"\[?(?P<ip>[0-9A-Fa-f.:]{2,45})\]?"
_VIRTUAL = re.compile(rf"User '(?P<user>.*)' - failed auth, from={_IP}", re.DOTALL)
_ENDED = re.compile(rf"Session ended for (?:no user|user: '.*') from {_IP}", re.DOTALL)
_SOLID = re.compile(
    r"authentication failed: (?P<why>no such user|can't map user name|[a-z' ]{4,60}): "
    rf"(?P<user>.*) - (?:[^\s\[\]]{{1,255}} )?{_IP}",
    re.DOTALL,
)
_QPOPPER = re.compile(
    r"(?:\[AUTH\] Failed attempted login to (?P<failed>.*) from host|"
    rf"\(v[\w.]{{1,20}}\) POP login by user \"(?P<opened>.*)\" at) \(\S{{0,255}}\) {_IP}(?: .*)?",
    re.DOTALL,
)


def _read(record: Record) -> Items | None:
    text = record.text
    if text.startswith("User '"):
        found = _VIRTUAL.fullmatch(text)
        return _failed(record, found, "bad_password") if found else None
    if text.startswith("authentication failed: "):
        found = _SOLID.fullmatch(text)
        if found is None:
            return None
        known = found["why"] not in ("no such user", "can't map user name")
        return _failed(record, found, "bad_password" if known else "unknown_account")
    if text.startswith("Session ended for "):
        found = _ENDED.fullmatch(text)
        if found is None:
            return None
        return (event(Connection, record, client=net.address(found["ip"]), outcome="closed"),)
    if text.startswith(("[AUTH] Failed ", "(v")):
        found = _QPOPPER.fullmatch(text)
        if found is None:
            return None
        return _login(record, found) if found["failed"] is None else _failed(record, found, "")
    return None


def _failed(record: Record, found: "re.Match[str]", reason: str) -> Items:
    fields = found.groupdict()
    return (
        event(
            Auth,
            record,
            client=net.address(fields["ip"]),
            account=name(fields.get("user") or fields.get("failed") or ""),
            outcome="failed",
            reason=reason or "rejected",
            service="pop3",
        ),
    )


def _login(record: Record, found: "re.Match[str]") -> Items:
    client, account = net.address(found["ip"]), name(found["opened"])
    return (event(Auth, record, client=client, account=account, outcome="ok", service="pop3"),)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return _read if program in TAGS else None


FORMAT = Format("pop3d", parser)
