"""Keys by which those who ask an HTTP server are known.

Only their SHA-256 is kept (a key is random, so it needs no salt), and each is compared in
constant time.
"""

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

HASHED = "sha256:"


class Tokens:
    """Names and the digests of their keys."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        """Each line is ``KEY`` or ``NAME KEY``; the key may be given as ``sha256:HEX``. Raises
        ValueError, without a key in its words."""
        self._known: list[tuple[str, bytes]] = []
        for line in lines:
            *name, key = line.split()
            if len(name) > 1:
                raise ValueError("expected KEY or NAME KEY")
            self._known.append((name[0] if name else "", _digest(key)))

    def __bool__(self) -> bool:
        return bool(self._known)

    def holder(self, key: str) -> str | None:
        """Whose key this is ("" where it has no name), or None. Always looks at all of them."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        found = None
        for name, known in self._known:
            if hmac.compare_digest(digest, known):
                found = name
        return found


def read(path: Path) -> list[str]:
    """The lines of a file of keys, without those that are empty or begin with ``#``. Raises
    OSError or ValueError."""
    lines = map(str.strip, path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _digest(key: str) -> bytes:
    if not key.startswith(HASHED):
        return hashlib.sha256(key.encode()).digest()
    digest = bytes.fromhex(key.removeprefix(HASHED))
    if len(digest) != hashlib.sha256().digest_size:
        raise ValueError("expected 64 hex digits behind sha256:")
    return digest
