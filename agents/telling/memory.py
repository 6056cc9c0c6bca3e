"""What a sink was told beyond what is committed: in a file, so that a restart tells it once.

Without it, or on another machine, these alerts are told again under the same id and revision.
"""

from collections.abc import Mapping
from pathlib import Path

from streams.kept import Kept


class Memory:
    """Revisions by alert, at `path`."""

    def __init__(self, path: Path) -> None:
        self._kept = Kept(path, dict[str, int], dict)
        self._written: dict[str, int] | None = None

    def load(self) -> dict[str, int]:
        return self._kept.read()

    def save(self, told: Mapping[str, int]) -> None:
        """Raises nothing: what cannot be written may be told twice."""
        if told != self._written and self._kept.write(dict(told)):
            self._written = dict(told)
