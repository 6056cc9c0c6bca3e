"""postscreen(8): who may talk to smtpd at all. Wordings from src/postscreen/*.c.

A client is ``[address]:port``, a session that and the time it lasts. Who passes (``PASS NEW``) is
told again by smtpd. A DNSBL rank is logged only when it reaches the threshold, so it is a
refusal; where the action is ``ignore`` it is not enforced, and logged alike. So is PREGREET.
"""

import re
from collections.abc import Callable

from schemas.events import Connection, Recipient
from streams.parsers import reply
from streams.parsers.part import Items, Part, Record
from streams.parsers.postfix import reject
from streams.parsers.postfix.peer import peer

_PEER = r"(?P<peer>\[[^\]\s]*\](?::\d+)?)"
_OPENED = re.compile(rf"CONNECT from {_PEER} to \S+")
_CLOSED = re.compile(rf"DISCONNECT {_PEER}")
_HUNG_UP = re.compile(rf"HANGUP after \S+ from {_PEER} in (?P<where>.+)")
_SLOW = re.compile(rf"COMMAND TIME LIMIT from {_PEER} after (?P<command>\S+)")
_ABUSE = re.compile(
    r"(?P<what>PREGREET \d+ after \S+|NON-SMTP COMMAND|COMMAND PIPELINING|BARE NEWLINE|"
    r"COMMAND COUNT LIMIT|COMMAND LENGTH LIMIT|(?:DATA|BDAT) without valid RCPT) "
    rf"from {_PEER}(?: after |:|$)"
)
_REFUSED = re.compile(rf"(?P<what>DNSBL rank \d+ for|DENYLISTED|BLACKLISTED) {_PEER}")
_REASONS = {
    "PREGREET": "pregreet",
    "NON-SMTP": "non_smtp_command",
    "COMMAND PIPELINING": "pipelining",
    "BARE": "bare_newline",
    "COMMAND COUNT": "command_limit",
    "COMMAND LENGTH": "command_limit",
    "DATA": "no_recipient",
    "BDAT": "no_recipient",
    "DNSBL": "listed",
    "DENYLISTED": "denied",
    "BLACKLISTED": "denied",
}


def read(record: Record) -> Items:
    """What a line of postscreen says."""
    read = READERS.get(record.text.partition(" ")[0])
    return read(record, record.text) if read is not None else ()


def _opened(record: Record, text: str) -> Items:
    found = _OPENED.fullmatch(text)
    return (_connection(record, found["peer"], "opened", ""),) if found else ()


def _closed(record: Record, text: str) -> Items:
    found = _CLOSED.fullmatch(text)
    return (_end(record, found["peer"], "", ends=True),) if found else ()


def _hung_up(record: Record, text: str) -> Items:
    found = _HUNG_UP.fullmatch(text)
    return (_end(record, found["peer"], f"hung up in {found['where']}"),) if found else ()


def _command(record: Record, text: str) -> Items:
    found = _SLOW.fullmatch(text)
    if found is None:
        return _abuse(record, text)
    return (_end(record, found["peer"], f"timeout after {found['command']}"),)


def _abuse(record: Record, text: str) -> Items:
    found = _ABUSE.match(text)
    if found is None:
        return ()
    return (_connection(record, found["peer"], "abuse", _reason(found["what"])),)


def _refused(record: Record, text: str) -> Items:
    found = _REFUSED.fullmatch(text)
    if found is None:
        return ()
    return (_connection(record, found["peer"], "refused", _reason(found["what"])),)


def _reason(what: str) -> str:
    return next(reason for words, reason in _REASONS.items() if what.startswith(words))


def _connection(record: Record, who: str, outcome: str, reason: str) -> Connection:
    return Connection(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=peer(who)[1],
        outcome=outcome,
        reason=reason,
    )


def _end(record: Record, who: str, reason: str, *, ends: bool = False) -> Part:
    return Part(
        record.at,
        record.host,
        "session",
        who,
        event=_connection(record, who, "closed", reason),
        once="closed",
        ends=ends,
    )


def _reject(record: Record, text: str) -> Items:
    action, _, rest = text.removeprefix("NOQUEUE: ").partition(": ")
    if action != "reject":
        return ()
    command, _, rest = rest.partition(" from ")
    who, colon, tail = rest.partition(": ")
    if not colon:
        raise ValueError(f"a refusal without reply: {rest[:200]!r}")
    if command.upper() == "CONNECT":
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
            helo=said.helo,
        ),
    )


READERS: dict[str, Callable[[Record, str], Items]] = {
    "CONNECT": _opened,
    "DISCONNECT": _closed,
    "HANGUP": _hung_up,
    "COMMAND": _command,
    "NOQUEUE:": _reject,
    "reject:": _reject,
    **dict.fromkeys(("PREGREET", "NON-SMTP", "BARE", "DATA", "BDAT"), _abuse),
    **dict.fromkeys(("DNSBL", "DENYLISTED", "BLACKLISTED"), _refused),
}
