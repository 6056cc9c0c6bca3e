"""Text mail logs: connections (ICID), messages (MID), recipients (RID), deliveries (DCID).

Only the first line of a connection names the client. Subjects, addresses and other servers'
replies are written as they came, always behind the numbers that say whose line it is.
"""

import re
from collections.abc import Callable
from typing import Any

from schemas import net
from schemas.events import Auth, Bounce, Connection, Delivery, Message, Recipient, Verdict
from streams.parsers import reply
from streams.parsers.part import Items, Part, Record

PATIENCE = 10.0  # seconds that a message waits for its recipients; lines may lie out of order
LONGEST_REPLY = 300

_ICID = re.compile(r"(?P<id>\d{1,12}) (?P<said>.*)", re.DOTALL)
_NEW = re.compile(
    r"(?P<id>\d{1,12}) interface .{1,200}? address (?P<ip>[\w.:]{2,50})"
    r"(?: reverse dns host (?P<name>\S{0,255}) verified (?P<verified>\w{2,3}))?"
)
_REFUSED = re.compile(r"Delayed HAT REJECT .{0,80}\((?P<ip>[\w.:]{2,50})\)")
_START = re.compile(r"(?P<id>\d{1,12}) ICID (?P<session>\d{1,12})")
_TO = re.compile(
    r"(?:RID (?P<rid>\d{1,6}) )?To: <(?P<to>.*)>(?: Rejected by (?P<by>[\w -]{1,60}))?"
)
_READY = re.compile(r"ready (?P<size>\d{1,15}) bytes from <(?P<sender>.*)>")
_SPAM = re.compile(r"using engine: \w{1,20} spam (?P<result>positive|negative|suspect)")
_ORIGIN = re.compile(r"(?:rewritten to (?:MID )?|was split creating MID )(?P<id>\d{1,12}) ")
_REPORT = re.compile(r"generated for bounce of MID (?P<id>\d{1,12})")
_INVALID = re.compile(r"invalid bounce, rcpt address <(?P<to>.*)> rejected by bounce verification")
_DONE = re.compile(
    r"done DCID (?P<dcid>\d{1,12}) MID (?P<id>\d{1,12}) to RID \[(?P<rids>[\d, ]{1,4000})\]"
)
_FAILED = re.compile(
    r"DCID:? \d{1,12} (?:MID|Message) (?P<id>\d{1,12}) to (?:RID )?(?P<rid>\d{1,6}) - "
    r"(?P<enhanced>[245]\.\d{1,3}\.\d{1,3}) - (?P<words>.*)",
    re.DOTALL,
)
_CODE = re.compile(r"\('(?P<code>[245]\d\d)', ")
_AUTH = re.compile(
    r"\(ICID (?P<id>\d{1,12})\) (?P<what>succeeded|failed) for user: (?P<user>.*) "
    r"using AUTH mechanism: (?P<mechanism>[\w-]{1,20})(?: with profile: .*)?",
    re.DOTALL,
)

_WEB = re.compile(
    # at the web pages (GUI and authentication logs): the address stands behind the name
    r"(?:User (?P<user>.{1,320}) from (?P<ip>[0-9A-Fa-f.:]{2,45}) failed authentication|"
    r"An authentication attempt by the user (?P<name>.{1,320}) from "
    r"(?P<from>[0-9A-Fa-f.:]{2,45}) failed(?: using an? [\w./ -]{1,40})?)\.?",
    re.DOTALL,
)

_BY = {
    # who rejected a recipient
    "RAT": ("relay_denied", "relay_denied"),
    "LDAPACCEPT": ("unknown", "user_unknown"),
    "SMTP Call-Ahead": ("unknown", "user_unknown"),
    "SMTPCALL": ("unknown", "user_unknown"),
    "Injection Control": ("deferred", "overload"),
    "Receiving Control": ("deferred", "overload"),
    "Delayed HAT REJECT": ("blocked", "policy"),
}


def read(record: Record, text: str) -> Items:
    if text.startswith(("User ", "An authentication attempt ")):
        return _web(record, text)
    word, _, said = text.partition(" ")
    tell = _WORDS.get(word)
    return tell(record, said) if tell is not None else ()


