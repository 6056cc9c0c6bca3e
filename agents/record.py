"""What is kept of one subject: a sub-state per detector, its past, its open findings, its
sentence. At most 1 KB packed on average; everything in it is bounded."""

from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from agents.windows import Past

RECENT = 4  # offences that are kept so that a finding can show what led to it


class Episode(Struct, array_like=True):
    """A finding that stands, from its first offence until its detector's horizon of quiet."""

    id: str
    name: str
    about: str
    shape: str
    severity: str
    first: float
    last: float
    touches: int = 0  # events that added to it
    told: int = 0  # of them, when it was told last
    revision: int = 0
    evidence: dict[str, list[Any]] = field(default_factory=dict)  # sign: peak, threshold, unit,
    # and whether the peak is an estimate
    clients: list[str] = field(default_factory=list)
    clients_count: int = 0
    accounts: list[str] = field(default_factory=list)
    accounts_count: int = 0
    targets: list[str] = field(default_factory=list)
    targets_count: int = 0
    samples: list[tuple[float, str, str]] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)  # all that were told; `shape` is the gravest
    before: int = 0  # offences that led to it
    withdrawn: bool = False
    incident: str = ""  # id of another subject's finding that this is part of


class Sentence(Struct, array_like=True):
    """What was decided about a target: how often, and until when."""

    level: float = 0.0  # steps up the ladder of durations
    until: float = 0.0
    generation: int = 0
    action: str = ""  # "": nothing holds, and until `until` it is not worth another look
    enforced: bool = False
    alert: str = ""  # id of the finding that asked for it


class Record(Struct, array_like=True):
    last: float = 0.0  # event time of the newest event
    absorbed: int = -1  # the newest offset of the source that was folded in
    states: dict[str, Any] = field(default_factory=dict)  # by detector: its state, or Raw
    past: Past = field(default_factory=Past)
    episodes: dict[str, Episode] = field(default_factory=dict)
    sentences: dict[str, Sentence] = field(default_factory=dict)  # by target, "network:192.0.2.1"
    offended: float = 0.0  # first offence of the run that goes on, with gaps under a day
    offended_last: float = 0.0
    recent: list[tuple[float, str, str]] = field(default_factory=list)  # last offences
    offences: int = 0  # of the run that goes on, those that are no longer in `recent` included


class _Packed(Struct, array_like=True):
    """A record off the wire, its detectors' states not yet decoded."""

    last: float
    absorbed: int
    states: dict[str, Raw]
    past: Past
    episodes: dict[str, Episode]
    sentences: dict[str, Sentence]
    offended: float
    offended_last: float
    recent: list[tuple[float, str, str]]
    offences: int = 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Packed)


def pack(record: Record) -> bytes:
    return _encoder.encode(record)


def unpack(data: bytes) -> Record:
    """Raises msgspec.DecodeError or ValidationError (a ValueError) where `data` is no record."""
    packed = _decoder.decode(data)
    return Record(
        packed.last,
        packed.absorbed,
        {name: Raw(bytes(raw)) for name, raw in packed.states.items()},
        packed.past,
        packed.episodes,
        packed.sentences,
        packed.offended,
        packed.offended_last,
        packed.recent,
        packed.offences,
    )


class Glance(Struct, array_like=True):
    """What can be told of a packed record without unpacking it."""

    last: float
    absorbed: int
    states: Raw
    past: tuple[Raw, int]
    episodes: Raw


_glancer = msgspec.msgpack.Decoder(Glance)
_EMPTY = b"\x80"  # a msgpack map without entries


def worth(packed: bytes) -> tuple[bool, bool, float]:
    """What is evicted first, smallest first: unreadable, no finding, no past, longest quiet."""
    try:
        seen = _glancer.decode(packed)
    except ValueError:
        return (False, False, 0.0)
    return (bytes(seen.episodes) != _EMPTY, bytes(seen.past[0]) != _EMPTY, seen.last)
