"""Struct <-> bytes for any bus. A reader takes unknown fields, a writer never sends them.

A message of events is one event or a JSON array of events. Producers that pack send arrays;
others send one event a message. Headers of a packed message:

``origin``
    Who packed it: shipper and file. Bytes of UTF-8.
``positions``
    msgpack list of integers, one for each event, increasing for one origin and partition. A
    worker that has absorbed a position of an origin skips it when it comes again.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from schemas.audit import Audit
from schemas.events import Event, Fact
from schemas.findings import Alert, Decision
from schemas.gateways import GatewayState, Switch
from schemas.incidents import Case

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_one = msgspec.json.Decoder(Event)
_many = msgspec.json.Decoder(list[Event])
_pack = msgspec.msgpack.Encoder()
_positions = msgspec.msgpack.Decoder(list[int])


def encode(value: Any) -> bytes:
    """One struct as JSON."""
    return _encoder.encode(value)


def encode_events(events: Sequence[Fact]) -> bytes:
    """A JSON array of events."""
    return _encoder.encode(events)


def decode_events(data: bytes) -> list[Fact]:
    """The events of a message: an array, or one alone.

    Raises ValueError (msgspec.DecodeError, msgspec.ValidationError) with the place of what is
    wrong in it.
    """
    if data[:1] == b"[":
        return _many.decode(data)  # type: ignore[return-value]
    return [_one.decode(data)]


def encode_positions(positions: Sequence[int]) -> bytes:
    return _pack.encode(positions)


def decode_positions(data: bytes) -> list[int]:
    return _positions.decode(data)


_alert = msgspec.json.Decoder(Alert)
_decision = msgspec.json.Decoder(Decision)


def decode_alert(data: bytes) -> Alert:
    return _alert.decode(data)


def decode_decision(data: bytes) -> Decision:
    return _decision.decode(data)


_state = msgspec.json.Decoder(GatewayState)
_switch = msgspec.json.Decoder(Switch)
_audit = msgspec.json.Decoder(Audit)
_case = msgspec.json.Decoder(Case)


def decode_state(data: bytes) -> GatewayState:
    return _state.decode(data)


def decode_switch(data: bytes) -> Switch:
    return _switch.decode(data)


def decode_audit(data: bytes) -> Audit:
    return _audit.decode(data)


def decode_case(data: bytes) -> Case:
    return _case.decode(data)
