"""Sessions: who came, logged in, was refused by a ruleset or a milter, or broke the protocol.

Wordings from sendmail/srvrsmtp.c, ruleset.c (rscheck), daemon.c, collect.c and milter.c. Names
of users and addresses pass into the log as they came: a client counts only in the place where
sendmail writes it, and not at all where that place is in doubt.
"""

import re
from typing import Any

from schemas.events import Auth, Connection, Recipient
from streams.parsers import reply
from streams.parsers.part import Attempt, Items, Part, Record
from streams.parsers.sendmail import message
from streams.parsers.sendmail.relay import mailbox, peer

_FAILURE = re.compile(
    r"AUTH failure \((?P<mechanism>[^()]{0,64})\): (?P<what>[^()]{0,200}) \((?P<code>-?\d{1,4})\)"
    r"(?P<rest>.*)",
    re.DOTALL,
)
# SASL's codes (sasl.h): the server's own faults, and what the others mean
_FAULTS = frozenset({"-1", "-2", "-4", "-7", "-12", "-24"})
_REASONS = {
    "-5": "aborted",
    "-14": "not_authorized",
    "-15": "policy",
    "-16": "policy",
    "-18": "expired",
    "-19": "disabled",
    "-20": "unknown_account",
}
_REPLY = re.compile(r"(?P<code>[45]\d\d)(?: (?P<enhanced>[45]\.\d{1,3}\.\d{1,3}))?[ -]?")
_ATTACK = re.compile(
    r"possible SMTP attack: command=(?P<command>[\w/]{1,40}), count=(?P<n>\d{1,6})"
)
_BOGUS = re.compile(r'"\w{1,20}" command from (?P<peer>.{1,400}) \([\w.:]{2,60}\)')
_HOST = re.compile(r"connect: host=[^,\s]{0,300}, addr=(?P<ip>[\w.:]{2,60}), (?P<what>[a-z ]+)")

_ABUSE = (
    ("probable open proxy: command=", "non_smtp_command"),
    ("SMTP violation, input too long", "input_too_long"),
    ("Possible SMTP RCPT flood", "too_many_errors"),
)
_QUESTIONS = ("vrfy", "expn")
_PRESENT = (
    # a line that begins so names a client up to the word behind it; how the session ends
    ("lost input channel from ", " to ", "closed", "lost connection"),
    ("timeout waiting for input from ", " during ", "closed", "timeout"),
    ("collect: unexpected close on connection from ", ", sender=", "closed", "lost connection"),
    ("collect: I/O error on connection from ", ", from=", "closed", "lost connection"),
    ("rejecting commands from ", " due to pre-greeting traffic", "abuse", "pregreet"),
)


def logged_in(record: Record, text: str) -> Items:
    """``AUTH=server, relay=R, authid=U, mech=M, bits=n``"""
    relay, _, rest = text.partition("relay=")[2].partition(", authid=")
    account, _, mechanism = rest.rpartition(", mech=")
    client = peer(relay)[1]
    auth = Auth(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=client,
        account=account[:320].lower(),
        outcome="ok",
        mechanism=mechanism.partition(",")[0].upper()[:40],
        service="smtp",
    )
    key = message.session(record, client)
    keeps = {"client": client, "account": auth.account}
    return Part(record.at, record.host, "session", key, keeps), Attempt("smtp", auth, key)


def not_logged_in(record: Record, queue_id: str, text: str) -> Items:
    """``AUTH failure (M): words (-13) detail, user=U, relay=R``

    Before 8.15 neither user nor client are told; then a later line of this queue id names the
    client.
    """
    found = _FAILURE.fullmatch(text)
    if found is None:
        return ()
    code = found["code"]
    detail, told, relay = found["rest"].rpartition(", relay=")
    account = detail.partition(", user=")[2]
    client = peer(relay)[1] if told else ""
    outcome, reason = ("error", "server") if code in _FAULTS else ("failed", "rejected")
    values: dict[str, Any] = {
        "account": account[:320].lower(),
        "outcome": outcome,
        "reason": _REASONS.get(code, reason),
        "mechanism": found["mechanism"].upper()[:40],
        "service": "smtp",
    }
    if told or not queue_id:
        auth = Auth(
            at=record.at, gateway=record.host, offset=record.offset, client=client, **values
        )
        return (Attempt("smtp", auth, message.session(record, client)),)
    return (
        Part(
            record.at,
            record.host,
            "queue",
            queue_id,
            None,
            record.offset,
            Auth,
            values,
            needs="origin",
            wait=message.FILTERED,
        ),
    )


