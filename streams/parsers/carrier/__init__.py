"""Carriers: how a line of log travels, whatever program wrote it."""

from streams.parsers.carrier.carrier import LONGEST, Carrier, Remembered
from streams.parsers.carrier.letter import Letter
from streams.parsers.carrier.stamps import Stamps, Zone

__all__ = ["LONGEST", "Carrier", "Letter", "Remembered", "Stamps", "Zone"]
