"""What `Alert.detector` may say: the detectors, and those that watch our own servers."""

from agents import enforcing, presence
from agents.detectors import DETECTORS
from agents.listed import standing as listed
from agents.probing import standing as probing

NAMES: tuple[str, ...] = (
    *DETECTORS,
    presence.NAME,
    enforcing.NAME,
    listed.NAME,
    probing.NAME,
)
