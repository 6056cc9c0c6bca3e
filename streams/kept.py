"""What a sink remembers between two processes, in a file of JSON. Nothing here raises: what cannot
be read is begun anew, and what cannot be written is known as long as the process lives."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from streams import atomic
from streams.said import said

log = logging.getLogger(__name__)

T = TypeVar("T")


class Kept(Generic[T]):
    """A value of the type `kind`, kept at `path`, first what `empty` makes; without a path nothing
    is kept."""

    def __init__(self, path: Path | None, kind: type[T], empty: Callable[[], T]) -> None:
        self._path = path
        self._decode = msgspec.json.Decoder(kind).decode
        self._empty = empty
        self._trouble = ""  # said last, until a write succeeds

    def read(self) -> T:
        if self._path is None:
            return self._empty()
        try:
            return self._decode(self._path.read_bytes())
        except FileNotFoundError:
            return self._empty()
        except (OSError, ValueError) as error:
            log.warning(said("state unusable", path=self._path, reason=error))
            return self._empty()

    def write(self, value: T) -> bool:
        """Whether it is safe on disk. A failure is said once, until all is well."""
        if self._path is None:
            return True
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.replace(self._path, msgspec.json.encode(value), 0o600)
        except OSError as error:
            trouble = str(error.strerror)
            if trouble != self._trouble:
                log.warning(said("state unusable", path=self._path, reason=trouble))
            self._trouble = trouble
            return False
        self._trouble = ""
        return True
