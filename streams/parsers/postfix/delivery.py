"""smtp(8), lmtp(8), local(8), virtual(8), pipe(8), error(8), ...: what became of a message.

The line is made by src/global/log_adhoc.c. The host's name in ``relay=`` and all that stands in
the last parentheses are the other server's words: every field is taken from its place, counted
from the left, and never searched for.
"""

import re
from typing import Any

from schemas import net
from schemas.events import Delivery
from streams.parsers import reply
from streams.parsers.part import Items, Part, Record
from streams.parsers.postfix.peer import is_queue_id, mailbox

PATIENCE = 10.0
LONGEST_REPLY = 300

_DELIVERY = re.compile(
    r"to=<?(?P<recipient>.*?)>?, (?:orig_to=<?(?P<alias>.*?)>?, )?(?P<relay>relay=[^\s,]+), "
    r"(?:conn_use=\d+, )?delay=[\d.]+, (?:delays=[\d./]+, )?(?:tls=[^,]+, )?"
    r"(?:dsn=(?P<enhanced>\d\.\d{1,3}\.\d{1,3}), )?status=(?P<status>\S+) \((?P<said>.*?)\)?"
)
_QUEUED = re.compile(r".*\bqueued as (?P<queue_id>\w{6,40})")
_STATUS = {"sent": "sent", "deferred": "deferred", "bounced": "bounced", "SOFTBOUNCE": "deferred"}
_PROBE = {"probe": True}
_LOCAL = {"origin": "local"}
_FORWARDED = "forwarded as "  # local(8) obeys a .forward file or an alias
_NEAR = net.Networks(net.PRIVATE)


def read(record: Record) -> Items:
    """What a delivery agent says."""
    queue_id, _, rest = record.text.partition(": ")
    if not rest.startswith("to="):
        return ()
    recipient, _, more = rest[3:].partition(">, ")
    original = ""
    if more.startswith("orig_to=<"):
        original, _, more = more[9:].partition(">, ")
    relay, _, more = more.partition(", ")
    _, usual, more = more.partition(", dsn=")
    enhanced, _, more = more.partition(", status=")
    word, _, said = more.partition(" (")
    if not (usual and relay.startswith("relay=") and said.endswith(")")):
        recipient, original, relay, enhanced, word, said = _unusual(rest)
    else:
        said = said[:-1]
    status = _STATUS.get(word)
    if status is None:  # a probe of an address (verify(8)), not a message
        return (Part(record.at, record.host, "queue", queue_id, _PROBE),)
    recipient = mailbox(recipient)
    values: dict[str, Any] = {"queue_id": queue_id, "recipient": recipient, "status": status}
    if original:
        values["original"] = mailbox(original)
    if enhanced:
        values["enhanced"] = enhanced
    address = ""
    host, _, address = relay[6:].partition("[")
    if host != "none":
        values["relay"] = host
    keeps: dict[str, Any] = {}
    passes = through = ""
    if status != "sent":
        values["reason"] = reply.failure(enhanced or "", said)
        keeps = {
            "failed_recipient": recipient,
            "failed_status": status,
            "failed_enhanced": enhanced or "",
            "failed_reason": values["reason"],
            "failed_code": reply.code(said),
            "failed_reply": said[:LONGEST_REPLY],
        }
    elif "queued as " in said and address:
        through = net.address(address.partition("]")[0])
        queued = _QUEUED.match(said) if through in _NEAR else None
        passes = queued["queue_id"] if queued else ""
    delivery = Part(
        record.at,
        record.host,
        "queue",
        queue_id,
        keeps,
        record.offset,
        Delivery,
        values,
        needs="origin",
        wait=PATIENCE,
        passes=passes,
        through=through,
        covers="mailbox" if status == "sent" and not passes else "",
    )
    following = said[len(_FORWARDED) :] if said.startswith(_FORWARDED) else ""
    if host == "local" and not address and is_queue_id(following):
        on = Part(record.at, record.host, "queue", following, _LOCAL, continues=queue_id)
        return (delivery, on)
    return (delivery,)


def _unusual(rest: str) -> tuple[str, str, str, str, str, str]:
    """Addresses without ``<>``, Postfix before 2.3 (no ``dsn=``), an explanation that was cut."""
    found = _DELIVERY.fullmatch(rest)
    if found is None:
        raise ValueError(f"a delivery that ends early: {rest[:200]!r}")
    return (
        found["recipient"],
        found["alias"] or "",
        found["relay"],
        found["enhanced"] or "",
        found["status"],
        found["said"],
    )
