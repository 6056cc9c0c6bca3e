"""What lies on mail.lines: lines of one gateway in their order, out of their envelopes.

A message without lines says only what time it is, where nothing else does.
"""

import msgspec
from msgspec import Struct

from streams.parsers.carrier import Letter

LARGEST = 300_000  # characters of the lines of a message


class Line(Struct, frozen=True, gc=False, array_like=True):
    source: str  # topic and partition
    offset: int  # of the message that held it
    letter: Letter


class Lines(Struct, frozen=True, omit_defaults=True):
    now: float  # Unix seconds, when this was published
    format: str = "auto"  # as is set for the topic
    zone: str = ""
    lines: list[Line] = []


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Lines)


def encode(lines: Lines) -> bytes:
    return _encoder.encode(lines)


def decode(value: bytes) -> Lines:
    """Raises ValueError."""
    return _decoder.decode(value)
