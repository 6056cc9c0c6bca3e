"""What arrived at the mailbox that proves relaying: a maildir that the prober can read."""

import asyncio
import re
import time
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

from msgspec import Struct

from agents.probing.relay import MARK

LOOK = 0.25  # seconds between two looks
LARGEST = 1 << 20  # bytes of a mail that are read

_TOKEN = re.compile(rb"(?im)^" + MARK.encode() + rb":[ \t]*([0-9a-f]{24})\b")


class Arrivals(Struct, frozen=True):
    """Tokens of what arrived."""

    relayed: frozenset[str] = frozenset()  # the letters themselves
    bounced: frozenset[str] = frozenset()  # reports that they could not be delivered


def read(maildir: Path, since: float) -> Arrivals:
    """What lies in ``new`` and ``cur`` and came after `since`, Unix seconds. Raises OSError."""
    relayed, bounced = set[str](), set[str]()
    for path in (*maildir.glob("new/*"), *maildir.glob("cur/*")):
        try:
            if path.stat().st_mtime < since:
                continue
            with path.open("rb") as file:
                mail = file.read(LARGEST)
        except FileNotFoundError:
            continue  # its reader has moved it meanwhile
        headers = BytesParser().parsebytes(mail, headersonly=True)
        found = {token.decode().lower() for token in _TOKEN.findall(mail)}
        (bounced if _is_report(headers) else relayed).update(found)
    return Arrivals(frozenset(relayed), frozenset(bounced))


async def wait(maildir: Path, tokens: frozenset[str], since: float, patience: float) -> Arrivals:
    """Look until something is known of all `tokens`, at most for `patience` seconds."""
    until = time.monotonic() + patience
    while True:
        found = read(maildir, since)
        if tokens <= found.relayed | found.bounced or time.monotonic() >= until:
            return found
        await asyncio.sleep(LOOK)


def _is_report(headers: Message) -> bool:
    return headers.get_content_type() == "multipart/report" or (
        headers.get("Return-Path", "").strip() == "<>" and headers.get(MARK) is None
    )
