"""smtpd(8): sessions that break off, and clients that break the protocol or a limit.

Wordings from Postfix's src/smtpd/smtpd.c, smtpd_sasl_proto.c and smtpd_chat.c. Since 3.9 some of
them begin with the queue file or NOQUEUE. A client's own words stand last, behind a colon that
stands also where there are none; only ETRN puts them before the client, who is then the last.
"""

import re

from schemas.events import Recipient
from streams.parsers.part import Items, Part, Record
from streams.parsers.postfix.peer import mailbox, peer
from streams.parsers.postfix.session import connection, session

_PEER = r"(?P<peer>[^\s:\[]*\[[^\]\s]*\](?::\d+)?)"
_LOST = re.compile(
    r"(?:\w+: )?(?P<what>lost connection|timeout|too many errors) after "
    r"(?P<command>\S+(?: content)?)(?: \((?:approximately )?\d+ bytes\))? from (?P<peer>\S+)"
)
_ABUSE = re.compile(
    rf"(?:\w+: )?(?P<what>improper command pipelining|bare <LF> received) after \S+ "
    rf"from {_PEER}(?::|$)"
)
_NON_SMTP = re.compile(rf"non-E?SMTP command from {_PEER}(?::|$)")
_SYNTAX = re.compile(
    rf"Illegal address syntax from {_PEER} in (?P<command>[A-Z]{{1,10}}) command:(?P<address>.*)",
    re.DOTALL,
)
_LIMIT = re.compile(rf"[A-Z][A-Za-z ]{{1,40}} limit exceeded: \d+ from {_PEER} for service \S+")
_ETRN = re.compile(rf"(?:bad|reject:) ETRN .*\.\.\. from {_PEER}", re.DOTALL)


def trouble(record: Record) -> Items:
    """Lines without a level."""
    text = record.text
    lost = _LOST.fullmatch(text)
    if lost:
        name, client = peer(lost["peer"])
        if lost["what"] == "too many errors":
            return (connection(record, client, name, "abuse", "too_many_errors"),)
        broken = connection(
            record, client, name, "closed", f"{lost['what']} after {lost['command']}"
        )
        key = session(record, client)
        return (Part(record.at, record.host, "session", key, event=broken, once="closed"),)
    abuse = _ABUSE.match(text)
    if abuse:
        name, client = peer(abuse["peer"])
        reason = "pipelining" if abuse["what"].startswith("improper") else "bare_newline"
        return (connection(record, client, name, "abuse", reason),)
    etrn = _ETRN.fullmatch(text)
    if etrn:
        name, client = peer(etrn["peer"])
        return (connection(record, client, name, "refused", "etrn"),)
    return ()


def warning(record: Record, rest: str) -> Items:
    """Warnings, but for those of SASL; `rest` is what follows the word."""
    if rest.startswith("Illegal address"):
        found, outcome, reason = _SYNTAX.fullmatch(rest), "abuse", "bad_syntax"
        if found and found["command"] == "RCPT":
            return (_bad_recipient(record, found["peer"], found["address"]),)
    elif rest.startswith("non-"):
        found, outcome, reason = _NON_SMTP.match(rest), "abuse", "non_smtp_command"
    elif " limit exceeded: " in rest[:80]:
        found, outcome, reason = _LIMIT.fullmatch(rest), "refused", "rate_limit"
    else:
        return ()
    if found is None:
        return ()
    name, client = peer(found["peer"])
    return (connection(record, client, name, outcome, reason),)


def _bad_recipient(record: Record, who: str, address: str) -> Recipient:
    return Recipient(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=peer(who)[1],
        recipient=mailbox(address.strip()),
        verdict="refused",
        code=501,
        enhanced="5.1.3",
        reason="bad_syntax",
    )
