"""imapd, pop3d and sqwebmaild of Courier 0.4x to 5.x: sessions and logins.

Wordings from courier-imap's imap/imapd.c, imaplogin.c, pop3login.c and pop3dserver.c:
``LOGIN, user=USER, ip=[ADDRESS], port=[PORT], protocol=IMAP``, ``LOGIN FAILED, user=USER,
ip=[ADDRESS]``. Only the plain LOGIN names the account of a failure; where the authentication
daemon itself has failed, another line says so, without a client.
"""

import re

from schemas import net
from schemas.events import Auth, Connection
from streams.parsers.event import event, name
from streams.parsers.part import Items, Parse, Record

_TAIL = re.compile(
    r"(?P<ip>[0-9A-Fa-f.:]{2,45})\](?:, port=\[\d{0,5}\])?"
    r"(?:, (?:protocol=\w+|stls=\d|\w+=\d+))*"
)
_LIMITED = re.compile(
    r"(?:ALERT: )?Maximum connection limit reached for (?P<ip>[0-9A-Fa-f.:]{2,45})"
)
_CLOSED = ("LOGOUT", "DISCONNECTED", "Disconnected", "TIMEOUT", "MAXCONNECTIONS")
_LOGINS = ("LOGIN", "LOGIN FAILED")
WORDS = (*_LOGINS, "Connection", *_CLOSED)


def parser(service: str) -> Parse:
    def parse(record: Record) -> Items | None:
        text = record.text
        what, comma, _ = text.partition(", ")
        if not comma:
            return (service and _unchecked(record, service)) or limited(record)
        if what in _LOGINS:
            return _login(record, text, service)
        if what == "Connection" or what in _CLOSED:
            return _session(record, text, what)
        return None

    return parse


def limited(record: Record) -> Items | None:
    """What couriertcpd says of a client that has too many connections already."""
    found = _LIMITED.fullmatch(record.text)
    if found is None:
        return None
    client = net.address(found["ip"])
    return (event(Connection, record, client=client, outcome="refused", reason="rate_limit"),)


def _unchecked(record: Record, service: str) -> Items | None:
    """``authentication error: Input/output error``: the authentication daemon does not answer.
    Whose login it was is not told."""
    if not record.text.startswith("authentication error: "):
        return None
    return (event(Auth, record, outcome="error", reason="server", service=service),)


def _login(record: Record, text: str, service: str) -> Items | None:
    who, found, rest = text.rpartition(", ip=[")
    tail = _TAIL.fullmatch(rest) if found else None
    if tail is None:
        return None
    what, _, field = who.partition(", ")
    key, _, value = field.partition("=")
    return (
        event(
            Auth,
            record,
            client=net.address(tail["ip"]),
            account=name(value) if key == "user" else "",
            outcome="failed" if what == "LOGIN FAILED" else "ok",
            reason="rejected" if what == "LOGIN FAILED" else "",
            mechanism=value.upper()[:20] if key == "method" else "",
            service=service,
        ),
    )


def _session(record: Record, text: str, what: str) -> Items | None:
    _, found, rest = text.rpartition("ip=[")
    tail = _TAIL.fullmatch(rest) if found else None
    if tail is None:
        return None
    outcome = "opened" if what == "Connection" else "closed"
    reason = what.lower() if what in ("TIMEOUT", "MAXCONNECTIONS") else ""
    if what == "MAXCONNECTIONS":
        outcome = "refused"
    client = net.address(tail["ip"])
    return (event(Connection, record, client=client, outcome=outcome, reason=reason),)
