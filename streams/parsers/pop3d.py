"""Small POP3 servers: vm-pop3d (virtual domains), Solid POP3, Qpopper.

Wordings: vm-pop3d ``User 'U' - failed auth, from=ADDRESS``; Solid POP3 (src/main.c)
``authentication failed: no such user: U - ADDRESS`` and its kin, where ADDRESS may be ``name
(address)``, and is lacking where it was built without LOG_EXTEND; Qpopper ``[AUTH] Failed attempted
login to U from host (NAME) ADDRESS`` and ``(v4.0) POP login by user "U" at (NAME) ADDRESS``. The
address stands last in each of them; before it stands what the client typed.
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
_PEER = r"(?:[^\s()\[\]]{1,256} )?[\[(]?(?P<ip>[0-9A-Fa-f.:]{2,45})[\])]?"
_SOLID = re.compile(
    r"(?P<why>authentication failed: [a-z' ]{4,60}: |"
    r"(?:APOP )?authentication failed for (?:mapped )?user |can't find APOP secret for user |"
    r"root login not allowed)"
    rf"(?P<user>.*?)(?: - {_PEER})?",
    re.DOTALL,
)
_SOLID_OPENED = re.compile(
    rf"(?:mapped )?user (?P<user>.*) authenticated(?: through APOP)?(?: - {_PEER})?", re.DOTALL
)
_SOLID_CONNECT = re.compile(rf"connect from {_PEER}")
_UNKNOWN = ("authentication failed: no such", "authentication failed: can't map")
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
    if text.startswith(_REFUSALS):
        found = _SOLID.fullmatch(text)
        return _failed(record, found, _why(found["why"])) if found else None
    if text.startswith(("user ", "mapped user ")):
        found = _SOLID_OPENED.fullmatch(text)
        return _login(record, found, found["user"]) if found else None
    if text.startswith("connect from "):
        found = _SOLID_CONNECT.fullmatch(text)
        return (event(Connection, record, client=_client(found)),) if found else None
    if text.startswith("Session ended for "):
        found = _ENDED.fullmatch(text)
        if found is None:
            return None
        return (event(Connection, record, client=net.address(found["ip"]), outcome="closed"),)
    if text.startswith(("[AUTH] Failed ", "(v")):
        found = _QPOPPER.fullmatch(text)
        if found is None:
            return None
        if found["failed"] is None:
            return _login(record, found, found["opened"])
        return _failed(record, found, "")
    return None


_REFUSALS = ("authentication failed", "APOP authentication", "can't find APOP", "root login not")


def _why(said: str) -> str:
    if said.startswith(_UNKNOWN):
        return "unknown_account"
    return "not_authorized" if said.startswith("root") else "bad_password"


def _client(found: "re.Match[str]") -> str:
    return net.address(found["ip"] or "")


def _failed(record: Record, found: "re.Match[str]", reason: str) -> Items:
    fields = found.groupdict()
    return (
        event(
            Auth,
            record,
            client=_client(found),
            account=name(fields.get("user") or fields.get("failed") or ""),
            outcome="failed",
            reason=reason or "rejected",
            service="pop3",
        ),
    )


def _login(record: Record, found: "re.Match[str]", user: str) -> Items:
    client, account = _client(found), name(user)
    return (event(Auth, record, client=client, account=account, outcome="ok", service="pop3"),)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return _read if program in TAGS else None


FORMAT = Format("pop3d", parser)
