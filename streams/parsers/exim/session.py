"""Clients that come and go, and those that break the protocol.

Wordings from src/daemon.c, src/smtp_in.c and src/receive.c. A command that the log repeats is
the client's own words, and stands before the client's address.
"""

import re

from schemas import net
from streams.parsers.exim.arrival import login
from streams.parsers.exim.peer import Peer, peer, session
from streams.parsers.exim.refusal import connection, only_client, refused_recipient, twin
from streams.parsers.part import Attempt, Item, Items, Part, Record

_ERROR = re.compile(
    # the last client before what src/smtp_in.c says of a protocol error
    r'SMTP (?P<kind>protocol|syntax) error in "(?P<command>.*)" H=.*?'
    r"\[(?P<address>[^\]\s]{1,64})\](?::\d{1,5})?(?: I=\S+)?(?: U=\S*)? (?P<said>[^\[\]]*)"
)
# What stands behind the last client and repeats nothing of the client's
_FIXED = (
    "AUTH command used",
    "unrecognized command",
    "NUL character",
    "sender not yet given",
    "sender already given",
    "valid RCPT command must",
    "MAIL must have",
    "RCPT must have",
    "argument must begin",
    "not permitted in mail transaction",
    "already authenticated",
    "STARTTLS",
    "BDAT",
)
_NO_MAIL = re.compile(r"no MAIL in (?:TFO )?SMTP connection from ")
_LOGIN = re.compile(r" A=(?P<by>[^\s:]+)(?::(?P<account>\S+))?")
_BROKEN = re.compile(r"unexpected (?:disconnection|EOF) while reading SMTP command from ")
_TIMEOUT = re.compile(
    r"SMTP (?P<what>command|data) timeout (?:\(message abandoned\) )?on (?:TLS )?connection from "
)
_REJECTED = re.compile(r"rejected (?P<what>EHLO|HELO|MAIL) from ")
_TOO_BIG = re.compile(r"rejected (?:MAIL FROM:|from )<(?P<sender>.*?)> H=.*?: (?P<why>[A-Za-z -]+)")
_TOO_MANY = re.compile(
    r"too many recipients: (?P<what>message rejected|excess temporarily rejected): "
    r"sender=<(?P<sender>.*?)> H="
)
_UNQUALIFIED = re.compile(r"unqualified (?P<what>sender|recipient) rejected: <(?P<address>.*?)> H=")
_VERIFY = re.compile(r"VRFY failed for <?(?P<address>.*?)>? H=")


def connected(record: Record, pid: str, text: str) -> Items | None:
    """``SMTP connection from CLIENT …``"""
    who = peer(text, len("SMTP connection from "))
    if who is None:
        return ()  # of a program on this host
    rest = text[who.end :]
    if rest.endswith(")") and " (TCP/IP connection count = " in rest:
        return (connection(record, who, "opened", ""),)
    for words, reason in (
        (" closed by QUIT", ""),
        (" lost", "lost connection"),
        (" closed by DROP in ACL", "dropped"),
        (" closed by EOF", "lost connection"),
        (" closed after SIG", "shutdown"),
        (" closed after", "lost connection"),
    ):
        if words in rest:
            return (_closed(record, pid, who, reason),)
    return (connection(record, who, "opened", ""),)


def _closed(record: Record, pid: str, who: Peer, reason: str) -> Part:
    """Several lines can tell of one end."""
    key = session(pid or f"{record.at:.0f}", who)
    left = connection(record, who, "closed", reason)
    return Part(record.at, record.host, "session", key, event=left, once="closed")


def called(record: Record, pid: str, text: str) -> Items:
    """``SMTP call from CLIENT dropped: too many …``"""
    who = peer(text, len("SMTP call from "), " dropped: ")
    if who is None or not text.startswith(" dropped: ", who.end):
        return ()
    reason = "too_many_errors" if "error" in text[who.end :] else "command_limit"
    return (twin(record, pid, connection(record, who, "abuse", reason)),)


def out_of_turn(record: Record, pid: str, text: str) -> Items:
    """``SMTP protocol synchronization error (…): rejected …``"""
    at = text.find(" from H=", 0, 160)
    if at >= 0 and "rejected connection from H=" in text[: at + 8]:
        who = peer(text, at + 6, ' input="')
        return (twin(record, pid, connection(record, who, "abuse", "pregreet")),) if who else ()
    return _by_only_client(record, pid, text, "abuse", "pipelining")


