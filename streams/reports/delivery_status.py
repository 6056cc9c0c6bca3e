"""The machine's part of a report: ``message/delivery-status`` (RFC 3464, RFC 6533).

One group of fields for the message, then one for each recipient. Written for what is sent under
that name: groups without the empty lines between them or with empty lines inside them, fields
that are not folded, addresses without their type, ``Final-recipient`` with other letters.
"""

import re

from streams.reports import mime
from streams.reports.failure import Failure

KINDS = ("message/delivery-status", "message/global-delivery-status")
MOST = 500  # recipients

_RECIPIENTS = ("original-recipient", "final-recipient", "x-actual-recipient")
_OURS = frozenset(
    {*_RECIPIENTS, "action", "status", "diagnostic-code", "remote-mta", "x-supplementary-info",
     "x-display-name", "last-attempt-date", "will-retry-until", "x-notes-item"}
)  # fmt: skip
_TYPE = re.compile(r"\s{0,8}[\w-]{1,40}\s{0,8};\s{0,8}")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


def failures(text: str) -> list[Failure]:
    """What it says of each recipient."""
    found: list[Failure] = []
    group: mime.Fields = {}
    parted = False  # an empty line came since the last field
    for name, value in mime.pairs(text.split("\n", 20_000)):
        if not name:
            parted = True
            continue
        if name not in _OURS:
            continue
        begun = any(known in group for known in _RECIPIENTS)
        again = name in group and name in ("final-recipient", "original-recipient", "action")
        if (parted and begun and name in (*_RECIPIENTS, "action")) or again:
            _close(group, found)
            group = {}
        parted = False
        group.setdefault(name, []).append(value)
        if len(found) >= MOST:
            return found
    _close(group, found)
    return found


def _close(group: mime.Fields, found: list[Failure]) -> None:
    if not group:
        return
    names = [mime.mailbox(_TYPE.sub("", mime.first(group, n), count=1)) for n in _RECIPIENTS]
    named = list(filter(None, names))
    # The name that the sender used, if it can be one: later ones are of the reporter's system.
    recipient = next((name for name in named if "." in name.partition("@")[2]), "")
    recipient = recipient or next(iter(named), "")
    words = " ".join(
        _TYPE.sub("", value, count=1)
        for name in ("diagnostic-code", "x-supplementary-info")
        for value in group.get(name, ())
    )
    status = _STATUS.search(mime.first(group, "status"))
    action = mime.first(group, "action").lower().split(" ")[0].strip("()")
    if not recipient and not (status or words):
        return
    found.append(
        Failure(
            recipient,
            status[0] if status else "",
            words,
            action,
            _TYPE.sub("", mime.first(group, "remote-mta"), count=1).lower(),
        )
    )
