"""perdition 1.x and 2.x, the proxy before IMAP, POP3 and ManageSieve servers.

Wordings from perdition/perdition.c: ``Auth: CLIENT:PORT->SERVER:PORT client-secure=...
authorisation_id=... authentication_id="USER" [passwd="..."] server="..." protocol=IMAP4
server-secure=... status="ok"``; 1.x says ``Auth: CLIENT->SERVER user="USER" server="..."
port="..." status="..."``. Addresses stand first and are numbers; quotes in the name of a user are
not escaped. The real server logs the same login with the proxy as its client.
"""

import re

from schemas import net
from schemas.events import Auth, Connection
from streams.parsers.event import event, name
from streams.parsers.part import Format, Items, Mask, Parse, Record

_PEER = re.compile(
    r"(?P<what>Auth|Connect|Close|Fatal [Ee]rror:?(?: Timeout)? reading authentication "
    r"information from client):? ?(?P<ip>[0-9A-Fa-f.:]{2,45}?)(?::\d{1,5})?->\S{2,60}"
)
_PROTOCOL = re.compile(r".* protocol=(?P<protocol>\w{3,20})", re.DOTALL)
_FAILURES = {
    "local authentication failure": ("failed", "bad_password"),
    "re-authentication failure": ("failed", "rejected"),
    "login disabled": ("failed", "disabled"),
    "sasl mechanism unavailable": ("failed", "mechanism"),
}
_FAILED = "failed: "


def _read(record: Record) -> Items | None:
    text = record.text
    found = _PEER.match(text)
    if found is None:
        return None
    client = net.address(found["ip"])
    if found["what"] == "Auth":
        return _login(record, client, text[found.end() :])
    outcome = "opened" if found["what"] == "Connect" else "closed"
    reason = "no_auth_attempts" if found["what"].startswith("Fatal") else ""
    return (event(Connection, record, client=client, outcome=outcome, reason=reason),)


def _login(record: Record, client: str, rest: str) -> Items:
    """What the server says stands at the ends; the name of the user between."""
    rest, _, status = rest.rpartition(' status="')
    who, found, server = rest.rpartition('" server="')
    if not found:
        raise ValueError(f"a login that ends early: {rest[-200:]!r}")
    user = who.partition('authentication_id="')[2] or who.partition('user="')[2]
    status = status.rstrip('" ')
    outcome, reason = "ok", ""
    if status != "ok":
        why = status.removeprefix(_FAILED).lower()
        outcome, reason = _FAILURES.get(why, ("error", "server"))
    protocol = _PROTOCOL.fullmatch(server.partition(" server-secure=")[0])
    service = (protocol["protocol"] if protocol else record.program[10:]).lower()
    return (
        event(
            Auth,
            record,
            client=client,
            account=name(user.partition('" passwd="')[0]),
            outcome=outcome,
            reason=reason,
            service="sieve" if service == "managesieve" else service[:4],
        ),
    )


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag, ``perdition[.PROTOCOL]``; see `Format`."""
    return _read if program.startswith("perdition") else None


FORMAT = Format("perdition", parser)