def _session(
    record: Record, icid: str, kind: Any, values: dict[str, Any], **more: Any
) -> tuple[Part]:
    return (
        Part(
            record.at,
            record.host,
            "session",
            f"ICID {icid}",
            offset=record.offset,
            event=kind,
            values=values,
            **more,
        ),
    )


def _mail(
    record: Record, mid: str, keeps: dict[str, Any] | None, kind: Any = None, **more: Any
) -> Part:
    return Part(record.at, record.host, "queue", f"MID {mid}", keeps, record.offset, kind, **more)


def _web(record: Record, text: str) -> Items:
    found = _WEB.fullmatch(text)
    if found is None:
        return ()
    return (
        Auth(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=net.address(found["ip"] or found["from"]),
            account=(found["user"] or found["name"]).lower(),
            outcome="failed",
            reason="rejected",
            service="web",
        ),
    )


# -- connections --------------------------------------------------------------------------------


def _new(record: Record, said: str) -> Items:
    found = _NEW.match(said[10:]) if said.startswith("SMTP ICID ") else None
    if found is None:
        return ()
    client = net.address(found["ip"])
    values = {"client": client, "name": (found["name"] or "") if found["verified"] == "yes" else ""}
    return _session(record, found["id"], Connection, values, keeps={"client": client})


def _connection(record: Record, said: str) -> Items:
    found = _ICID.fullmatch(said)
    if found is None:
        return ()
    icid, said = found["id"], found["said"]
    if said == "close":
        return _session(record, icid, Connection, {"outcome": "closed"}, ends=True)
    if said.startswith(("REJECT ", "TCPREFUSE ")):
        values = {"outcome": "refused", "reason": "policy"}
        return _session(record, icid, Connection, values, once="refused")
    refused = _REFUSED.match(said)
    if refused:
        values = {
            "client": net.address(refused["ip"]),
            "outcome": "refused",
            "reason": "policy",
        }
        return _session(record, icid, Connection, values, once="refused")
    if said.startswith("Address: ") and " sender rejected, " in said:
        return _session(record, icid, Connection, {"outcome": "refused", "reason": "sender"})
    return ()


def _smtp(record: Record, said: str) -> Items:
    found = _AUTH.fullmatch(said.removeprefix("Auth").lstrip(": "))
    if found is None:
        return ()
    good = found["what"] == "succeeded"
    account = found["user"].strip().lower()[:320]
    values = {
        "account": account,
        "outcome": "ok" if good else "failed",
        "reason": "" if good else "rejected",
        "mechanism": found["mechanism"].upper(),
        "service": "smtp",
    }
    keeps = {"account": account} if good else None
    return _session(record, found["id"], Auth, values, keeps=keeps)


# -- messages -----------------------------------------------------------------------------------


def _start(record: Record, said: str) -> Items:
    found = _START.fullmatch(said.removeprefix("MID "))
    if found is None:
        return ()
    return (
        _mail(
            record,
            found["id"],
            None,
            begins=True,
            session=f"ICID {found['session']}",
        ),
    )


def _message(record: Record, said: str) -> Items:
    mid, _, rest = said.partition(" ")
    if not mid.isdecimal():
        return ()
    if rest.startswith("ICID "):
        icid, _, rest = rest[5:].partition(" ")
        return _dialogue(record, mid, f"ICID {icid}", rest)
    if rest.startswith("Message-ID "):
        return (_mail(record, mid, {"message_id": rest[11:].strip(" '<>")[:255]}),)
    if rest.startswith("ready "):
        return _ready(record, mid, rest)
    if rest.startswith("using engine: "):
        found = _SPAM.match(rest)
        return (
            _judged(record, mid, "ham" if found["result"] == "negative" else "spam")
            if found
            else ()
        )
    if rest.startswith("antivirus positive"):
        return _judged(record, mid, "virus")
    origin = _ORIGIN.match(rest)
    if origin:
        earlier = f"MID {mid}"
        return (_mail(record, origin["id"], None, continues=earlier, within=earlier),)
    report = _REPORT.match(rest)
    return _reported(record, mid, report["id"]) if report else ()