def ruleset(record: Record, queue_id: str, text: str) -> Items:
    """``ruleset=N, arg1=A, arg2=B, relay=R, reject=550 5.7.1 words``"""
    name, _, rest = text[8:].partition(", ")
    if ", reject=" not in rest:
        return ()
    argument, relay, said = _split(rest)
    code, enhanced, words = _reply(said)
    words = words.removeprefix(argument + "... ")
    host, client = peer(relay)
    verdict, reason = _verdict(code, enhanced, words)
    if name == "check_rcpt":
        told = Recipient(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=client,
            recipient=mailbox(argument),
            queue_id=queue_id,
            verdict=verdict,
            code=code,
            enhanced=enhanced,
            reason=reason,
        )
        if not queue_id or not client:
            return (told,)
        keeps = {"client": client, "origin": "smtpd"}
        return (Part(record.at, record.host, "queue", queue_id, keeps, event=told),)
    if reason == "overload" and name == "check_relay":
        return (_connection(record, host, client, "refused", "rate_limit"),)
    if verdict == "deferred" and reason == "sender" and name == "check_mail":
        return (
            Recipient(
                at=record.at,
                gateway=record.host,
                offset=record.offset,
                client=client,
                sender=mailbox(argument),
                queue_id=queue_id,
                verdict=verdict,
                code=code,
                enhanced=enhanced,
                reason=reason,
            ),
        )
    if verdict == "deferred":
        return ()
    return (_connection(record, host, client, "refused", reason),)


def _split(rest: str) -> tuple[str, str, str]:
    """(arg1, client, reply) of a ruleset's line. The argument is a stranger's text and comes again
    in the reply: where it looks like the rest of the line, the longest one that comes again is
    the argument; where none does, nobody is the client."""
    if rest.count(", relay=") == 1:
        arguments, _, more = rest.partition(", relay=")
        relay, _, said = more.partition(", reject=")
        return arguments[5:].partition(", arg2=")[0], relay, said
    at = len(rest)
    for _ in range(64):
        at = rest.rfind(", relay=", 0, at)
        if at < 0:
            break
        relay, _, said = rest[at + 8 :].partition(", reject=")
        argument = rest[5:at]
        if peer(relay)[1] and _reply(said)[2].startswith(argument):
            return argument, relay, said
    return "", "", rest.rpartition(", reject=")[2]


def _reply(said: str) -> tuple[int, str, str]:
    found = _REPLY.match(said)
    if found is None:
        return 0, "", said
    return int(found["code"]), found["enhanced"] or "", said[found.end() :]


