"""Roundcube (0.2 to 1.6): logins, and changed passwords.

Sources: Roundcube's rcmail.php (log_login), rcube_imap.php, rcube_utils.php (remote_ip), the
password plugin. Logs are files of their own (``errors.log``, ``userlogins.log``, ``password``) or
syslog. A failed login stands in both of the first two, where both are written, and counts once.

The name of the user may say ``from 192.0.2.1``, and so may the IMAP server's words: an address
counts only where no other stands like it.
"""

import re

from schemas.events import Auth, Change, Fact
from streams.parsers import fields, proxied
from streams.parsers.event import event
from streams.parsers.part import Format, Item, Items, Mask, Parse, Record, Twin, any_of

_IP = r"(?P<ip>[0-9A-Fa-f.:]{2,45})(?:\((?P<headers>X-[^()]{1,600})\))?"
_SESSION = re.compile(r"<[\w,-]{1,128}> ")
_OPENED = re.compile(
    rf"Successful login for (?P<user>.{{0,320}}) \([Ii][Dd]:? \d{{1,10}}\) from {_IP}"
    r"(?: in session [\w,-]{1,128})?",
    re.DOTALL,
)
_REFUSED = re.compile(
    rf"(?:Failed|FAILED) login for (?P<user>.{{0,320}}) from {_IP}"
    r"(?: in session [\w,-]{1,128})?(?: \(error: (?P<error>-?\d{1,5})\))?",
    re.DOTALL,
)
_FAILED = re.compile(r"(?:IMAP Error(?: in [^()]{1,200} \(\d{1,6}\))?: )?Login failed for ")
_FROM = re.compile(rf" from {_IP}(?=\. |\.?$)")
_USER = re.compile(r"(?P<user>.{0,320}?)(?: against [^ ]{1,255})?", re.DOTALL)
# How Roundcube begins what it says behind the address (rcube_imap_generic.php)
_SAID = re.compile(
    r"\. (?:(?:LOGIN|AUTHENTICATE [\w-]{2,20}|[A-Z]{2,12}): |Could not connect|Empty |"
    r"Invalid startup |Unable to |Unknown |Login disabled |Configuration error|Connection |"
    r"\(?no message)"
)
_PASSWORD = re.compile(
    rf"Password changed for user (?P<user>.{{0,320}}) \(ID: \d{{1,10}}\) from {_IP}", re.DOTALL
)
_HEADER = re.compile(r"(?P<name>X-Forwarded-For|X-Real-IP): (?P<value>[^()]*?)(?=,X-|$)")

_REFUSALS = ("Failed login for ", "FAILED login for ")
_SERVER = ("Could not connect", "Connection refused", "Unable to ", "Connection timed out")


def _client(found: re.Match[str]) -> str:
    headers = found["headers"]
    if not headers:
        return fields.client(found["ip"])
    told = {one["name"]: one["value"] for one in _HEADER.finditer(headers)}
    return proxied.client(found["ip"], told.get("X-Forwarded-For", ""), told.get("X-Real-IP", ""))


def _twice(record: Record, told: Fact, client: str, account: str) -> Item:
    """A failure that the other log may have too, within the same minute."""
    return Twin(record.host, f"roundcube {int(record.at) // 60} {client} {account}", told)


def _log(record: Record) -> Items:
    text = record.text
    session = _SESSION.match(text)
    if session:
        text = text[session.end() :]
    if text.startswith("Successful login for "):
        found = _OPENED.fullmatch(text)
        if found is None:
            return ()
        account = fields.mailbox(found["user"])
        return (
            event(
                Auth, record, client=_client(found), account=account, outcome="ok", service="web"
            ),
        )
    if text.startswith(_REFUSALS):
        found = _REFUSED.fullmatch(text)
        return _failed(record, found, found["user"], "rejected") if found else ()
    if text.startswith("Password changed for user "):
        found = _PASSWORD.fullmatch(text)
        if found is None:
            return ()
        account = fields.mailbox(found["user"])
        return (
            event(
                Change,
                record,
                client=_client(found),
                account=account,
                actor=account,
                what="password",
            ),
        )
    start = _FAILED.match(text)
    return _error(record, text[start.end() :]) if start else ()


def _error(record: Record, said: str) -> Items:
    """A failed login in the log of errors: user, perhaps the server, client, the server's words."""
    before, file, _ = said.rpartition(" in /")
    said = before if file else said
    places = list(_FROM.finditer(said))
    if not places:
        return _failed(record, None, said.partition(" ")[0].rstrip("."), "rejected")
    place = _own(said, places)
    user = _USER.fullmatch(said, 0, place.start()) if place else None
    account = user["user"] if user else said.partition(" ")[0]
    server = any(words in said[(place or places[0]).end() :] for words in _SERVER)
    return _failed(record, place, account, "server" if server else "rejected")


def _own(said: str, places: list[re.Match[str]]) -> re.Match[str] | None:
    """The address that Roundcube wrote; None where it may be another's.

    What stands in the name comes before it, what stands in the server's words after it. So it is
    the last one, and the only one behind which Roundcube's own words begin.
    """
    if len({_client(found) for found in places}) == 1:
        return places[0]
    said_of = [found for found in places if _SAID.match(said, found.end())]
    return places[-1] if said_of == places[-1:] else None


def _failed(record: Record, found: re.Match[str] | None, user: str, reason: str) -> Items:
    client = _client(found) if found else ""
    account = fields.mailbox(user)
    told = event(
        Auth,
        record,
        client=client,
        account=account,
        outcome="error" if reason == "server" else "failed",
        reason=reason,
        service="web",
    )
    return (_twice(record, told, client, account),)


_WORDS = ("Successful login for ", *_REFUSALS, "Password changed for user ")


def _text(record: Record) -> Items | None:
    """A line of Roundcube's own files."""
    text = record.text
    if text[:1] == "<":
        session = _SESSION.match(text)
        if session is None:
            return None
        text = text[session.end() :]
    if text.startswith(_WORDS) or _FAILED.match(text):
        return _log(record) or None
    return None


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _text
    return _log if program in ("roundcube", "roundcubemail") else None


FORMAT = Format(
    "roundcube",
    parser,
    begins=rf"(?:{_SESSION.pattern})?(?:{any_of(*_WORDS)}|IMAP Error|Login failed for )",
)
