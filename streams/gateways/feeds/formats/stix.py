"""A bundle of indicators (STIX 2.1, OASIS): section 4.7 indicator, 8 bundle, 9 patterns.

Ids follow from what they name (version 5 UUIDs, as in 2.9), so that a list that is fetched again
makes nothing new: an indicator is one value of one decision.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from streams.gateways.feeds.item import Item

SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:mailwarden:decisions")
LAST = 253402300799.0  # of the year 9999
EPOCH = "1970-01-01T00:00:00.000Z"
# Where a confidence lies in the scales of appendix A: from "unlikely" to "very likely".
CONFIDENCE: dict[str, int] = {"info": 15, "low": 30, "medium": 50, "high": 75, "critical": 90}
PERSON = 90  # somebody looked at it
AUTHOR = f"identity--{uuid.uuid5(SPACE, 'author')}"

_encode = msgspec.json.Encoder().encode


def stix(items: Sequence[Item]) -> Iterator[str]:
    named = [(item, name(item)) for item in items]
    whole = uuid.uuid5(SPACE, "\n".join(own for _, own in named))
    yield f'{{"type":"bundle","id":"bundle--{whole}","objects":[\n'
    yield _encode(author()).decode()
    for item, own in named:
        yield ",\n"
        yield _encode(indicator(item, own)).decode()
    yield "\n]}\n"


def pattern(item: Item) -> str:
    """What a sign of this looks like (section 9)."""
    value = item.value.replace("\\", "\\\\").replace("'", "\\'")
    match item.decision.target.kind:
        case "network":
            kind = "ipv6-addr" if ":" in value else "ipv4-addr"
            return f"[{kind}:value {'ISSUBSET' if '/' in value else '='} '{value}']"
        case "domain":
            return f"[domain-name:value = '{value}']"
        case "address":
            return f"[email-addr:value = '{value}']"
        case _:
            return f"[user-account:account_login = '{value}']"


def indicator(item: Item, own: str) -> dict[str, object]:
    """The object of an item, whose `name` is `own`."""
    by = item.decision
    since = time(by.since)
    found: dict[str, object] = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": own,
        "created_by_ref": AUTHOR,
        "created": since,
        "modified": since,
        "name": f"{by.action} {item.value}",
        "indicator_types": [_type(item)],
        "pattern": pattern(item),
        "pattern_type": "stix",
        "valid_from": since,
        "labels": [by.detector or by.origin],
        "confidence": CONFIDENCE.get(by.severity, PERSON),
    }
    if by.reason:
        found["description"] = by.reason
    if by.until - by.since >= 0.001:  # milliseconds are written
        found["valid_until"] = time(by.until)
    return found


def _type(item: Item) -> str:
    return "compromised" if item.decision.target.kind == "account" else "malicious-activity"


def author() -> dict[str, object]:
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": AUTHOR,
        "created": EPOCH,
        "modified": EPOCH,
        "name": "mailwarden",
        "identity_class": "system",
    }


def name(item: Item) -> str:
    """The id of its indicator."""
    by = item.decision
    known = uuid.uuid5(SPACE, f"{by.id}|{by.generation}|{by.since}|{item.value}")
    return f"indicator--{known}"


def time(seconds: float) -> str:
    moment = datetime.fromtimestamp(min(seconds, LAST), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