def _verdict(code: int, enhanced: str, words: str) -> tuple[str, str]:
    if words[:40].lower().startswith("domain of sender address"):
        return ("deferred" if code // 100 == 4 else "refused"), "sender"
    return reply.verdict(code, enhanced, words)


def milter(record: Record, queue_id: str, text: str) -> Items:
    """``to=<r>, reject=550 5.7.1 words``, ``data, reject=...``, ``connect: host=H, addr=A, ...``"""
    found = _HOST.match(text)
    if found:
        if found["what"].startswith("temp"):
            return ()
        client = peer(f"[{found['ip']}]")[1]
        return (_connection(record, "", client, "refused", "milter"),)
    where, refused, said = text.partition(", reject=")
    if not refused or not queue_id:
        return ()
    code, enhanced, words = _reply(said)
    verdict, reason = reply.verdict(code, enhanced, words)
    if where.startswith("to="):
        return (message.waiting(record, queue_id, where[3:], code, enhanced, verdict, reason),)
    if where.startswith(("from=", "helo=")):
        if verdict == "deferred":
            return ()
        return (_later(record, queue_id, "refused", reason),)
    if verdict == "refused":
        verdict, reason = "blocked", "content"
    return (message.waiting(record, queue_id, "", code, enhanced, verdict, reason, whole=True),)


def _later(record: Record, queue_id: str, outcome: str, reason: str) -> Part:
    """What befell a client that another line names."""
    return Part(
        record.at,
        record.host,
        "queue",
        queue_id,
        None,
        record.offset,
        Connection,
        {"outcome": outcome, "reason": reason},
        needs="origin",
        wait=message.FILTERED,
    )


def present(record: Record, queue_id: str, text: str) -> Items:
    """Lines that name their client first, or behind some words of their own."""
    if text.startswith(("connect from ", "SMTP connect from ")):
        host, client = peer(text.partition(" from ")[2])
        return (_connection(record, host, client, "opened", ""),)
    for begin, end, outcome, reason in _PRESENT:
        if text.startswith(begin):
            who, _, more = text[len(begin) :].partition(end)
            phase = more.partition(" after ")[2] if begin.startswith("lost") else ""
            how = f"{reason} after {phase}"[:60] if phase else reason
            return _told(record, queue_id, who, outcome, how)
    if text.startswith("invalid domain name ("):
        who = text.rpartition(") from ")[2]
        return _told(record, queue_id, who, "refused", "helo")
    who, silent, _ = text.partition(" did not issue MAIL/EXPN/VRFY/ETRN during connection to ")
    if silent:
        return _told(record, queue_id, who, "closed", "no_mail")
    if text.startswith("SMTP AUTH command ("):
        # The command is the client's own; whoever it is was put off before.
        said, _, end = text.rpartition(" tempfailed (due to previous ")
        who = said.rpartition(" from ")[2] if end[-1:] == ")" else ""
        return _told(record, queue_id, who, "abuse", "policy")
    bogus = _BOGUS.fullmatch(text)
    if bogus:
        return _told(record, queue_id, bogus["peer"], "abuse", "non_smtp_command")
    who, _, said = text.partition(": ")
    return _complaint(record, queue_id, who, said)


def _complaint(record: Record, queue_id: str, who: str, said: str) -> Items:
    host, client = peer(who)
    if not client:
        return ()
    attack = _ATTACK.fullmatch(said)
    if attack and attack["command"] == "AUTH":
        # A sum: how many of them failed no line may tell.
        auth = Auth(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=client,
            reason="rejected",
            service="smtp",
        )
        return (Attempt("tally", auth, message.session(record, client), int(attack["n"])),)
    if attack:
        return (_connection(record, host, client, "abuse", "too_many_commands"),)
    command, _, asked = said.partition(" ")
    if command.lower() in _QUESTIONS:
        return _asked(record, queue_id, client, command.lower(), asked)
    begin = said[:60].upper()
    reason = next((reason for words, reason in _ABUSE if begin.startswith(words.upper())), "")
    return _told(record, queue_id, who, "abuse", reason) if reason else ()


def _asked(record: Record, queue_id: str, client: str, command: str, text: str) -> Items:
    """``VRFY root [rejected]``: without that word it was answered, the line does not say how."""
    name = text.removesuffix(" [rejected]")
    values: dict[str, Any] = {
        "client": client,
        "recipient": mailbox(name),
        "command": command,
        "verdict": "accepted",
    }
    if name != text:
        values["verdict"] = values["reason"] = "refused"
    if not queue_id:
        return (Recipient(at=record.at, gateway=record.host, offset=record.offset, **values),)
    keeps = {"client": client, "origin": "smtpd"}
    return (
        Part(
            record.at,
            record.host,
            "queue",
            queue_id,
            keeps,
            record.offset,
            Recipient,
            values,
        ),
    )


def _told(record: Record, queue_id: str, who: str, outcome: str, reason: str) -> Items:
    """Something that befell a client; other lines of its queue id do not name it."""
    host, client = peer(who)
    if not client:
        return ()
    told = _connection(record, host, client, outcome, reason)
    if not queue_id:
        return (told,)
    keeps = {"client": client, "origin": "smtpd"}
    once = outcome if outcome == "closed" else ""  # several lines may tell of the end
    return (Part(record.at, record.host, "queue", queue_id, keeps, event=told, once=once),)


def _connection(record: Record, host: str, client: str, outcome: str, reason: str) -> Connection:
    return Connection(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=client,
        name=host,
        outcome=outcome,
        reason=reason,
    )
