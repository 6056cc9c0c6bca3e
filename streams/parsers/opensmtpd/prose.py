"""Prose, up to 5.9: ``smtp-in: New session``, ``delivery: Ok for``."""

import re

from streams.parsers.opensmtpd import told
from streams.parsers.part import Items, Record

_SESSION = re.compile(
    r"(?P<what>[A-Za-z ]{3,40}?) session (?P<id>[0-9a-f]{16})(?P<rest>.*)", re.DOTALL
)
_FAILED = re.compile(r'"(?P<command>.*)" => (?P<result>.*)', re.DOTALL)
_DELIVERY = re.compile(
    r"(?P<agent>delivery|relay): (?P<result>\w{2,12}) for (?P<evpid>[0-9a-f]{16}): (?P<rest>.*)",
    re.DOTALL,
)
_HOST = re.compile(r" from host (?P<name>\S*) \[(?P<ip>[^\]\s]{1,60})\]")
_AUTH = re.compile(
    r"(?P<what>Accepted authentication|Authentication failed|Authentication temporarily failed)"
    r" for user (?P<user>\S*) on session (?P<session>[0-9a-f]{16})"
)
_RESULTS = {
    "Accepted authentication": "ok",
    "Authentication failed": "permfail",
    "Authentication temporarily failed": "tempfail",
}


def delivered(record: Record) -> Items | None:
    """``delivery: Ok for E: from=<s>, to=<r>, ..., stat=S``; ``relay:`` likewise"""
    found = _DELIVERY.match(record.text)
    if found is None:
        return None
    fields = _fields(found["rest"])
    return told.delivery(record, found["agent"], found["evpid"], found["result"], fields)


def session(record: Record, text: str) -> Items:
    """What stands behind ``smtp-in: ``."""
    found = _SESSION.match(text)
    if text.startswith("Accepted message "):
        queue_id, _, more = text[17:].partition(" on session ")
        session, _, more = more.partition(": ")
        fields = _fields(more)
        return told.accepted(record, session, queue_id, fields, fields["count"])
    user = _AUTH.fullmatch(text)
    if user:
        return told.login(record, user["session"], user["user"], _RESULTS[user["what"]])
    if found is None:
        return ()
    session, rest = found["id"], found["rest"]
    if found["what"] == "New":
        host = _HOST.fullmatch(rest)
        return told.opened(record, session, host["ip"], host["name"]) if host else ()
    if found["what"] in ("Closing", "Received disconnect from", "Disconnecting"):
        return (told.end(record, session, rest.removeprefix(": ")),)
    if found["what"] == "Failed command on":
        failed = _FAILED.match(rest.removeprefix(": "))
        return told.refused(record, session, failed["command"], failed["result"]) if failed else ()
    if found["what"] == "Bad input on":
        return told.bad_input(record, session, rest)
    return ()


def _fields(text: str) -> dict[str, str]:
    """``from=<s>, to=<r>, size=n, ndest=n, proto=P``, ``from=<s>, to=<r>, ..., stat=words``"""
    sender, _, more = text.partition("from=<")[2].partition(">")
    recipient = more.partition(" to=<")[2].partition(">")[0]
    relay = more.partition(" relay=")[2].partition(",")[0]
    size, _, count = more.rpartition(", size=")[2].partition(", n")
    return {
        "from": sender,
        "to": recipient,
        "relay": relay,
        "size": size,
        "count": count.partition("=")[2].partition(",")[0],
        "stat": more.partition(", stat=")[2],
    }
