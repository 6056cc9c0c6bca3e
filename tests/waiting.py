"""Waiting for what other threads and processes do."""

from collections.abc import Callable
from time import monotonic, sleep  # tests put others in their place
from typing import TypeVar

T = TypeVar("T")

SECONDS = 60.0
PAUSE = 0.01


def wait_for(happened: Callable[[], T], what: str = "it", seconds: float = SECONDS) -> T:
    """What `happened` gives, as soon as that is anything; it fails where that stays away."""
    deadline = monotonic() + seconds
    while not (found := happened()):
        assert monotonic() < deadline, f"{what} did not come about within {seconds:.0f} s"
        sleep(PAUSE)
    return found
