"""Carriers: how a line of log travels, whatever program wrote it."""

from streams.parsers.carrier.carrier import LONGEST, LONGEST_JSON, Carrier, Remembered
from streams.parsers.carrier.envelope import opened
from streams.parsers.carrier.letter import Letter
from streams.parsers.carrier.stamps import Stamps, Zone

__all__ = [
    "LONGEST",
    "LONGEST_JSON",
    "Carrier",
    "Letter",
    "Remembered",
    "Stamps",
    "Zone",
    "opened",
]
