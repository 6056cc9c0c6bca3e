"""HCL (IBM, Lotus) Domino 6 to 14: the server's console and its log of it.

Wordings as the server writes them (SMTP Server, POP3 Server, IMAP Server, Router, and the
password check's ``smtp: USER [ADDRESS] authentication failure using internet password``). A
thread and a stamp in the server's own country's order stand before a line. A login is told in the
words that its client typed; what stands behind it is the server's.

A refused login by SMTP may be told by the password check and by the SMTP server.
"""

import re

from schemas import net
from schemas.events import Auth, Connection, Delivery, Message
from streams.parsers.event import event, name
from streams.parsers.part import Attempt, Format, Items, Mask, Parse, Part, Record

_SERVICES = {"smtp": "smtp", "imap": "imap", "pop3": "pop3", "http": "web", "ldap": "ldap"}
_IP = r"\[?(?P<ip>[0-9A-Fa-f.:]{2,45})\]?"
_CHECK = re.compile(
    r"\[(?P<ip>[0-9A-Fa-f.:]{2,45})\] authentication failure using internet password"
    r"(?:: (?P<why>.{0,100}))?"
)
_REFUSED = re.compile(
    rf"Authentication failed for (?:user )?(?P<who>.*?) ?; ?connecting host {_IP}\s*", re.DOTALL
)
_OPENED = re.compile(
    rf"(?:Authentication succeeded for user (?P<smtp>.*?) ?; ?connecting host |"
    rf"(?P<pop3>.*?) logged in; connecting host |(?P<imap>.*?) logged in from ){_IP}\s*",
    re.DOTALL,
)
_CONNECTED = re.compile(
    r"(?:\S{1,255} \()?(?P<ip>[0-9A-Fa-f.:]{2,45})\)? (?P<what>connected|disconnected)(?:\. .*)?"
)
_RECEIVED = re.compile(
    r"Message (?P<id>[0-9A-F]{8}) \(MessageID: (?P<message>.*)\) received from (?P<sender>.*?)"
    r"(?: size (?P<size>\d{1,15})(?P<kilo>K)?(?: bytes)?)?",
    re.DOTALL,
)
_ROUTED = re.compile(
    r"Message (?P<id>[0-9A-F]{8})(?:, [0-9A-F]{8})? (?:delivered to|transferred to "
    r"(?P<relay>[^\s;]{1,255})(?: \S{1,255})? for) (?P<recipient>\S{1,320}) from .*",
    re.DOTALL,
)
_SERVER = re.compile(
    r"(?P<task>SMTP|POP3|IMAP|LDAP|HTTP) Server(?: \[[^\]]{1,40}\]|:) (?P<said>.*)", re.DOTALL
)


def _read(record: Record) -> Items | None:
    text = record.text
    head, colon, said = text.partition(": ")
    if " Server" in head[:14]:
        found = _SERVER.match(text)
        return _server(record, found["task"].lower(), found["said"]) if found else None
    if not colon:
        return None
    return _task(record, head, said)


def _task(record: Record, task: str, said: str) -> Items | None:
    """A line that begins with the name of a task."""
    if task == "Router":
        return _routed(record, said)
    if task in _SERVICES and "authentication failure using internet password" in said:
        return _checked(record, task, said)
    if task.endswith(" Server") and task[:-7].lower() in _SERVICES:
        return _server(record, task[:-7].lower(), said)
    return None


def _checked(record: Record, task: str, said: str) -> Items | None:
    """The password check's word. What the client typed may look like it: the last one counts."""
    at = said.rfind(" authentication failure using internet password")
    place = said.rfind("[", 0, at)
    found = _CHECK.fullmatch(said[place:]) if place >= 0 else None
    if found is None:
        return None
    account = said[:place].strip()
    why = (found["why"] or "").lower()
    auth = event(
        Auth,
        record,
        client=net.address(found["ip"]),
        account="" if account == "IP Address" else name(account),
        outcome="failed",
        reason="disabled" if "locked" in why else "bad_password",
        service=_SERVICES[task],
    )
    return (Attempt("detail", auth),) if task == "smtp" else (auth,)


def _server(record: Record, task: str, said: str) -> Items:
    if said.startswith("Authentication failed for "):
        found = _REFUSED.fullmatch(said)
        if found is None:
            return ()
        auth = event(
            Auth,
            record,
            client=net.address(found["ip"]),
            account=name(found["who"].strip('"')),
            outcome="failed",
            reason="rejected",
            service=_SERVICES[task],
        )
        return (Attempt("smtp", auth, f"domino {found['ip']}"),)
    if said.startswith("Message "):
        return _received(record, said)
    found = _CONNECTED.fullmatch(said)
    if found is not None:
        outcome = "opened" if found["what"] == "connected" else "closed"
        return (event(Connection, record, client=net.address(found["ip"]), outcome=outcome),)
    found = _OPENED.fullmatch(said)
    if found is None:
        return ()
    return (
        event(
            Auth,
            record,
            client=net.address(found["ip"]),
            account=name(found["smtp"] or found["pop3"] or found["imap"] or ""),
            outcome="ok",
            service=_SERVICES[task],
        ),
    )


def _received(record: Record, said: str) -> Items:
    found = _RECEIVED.fullmatch(said)
    if found is None:
        return ()
    sender, queue_id = name(found["sender"]), found["id"]
    message_id = found["message"].strip(" <>")[:255]
    size = int(found["size"] or 0) * (1024 if found["kilo"] else 1)
    keeps = {"sender": sender, "message_id": message_id}
    values = {"queue_id": queue_id, "sender": sender, "message_id": message_id, "size": size}
    return (
        Part(
            record.at,
            record.host,
            "queue",
            queue_id,
            keeps,
            record.offset,
            Message,
            values,
            begins=True,
        ),
    )


def _routed(record: Record, said: str) -> Items:
    found = _ROUTED.fullmatch(said)
    if found is None:
        return ()
    values = {
        "queue_id": found["id"],
        "recipient": name(found["recipient"]),
        "relay": (found["relay"] or "").lower(),
    }
    return (
        Part(record.at, record.host, "queue", found["id"], {}, record.offset, Delivery, values),
    )


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program in ("", "domino"):
        return _read
    if program in _SERVICES or program == "Router":  # what stands before the first colon
        return lambda record: _task(record, program, record.text)
    return None


FORMAT = Format(
    "domino",
    parser,
    begins="(?:SMTP|POP3|IMAP|LDAP|HTTP) Server|Router: |(?:smtp|imap|pop3|http|ldap): ",
)
