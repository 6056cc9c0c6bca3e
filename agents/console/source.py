"""Where the console's read model takes its news from: a store, or Kafka."""

import json
from typing import Protocol

from msgspec import Struct

from agents.console.shelf import Batch
from schemas.gateways import GatewayState

CUT = 500  # characters of a dead letter


class DeadLetter(Struct, frozen=True):
    """What could not be read."""

    at: float  # Unix seconds; 0: not known
    place: str
    reason: str
    text: str  # cut


def letter(data: bytes, at: float = 0.0) -> DeadLetter | None:
    """A dead letter of `run`, `ship` and `intake` (streams/reader.py DeadLine) or of a worker
    (agents/worker/messages.py Dead); None where it is neither."""
    try:
        said = json.loads(data)
        reason = str(said["reason"])
        if "place" in said:
            place, text, at = str(said["place"]), str(said["text"]), float(said["at"])
        else:
            place, text = f"{said['source']}:{said['offset']}", str(said["line"])
    except (ValueError, KeyError, TypeError):
        return None
    return DeadLetter(at, place[:CUT], reason[:CUT], text[:CUT])


class Source(Protocol):
    """For one thread. Errors: StoreError, BusError."""

    name: str  # of what is followed: another one's news do not mix with these

    def take(self) -> Batch:
        """What has changed since; waits a moment where nothing has."""

    def safe(self) -> None:
        """What was taken last is written."""

    def complete(self) -> bool:
        """Whether all that there was at the start has been taken."""

    def gateways(self) -> list[GatewayState]:
        """The newest word of each gateway."""

    def lifted(self) -> bool:
        """Whether the kill switch of all gateways is pulled, as far as the source knows."""

    def dead(self) -> list[DeadLetter]:
        """What could not be read, the newest first; as many as are kept in mind."""

    def close(self) -> None: ...