def _dialogue(record: Record, mid: str, session: str, rest: str) -> Items:
    if rest.startswith("From: "):
        keeps = {"sender": rest[6:].strip("<>")[:320].lower()}
        return (_mail(record, mid, keeps, session=session),)
    found = _TO.fullmatch(rest)
    if found is None:
        invalid = _INVALID.match(rest)
        if invalid is None:
            return ()
        verdict, reason, to = "blocked", "policy", invalid["to"]
    elif found["by"] is None:
        if found["rid"] is None:
            return ()
        recipient = found["to"][:320].lower()
        rid = int(found["rid"])
        return (
            _mail(record, mid, {"recipients": rid + 1, "origin": "esa"}, session=session),
            _mail(record, f"{mid} RID {rid}", {"failed_recipient": recipient}),
        )
    else:
        verdict, reason = _BY.get(found["by"].strip(), ("refused", "policy"))
        to = found["to"]
    values = {
        "recipient": to[:320].lower(),
        "queue_id": f"MID {mid}",
        "verdict": verdict,
        "reason": reason,
    }
    return (_mail(record, mid, None, Recipient, values=values, session=session),)


def _ready(record: Record, mid: str, rest: str) -> Items:
    found = _READY.fullmatch(rest)
    if found is None:
        raise ValueError(f"a message that ends early: {rest[:200]!r}")
    values = {
        "queue_id": f"MID {mid}",
        "size": int(found["size"]),
        "sender": found["sender"][:320].lower(),
    }
    return (
        _mail(
            record,
            mid,
            {"sender": values["sender"]},
            Message,
            values=values,
            once="message",
            needs="recipients",
            wait=PATIENCE,
        ),
    )


def _judged(record: Record, mid: str, kind: str) -> Items:
    values = {"queue_id": f"MID {mid}", "kind": kind}
    return (_mail(record, mid, None, Verdict, values=values),)


def _reported(record: Record, report: str, mid: str) -> Items:
    made = {"queue_id": f"MID {report}", "sender": "", "recipients": 1}
    told = {"direction": "made", "queue_id": f"MID {report}", "about": f"MID {mid}"}
    keeps = {"origin": "bounce", "sender": ""}
    return (
        _mail(record, report, keeps, Message, values=made, once="message"),
        _mail(record, mid, None, Bounce, values=told),
    )


# -- deliveries ---------------------------------------------------------------------------------


def _ended(record: Record, said: str) -> Items:
    """``done DCID d MID m to RID [0, 1]``; ``finished MID m done``: no more lines of it."""
    if said.startswith("finished MID "):
        mid = said[13:].partition(" ")[0]
        return (_mail(record, mid, None, ends=True),) if mid.isdecimal() else ()
    found = _DONE.match(said)
    if found is None:
        return ()
    return [
        _delivery(record, found["id"], rid.strip(), {"status": "sent"}, once="sent")
        for rid in found["rids"].split(",")
    ]


def _delivery(record: Record, mid: str, rid: str, values: dict[str, Any], once: str = "") -> Part:
    values["queue_id"] = f"MID {mid}"
    return _mail(
        record,
        f"{mid} RID {rid}",
        None,
        Delivery,
        values=values,
        once=once,
        within=f"MID {mid}",
    )


def _failed(record: Record, said: str, status: str) -> Items:
    found = _FAILED.match(said)
    if found is None:
        return ()
    enhanced, words = found["enhanced"], found["words"]
    code = _CODE.search(words, 0, LONGEST_REPLY)
    reason = reply.failure(enhanced, words)
    keeps = {
        "failed_status": status,
        "failed_enhanced": enhanced,
        "failed_reason": reason,
        "failed_code": int(code["code"]) if code else 0,
        "failed_reply": words[:LONGEST_REPLY],
    }
    values = {"status": status, "enhanced": enhanced, "reason": reason}
    return (
        _delivery(record, found["id"], found["rid"], values),
        _mail(record, found["id"], keeps),
    )


def _bounced(record: Record, said: str) -> Items:
    return _failed(record, said, "bounced")


def _delayed(record: Record, said: str) -> Items:
    return _failed(record, said, "deferred")


_WORDS: dict[str, Callable[[Record, str], Items]] = {
    "New": _new,
    "ICID": _connection,
    "SMTP": _smtp,
    "Start": _start,
    "MID": _message,
    "Message": _ended,
    "Bounced:": _bounced,
    "Delayed:": _delayed,
}
