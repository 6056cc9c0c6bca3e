"""postscreen(8): who may talk to smtpd at all. Wordings from src/postscreen/*.c.

A client is ``[address]:port``, a session that and the time it lasts. A DNSBL rank is logged only
when it reaches the threshold, so it is a refusal; where the action is ``ignore`` it is not
enforced, and logged alike.
"""

import re

from schemas.events import Connection, Recipient
from streams.parsers import reply
from streams.parsers.part import Items, Part, Record
from streams.parsers.postfix import reject
from streams.parsers.postfix.peer import peer

_PEER = r"(?P<peer>\[[^\]\s]*\](?::\d+)?)"
_OPENED = re.compile(rf"CONNECT from {_PEER} to \S+")
_CLOSED = re.compile(rf"DISCONNECT {_PEER}")
_BROKEN = re.compile(
    rf"(?:HANGUP after \S+ from {_PEER} in (?P<hangup>tests \S+ SMTP handshake|.+)|"
    rf"COMMAND TIME LIMIT from {_PEER.replace('peer', 'slow')} after (?P<command>\S+))"
)
_ABUSE = re.compile(
    r"(?P<what>PREGREET \d+ after \S+|NON-SMTP COMMAND|COMMAND PIPELINING|BARE NEWLINE|"
    rf"COMMAND COUNT LIMIT|COMMAND LENGTH LIMIT) from {_PEER}(?: after |: |$)"
)
_REFUSED = re.compile(rf"(?P<what>DNSBL rank \d+ for|DENYLISTED|BLACKLISTED) {_PEER}")
_REASONS = {
    "PREGREET": "pregreet",
    "NON-SMTP": "non_smtp_command",
    "COMMAND PIPELINING": "pipelining",
    "BARE": "bare_newline",
    "COMMAND COUNT": "command_limit",
    "COMMAND LENGTH": "command_limit",
    "DNSBL": "listed",
    "DENYLISTED": "denied",
    "BLACKLISTED": "denied",
}


def read(record: Record) -> Items:
    """What a line of postscreen says."""
    text = record.text
    if text.startswith("NOQUEUE: reject: "):
        return _reject(record, text[17:])
    found = _OPENED.fullmatch(text)
    if found:
        return (_connection(record, found["peer"], "opened", ""),)
    found = _CLOSED.fullmatch(text)
    if found:
        return (_end(record, found["peer"], "", ends=True),)
    found = _BROKEN.fullmatch(text)
    if found:
        what = found["hangup"] or ""
        reason = f"hung up in {what}" if what else f"timeout after {found['command']}"
        return (_end(record, found["peer"] or found["slow"], reason, ends=False),)
    found = _ABUSE.match(text)
    if found:
        return (_connection(record, found["peer"], "abuse", _reason(found["what"])),)
    found = _REFUSED.fullmatch(text)
    if found:
        return (_connection(record, found["peer"], "refused", _reason(found["what"])),)
    return ()


def _reason(what: str) -> str:
    return next(reason for words, reason in _REASONS.items() if what.startswith(words))


def _connection(record: Record, who: str, outcome: str, reason: str, helo: str = "") -> Connection:
    return Connection(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=peer(who)[1],
        helo=helo,
        outcome=outcome,
        reason=reason,
    )


def _end(record: Record, who: str, reason: str, *, ends: bool) -> Part:
    return Part(
        record.at,
        record.host,
        "session",
        who,
        event=_connection(record, who, "closed", reason),
        once="closed",
        ends=ends,
    )


def _reject(record: Record, rest: str) -> Items:
    command, _, rest = rest.partition(" from ")
    who, colon, tail = rest.partition(": ")
    if not colon:
        raise ValueError(f"a refusal without reply: {rest[:200]!r}")
    if command == "CONNECT":
        return (_connection(record, who, "refused", "overload"),)
    said = reject.read(tail)
    verdict, reason = reply.verdict(said.code, said.enhanced, said.text)
    return (
        Recipient(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=peer(who)[1],
            sender=said.sender,
            recipient=said.recipient,
            verdict=verdict,
            code=said.code,
            enhanced=said.enhanced,
            reason=reason,
        ),
    )
