"""Axigen: its own log of SMTP sessions and of the mail that they bring.

``stamp zone level host SERVICE:session: text``, told in Axigen's documentation ("Email flow",
"Logging"). At the level "Protocol communication" it has the dialogue, which failed logins are
told by; without it, only who connected and which mail was taken. It cannot tell logins to IMAP,
POP3 and WebMail, whose wordings are not documented.
"""

import re
from typing import Any

from schemas import net
from schemas.events import Connection, Message
from streams.parsers import spoken
from streams.parsers.part import Format, Item, Items, Mask, Parse, Part, Record, Turn

LONGEST_ID = 255

_LINE = re.compile(
    r"\d{2} (?P<host>[\w.-]{1,255}) (?P<service>[A-Z][A-Z0-9-]{2,20}):(?P<session>[0-9A-F]{6,16}): "
    r"(?P<said>.*)",
    re.DOTALL,
)
_ACCEPTED = re.compile(
    r"\[[0-9A-Fa-f.:]{2,45}:(?P<port>\d{1,5})\] connection accepted from "
    r"\[(?P<client>[0-9A-Fa-f.:]{2,45}):\d{1,5}\]"
)
_MAIL = re.compile(
    r"New mail <(?P<id>[^<>]{0,998})> received from \S{1,255} \((?P<client>[0-9A-Fa-f.:]{2,45})\) "
    r"with envelope from <(?P<sender>[^<>]{0,320})>,? recipients=(?P<count>\d{1,6}) .*[ ,]"
    r"size=(?P<size>\d{1,15}),? enqueued with id (?P<queue_id>[0-9A-F]{4,16})"
)
_SUBMISSION = frozenset({"465", "587"})


def read(record: Record) -> Items | None:
    """What a line says; None where it is no such line."""
    text = record.text
    if not (text[:2].isdecimal() and text[2:3] == " "):
        return None
    found = _LINE.fullmatch(text)
    if found is None:
        return None
    said = found["said"]
    session = f"axigen {found['service']} {found['session']}"
    if "connection accepted from" in said[:80]:
        return _accepted(record, found["host"], found["service"], session, said)
    if found["service"] != "SMTP-IN":
        return ()
    if said.startswith("New mail <"):
        return _mail(record, found["host"], session, said)
    if said.startswith("<< "):
        turns = spoken.command(said[3:])
    elif said.startswith(">> "):
        turns = spoken.reply(said[3:])
    elif said.startswith("closing session"):
        turns = [("closed", "")]
    else:
        return ()
    # What becomes of the data is told as new mail.
    return [
        Turn(record.at, found["host"], session, "", kind, what, record.offset)
        for kind, what in turns
        if what[:4].upper() != "DATA"
    ]


def _accepted(record: Record, host: str, service: str, session: str, said: str) -> Items:
    found = _ACCEPTED.match(said)
    if found is None:
        return ()
    client = net.address(found["client"])
    items: list[Item] = [
        Connection(at=record.at, gateway=host, offset=record.offset, client=client),
    ]
    if service == "SMTP-IN":
        name = "submission" if found["port"] in _SUBMISSION else "smtp"
        items.append(
            Turn(record.at, host, session, client, "command", "", record.offset, name),
        )
        items.append(Part(record.at, host, "session", session, {"client": client}))
    return items


def _mail(record: Record, host: str, session: str, said: str) -> Items:
    found = _MAIL.match(said)
    if found is None:
        raise ValueError(f"a mail that ends early: {said[:200]!r}")
    sender = found["sender"].lower()
    keeps = {"sender": sender, "origin": "axigen"}
    values: dict[str, Any] = {
        "queue_id": found["queue_id"],
        "sender": sender,
        "message_id": found["id"][:LONGEST_ID],
        "recipients": int(found["count"]),
        "size": int(found["size"]),
    }
    if said.count(" received from ") == 1:
        values["client"] = keeps["client"] = net.address(found["client"])
    return (
        Part(
            record.at,
            host,
            "queue",
            found["queue_id"],
            keeps,
            record.offset,
            Message,
            values,
            "message",
            begins=True,
            session=session,
        ),
    )


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return read if not program else None


FORMAT = Format(
    "axigen",
    parser,
    begins=r"\d\d [\w.-]{1,255} [A-Z][A-Z0-9-]{2,20}:",
)
