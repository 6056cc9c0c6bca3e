"""UW-IMAP 4.x to 2007f and Panda IMAP: imapd, ipop2d, ipop3d.

Wordings from src/osdep/unix/env_unix.c (``Login %s user=%.64s auth=%.64s host=%.80s``),
src/imapd/imapd.c and src/ipopd/ipop3d.c; older releases say ``Login failure`` and name no
``auth=``. The host stands last, as ``name [address]``; before it stands what the client typed.

AUTHENTICATE is refused in two lines: the first one, to the facility "auth", names the account,
the second the mechanism. The plain LOGIN command has only the first.
"""

import re

from schemas import net
from schemas.events import Auth, Connection
from streams.parsers.event import event, name
from streams.parsers.part import Attempt, Format, Items, Mask, Parse, Record, any_of

SERVICES = {
    **dict.fromkeys(("imapd", "imapsd", "imaps", "imap", "uw-imapd", "imap4d"), "imap"),
    **dict.fromkeys(("ipop3d", "ipop2d", "ipop3sd", "pop3d", "pop3s", "ipopd"), "pop3"),
}

_HOST = re.compile(
    r"(?:UNKNOWN|(?:[^\s\[\]]{1,255} ?)?\[(?P<ip>[0-9A-Fa-f.:]{2,45})\])"
    r"(?: mech=(?P<mechanism>[\w-]{1,20}))?(?: nmsgs=\d+/\d+)?"
)
_REFUSED = re.compile(
    r"(?P<what>Login (?:failed|failure|excessive login failures|disabled|SYSTEM BREAK-IN ATTEMPT)|"
    r"Excessive login (?:failures|attempts)) user=(?P<who>.*)",
    re.DOTALL,
)
_MECHANISM = re.compile(r"AUTHENTICATE (?P<mechanism>[\w-]{1,40}) failure")
_OVERRIDE = re.compile(r"Failed (?P<admin>.*) override of user=(?P<user>.*)", re.DOTALL)
_OPENED = ("Login user=", "Authenticated user=", "Auth user=", "APOP user=", "Preauthenticated ")
_CLOSED = (
    "Logout user=",
    "Autologout",
    "Killed (lost mailbox lock) user=",
    "Connection broken while ",
    "Connection reset by peer",
    "Command stream end of file while ",
    "Null command before authentication",
)
_OURS = (
    "Login ",
    "Auth",
    "AUTHENTICATE ",
    "APOP user=",
    "Preauthenticated ",
    "Failed ",
    "Excessive login ",
    "System break-in attempt, host=",
    "SYSTEM BREAK-IN ATTEMPT, host=",
    "Autologout ",
    "Logout user=",
    "Killed (lost mailbox lock) user=",
    "Connection broken while ",
    "Connection reset by peer",
    "Command stream end of file while ",
    "Null command before authentication",
)
_INIT = " service init from "


class _Parser:
    def __init__(self, service: str) -> None:
        self._service = service

    def parse(self, record: Record) -> Items | None:
        text = record.text
        if not text.startswith(_OURS):
            begin, found, address = text.partition(_INIT)
            if not found or begin not in ("imap", "imaps", "pop2", "pop3", "pop3s"):
                return None
            return (event(Connection, record, client=net.address(address), outcome="opened"),)
        what, found, host = text.rpartition(" host=")
        place = _HOST.fullmatch(host) if found else None
        if place is None:
            return None
        client = net.address(place["ip"] or "")
        if what.startswith(_OPENED):
            account = what.partition("user=")[2]
            mechanism = (place["mechanism"] or "").upper()
            return (self._auth(record, client, account, mechanism, "ok", ""),)
        if what.startswith(_CLOSED):
            return (event(Connection, record, client=client, outcome="closed"),)
        return self._refused(record, client, what)

    def _refused(self, record: Record, client: str, what: str) -> Items:
        found = _REFUSED.fullmatch(what)
        if found:
            reason = "disabled" if found["what"] == "Login disabled" else "bad_password"
            auth = self._auth(record, client, _account(found["who"]), "", "failed", reason)
            return (Attempt("detail", auth, self._session(record)),)
        found = _MECHANISM.fullmatch(what)
        if found:
            mechanism = found["mechanism"].upper()
            auth = self._auth(record, client, "", mechanism, "failed", "rejected")
            return (Attempt("smtp", auth, self._session(record)),)
        found = _OVERRIDE.fullmatch(what)
        if found:
            auth = self._auth(record, client, found["admin"], "", "failed", "not_authorized")
            return (Attempt("detail", auth, self._session(record)),)
        if what.lower() == "system break-in attempt,":
            return (event(Connection, record, client=client, outcome="abuse", reason="break_in"),)
        return ()

    @staticmethod
    def _session(record: Record) -> str:
        return f"{record.program} {record.pid}" if record.pid else ""

    def _auth(
        self, record: Record, client: str, account: str, mechanism: str, outcome: str, reason: str
    ) -> Auth:
        return event(
            Auth,
            record,
            client=client,
            account=name(account),
            outcome=outcome,
            reason=reason,
            mechanism=mechanism,
            service=self._service,
        )


def _account(who: str) -> str:
    """Whose password was asked for: in ``USER auth=AUTH`` mostly twice the same."""
    half = max((len(who) - len(" auth=")) // 2, 0)
    if who == f"{who[:half]} auth={who[:half]}":
        return who[:half]
    return who.rpartition(" auth=")[2]


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _Parser("").parse
    service = SERVICES.get(program)
    return _Parser(service).parse if service else None


FORMAT = Format(
    "uw-imap",
    parser,
    begins=rf"{any_of(*_OURS)}|(?:imaps?|pop2|pop3s?){_INIT}",
)
