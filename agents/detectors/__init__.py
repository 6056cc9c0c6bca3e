"""The detectors, one line each."""

from agents.detector import Detector

DETECTORS: dict[str, type[Detector]] = {}