def error(record: Record, pid: str, text: str) -> Items:
    """``SMTP protocol error in "COMMAND" CLIENT text``"""
    found = _ERROR.fullmatch(text)
    if found is None:
        return _by_only_client(record, pid, text, "abuse", "syntax_error")
    if found["command"][:4].upper() == "AUTH":
        reason = "auth_not_offered" if "not advertised" in found["said"] else "protocol_error"
    else:
        reason = f"{found['kind']}_error"
    who = Peer(net.address(found["address"]), "", "", "", "", 0)
    if not found["said"].startswith(_FIXED) and only_client(text, 0) != who.client:
        who = who._replace(client="")  # it repeats the client's words at its end, too
    return (connection(record, who, "abuse", reason),)


def _by_only_client(
    record: Record, pid: str, text: str, outcome: str, reason: str
) -> tuple[Item, ...]:
    client = only_client(text, 0)
    if not client and " H=" not in text:
        return ()
    who = Peer(client, "", "", "", "", 0)
    return (twin(record, pid, connection(record, who, outcome, reason)),)


def timed_out(record: Record, pid: str, text: str) -> Items:
    found = _TIMEOUT.match(text)
    who = peer(text, found.end(), " F=<" if found["what"] == "data" else " D=") if found else None
    if found is None or who is None:
        return ()
    return (_closed(record, pid, who, f"timeout in {found['what']}"),)


def broken(record: Record, pid: str, text: str) -> Items | None:
    """``unexpected disconnection while reading SMTP command from CLIENT``"""
    found = _BROKEN.match(text)
    if found is None:
        return None
    who = peer(text, found.end())
    return (_closed(record, pid, who, "lost connection"),) if who else ()


def idle(record: Record, pid: str, text: str) -> Items | None:
    """``no MAIL in SMTP connection from CLIENT D=3s A=login:user C=EHLO,AUTH,QUIT``"""
    found = _NO_MAIL.match(text)
    if found is None:
        return () if text.startswith(("no host name found for", "no IP address found")) else None
    who = peer(text, found.end(), " D=")
    if who is None:
        return ()
    items: list[Item] = [_closed(record, pid, who, "no mail")]
    logged_in = _LOGIN.search(text, who.end)
    if logged_in:
        auth = login(record, who, logged_in["by"], logged_in["account"] or "", "ok", "")
        items.append(Attempt("smtp", auth, session(pid, who)))
    return items


def rejected(record: Record, pid: str, queue_id: str, text: str) -> Items | None:
    """``rejected EHLO from CLIENT: …``, ``rejected from <sender> CLIENT: message too big``"""
    found = _REJECTED.match(text)
    if found:
        no_helo = found["what"] == "MAIL"
        mark = ": no HELO/EHLO given" if no_helo else ": syntactically invalid"
        who = peer(text, found.end(), mark)
        if who is None:
            return ()
        reason = "no_helo" if no_helo else "helo"
        return (twin(record, pid, connection(record, who, "abuse", reason)),)
    big = _TOO_BIG.match(text)
    if big is None:
        return None
    reason = "too_big" if "too big" in big["why"] else "content"
    event = refused_recipient(
        record, only_client(text, 0), big["sender"], "", queue_id, "refused", reason
    )
    return (twin(record, pid, event),)


def refused(record: Record, pid: str, text: str) -> Items | None:
    """``refused connection from CLIENT (host_reject_connection)``, ``Connection from CLIENT
    refused: too many connections``"""
    at = text.find(" from ", 0, 40)
    who = peer(text, at + 6) if at >= 0 else None
    if who is None:
        return None
    later = "temporarily" in text[:at] or "too many" in text or "load average" in text
    return (
        twin(record, pid, connection(record, who, "refused", "overload" if later else "denied")),
    )


def too_many(record: Record, pid: str, text: str) -> Items | None:
    found = _TOO_MANY.match(text)
    if found is None:
        return None
    verdict = "deferred" if "temporarily" in found["what"] else "refused"
    event = refused_recipient(
        record, only_client(text, 0), found["sender"], "", "", verdict, "too_many_recipients"
    )
    return (twin(record, pid, event),)


def unqualified(record: Record, pid: str, text: str) -> Items | None:
    found = _UNQUALIFIED.match(text)
    if found is None:
        return None
    address, reason = found["address"], found["what"]
    sender, recipient = (address, "") if reason == "sender" else ("", address)
    event = refused_recipient(
        record, only_client(text, 0), sender, recipient, "", "refused", reason
    )
    return (twin(record, pid, event),)


def unverified(record: Record, pid: str, text: str) -> Items | None:
    """``VRFY failed for <address> CLIENT``"""
    found = _VERIFY.match(text)
    if found is None:
        return None
    event = refused_recipient(
        record, only_client(text, 0), "", found["address"], "", "unknown", "user_unknown", "vrfy"
    )
    return (twin(record, pid, event),)
