"""JSON: one object for each item, as an array or one a line."""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from schemas.findings import Action, Severity
from streams.gateways.feeds.item import Item

_encode = msgspec.json.Encoder().encode


class Record(Struct, frozen=True):
    """Times are Unix seconds."""

    value: str
    kind: str
    action: Action
    since: float
    until: float
    reason: str
    detector: str
    severity: Severity | str
    origin: str
    domain: str
    id: str  # of the decision: `mailwarden decisions` knows it
    alert: str


def jsonl(items: Sequence[Item]) -> Iterator[str]:
    return (f"{_record(item)}\n" for item in items)


def json(items: Sequence[Item]) -> Iterator[str]:
    yield "["
    for number, item in enumerate(items):
        yield f",\n{_record(item)}" if number else f"\n{_record(item)}"
    yield "\n]\n"


def _record(item: Item) -> str:
    by = item.decision
    return _encode(
        Record(
            value=item.value,
            kind=by.target.kind,
            action=by.action,
            since=by.since,
            until=by.until,
            reason=by.reason,
            detector=by.detector,
            severity=by.severity,
            origin=by.origin,
            domain=by.domain,
            id=by.id,
            alert=by.alert,
        )
    ).decode()
