"""What a sink was told beyond what is committed: in a file, so that a restart tells it once.

Without it, or on another machine, these alerts are told again under the same id and revision.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from streams import atomic
from streams.said import said

log = logging.getLogger(__name__)

_known = msgspec.json.Decoder(dict[str, int])


class Memory:
    """Revisions by alert, at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: Mapping[str, int] | None = None
        self._trouble = ""

    def load(self) -> dict[str, int]:
        try:
            return _known.decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning(said("state unusable", path=self._path, reason=error))
            return {}

    def save(self, told: Mapping[str, int]) -> None:
        """Raises nothing: what cannot be written may be told twice."""
        if told == self._written:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.replace(self._path, msgspec.json.encode(told).decode(), 0o600)
        except OSError as error:
            trouble = str(error.strerror)
            if trouble != self._trouble:
                log.warning(said("state unusable", path=self._path, reason=trouble))
            self._trouble = trouble
            return
        self._written, self._trouble = dict(told), ""
