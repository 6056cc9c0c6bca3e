"""Decisions as bytes, for whoever holds a hundred thousand of them.

A decision as a struct is fifteen fields, five of them text of its own: 550 bytes. Packed it is a
third of that, and is unpacked in two microseconds by whoever wants to see it, which is seldom:
most clients that are asked about are in no decision. The id is left out where it is what
`decision_id` makes of target and action, that is, nearly always.
"""

from collections.abc import Iterator, Sequence
from typing import Any, overload

from msgspec import msgpack

from schemas.findings import Decision, Target

_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(tuple[Any, ...]).decode
ENFORCED = 11  # the place of that field


def pack(decision: Decision) -> bytes:
    target, action = decision.target, decision.action
    kind, value = target.kind, target.value
    name = decision.id
    return _encode(
        (
            "" if name == f"{kind}:{value}:{action}" else name,
            kind,
            value,
            action,
            decision.reason,
            decision.alert,
            decision.origin,
            decision.domain,
            decision.since,
            decision.until,
            decision.generation,
            decision.enforced,
            decision.detector,
            decision.severity,
            decision.needs,
            decision.approvals,
        )
    )


def unpack(packed: bytes) -> Decision:
    (
        name,
        kind,
        value,
        action,
        reason,
        alert,
        origin,
        domain,
        since,
        until,
        generation,
        enforced,
        detector,
        severity,
        needs,
        approvals,
    ) = _decode(packed)
    return Decision(
        id=name or f"{kind}:{value}:{action}",
        target=Target(kind, value),
        action=action,
        reason=reason,
        alert=alert,
        origin=origin,
        domain=domain,
        since=since,
        until=until,
        generation=generation,
        enforced=enforced,
        detector=detector,
        severity=severity,
        needs=needs,
        approvals=tuple(approvals) if approvals else (),
    )


def enforced(decisions: Sequence[Decision]) -> Sequence[Decision]:
    """Those that are enforced, packed where they were."""
    if isinstance(decisions, Packed):
        return decisions.enforced()
    return [decision for decision in decisions if decision.enforced]


class Packed(Sequence[Decision]):
    """A list of decisions that unpacks each when it is looked at, and keeps none."""

    __slots__ = ("_enforced", "_rows")

    def __init__(self, rows: Sequence[bytes]) -> None:
        self._rows = rows
        self._enforced: Sequence[bytes] | None = None  # rows; not known yet

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Decision]:
        return map(unpack, self._rows)

    @overload
    def __getitem__(self, place: int) -> Decision: ...
    @overload
    def __getitem__(self, place: slice) -> "Packed": ...
    def __getitem__(self, place: int | slice) -> "Decision | Packed":
        if isinstance(place, slice):
            return Packed(self._rows[place])
        return unpack(self._rows[place])

    def enforced(self) -> "Packed":
        """Those that are enforced. Found out once: each gateway asks every second."""
        if self._enforced is None:
            rows = [row for row in self._rows if _decode(row)[ENFORCED]]
            self._enforced = rows if len(rows) < len(self._rows) else self._rows
        return Packed(self._enforced)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Packed):
            return self._rows is other._rows or self._rows == other._rows
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))
