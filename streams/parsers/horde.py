"""Horde and IMP (3 to 6): logins.

Sources: Horde's horde/login.php and lib/Horde/Core, IMP's lib/IMP.php, lib/Auth.php and
redirect.php; Horde's log handlers (file, syslog). The name of the user stands beside the client's
address, which is in brackets, in newer versions in parentheses: an address counts only where no
other stands like it. Behind a proxy the lines of Horde 5 add ``(forwarded for [...])``.
"""

import re

from schemas.events import Auth
from streams.parsers import fields, proxied
from streams.parsers.event import event
from streams.parsers.part import Format, Items, Mask, Parse, Record

_HEAD = re.compile(
    r"(?:HORDE:? )?(?:\[(?:emerg\w*|alert|crit\w*|err\w*|warn\w*|notice|info|debug)\] )?"
)
_OLD = re.compile(
    r"FAILED LOGIN (?P<ip>[0-9A-Fa-f.:]{2,45}) to \S{1,300} as (?P<user>.{0,320}?)"
    r"(?= \[(?:on line|pid)|$)",
    re.DOTALL,
)
_LOGIN = re.compile(
    r"(?P<what>FAILED LOGIN|Login success) for (?P<user>.{0,320}?) (?=[\[(]|to \S{1,80} [\[(])",
    re.DOTALL,
)
_IP = re.compile(r"[\[(](?P<ip>[0-9A-Fa-f.:]{2,45})(?=[\]),]|$)")
_FORWARDED = "forwarded for ["
_APPS = ("[imp] ", "[horde] ")


def _log(record: Record) -> Items:
    return _read(record) or ()


def _read(record: Record) -> Items | None:
    text = record.text
    head = _HEAD.match(text)
    at = head.end() if head else 0
    if not text.startswith(_APPS, at):
        return None
    said = text[text.index("]", at) + 2 :]
    if said.startswith("FAILED LOGIN ") and not said.startswith("FAILED LOGIN for "):
        old = _OLD.match(said)
        return _login(record, "failed", fields.client(old["ip"]), old["user"]) if old else ()
    found = _LOGIN.match(said)
    if found is None:
        return ()
    outcome = "ok" if found["what"] == "Login success" else "failed"
    return _login(record, outcome, _client(said[found.end("user") :]), found["user"])


def _client(said: str) -> str:
    """The address in what follows the name; ``""`` where it could be another."""
    before, proxy, forwarded = said.rpartition(_FORWARDED)
    before = before.rstrip(" (,")
    if not proxy:
        before, forwarded = said, ""
    elif "])" not in forwarded:
        return ""  # the line was cut before the address that our proxy wrote
    peers = {found["ip"] for found in _IP.finditer(before)}
    if len(peers) != 1:
        return ""
    return proxied.client(peers.pop(), forwarded.rpartition("])")[0])


def _login(record: Record, outcome: str, client: str, user: str) -> Items:
    return (
        event(
            Auth,
            record,
            client=client,
            account=fields.mailbox(user),
            outcome=outcome,
            reason="" if outcome == "ok" else "rejected",
            service="web",
        ),
    )


def _text(record: Record) -> Items | None:
    """A line of Horde's own file: ``HORDE [level] [imp] text``."""
    return _read(record) if record.text.startswith("HORDE") else None


LEVELS = frozenset({"EMERG", "ALERT", "CRIT", "ERR", "WARN", "NOTICE", "INFO", "DEBUG"})


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program in ("HORDE", "horde"):
        return _log
    return _text if not program or program in LEVELS else None


FORMAT = Format(
    "horde",
    parser,
    begins="HORDE",
)
