"""Signed messages: who may decide shows in the message, not only in the broker's access lists.

A message that is signed has the header ``signature``: ``v1``, when it was signed (milliseconds of
Unix time) and HMAC-SHA256 (RFC 2104, FIPS 180-4) in hexadecimal over topic, key, that time and
the value, each with its length before it. A deletion has no value and is signed as well.

Whoever holds the key can sign: an edge that verifies could, too. A signature does not age; what
it is worth when it comes again is for the reader to say, who knows when it was made.
"""

import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path

HEADER = "signature"
VERSION = b"v1"
SHORTEST = 32  # characters of a key


class SigningError(Exception):
    """A key that cannot be used, or a signature that is missing or wrong."""


class Keys:
    """The first key signs, any of them verifies: put a new one last everywhere, then first, then
    take the old one away."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) < SHORTEST for key in keys):
            raise SigningError(f"expected keys of {SHORTEST} characters or more, one a line")
        self._keys = tuple(keys)

    def sign(self, topic: str, key: bytes, value: bytes | None, at: float) -> dict[str, bytes]:
        """The headers of a message that is signed at `at`. `topic` is its name without a site's
        prefix."""
        moment = b"%d" % int(at * 1000)
        found = _digest(self._keys[0], topic, key, value, moment)
        return {HEADER: b" ".join((VERSION, moment, found))}

    def verify(
        self, topic: str, key: bytes, value: bytes | None, headers: Mapping[str, bytes]
    ) -> float:
        """When the message was signed, in Unix seconds. Raises SigningError where it is not, or
        not by one of the keys."""
        given = headers.get(HEADER)
        if given is None:
            raise SigningError("it is not signed")
        version, _, rest = given.partition(b" ")
        moment, _, digest = rest.partition(b" ")
        if version != VERSION or not moment.isdigit() or len(moment) > 16:
            raise SigningError("its signature cannot be read")
        right = [
            hmac.compare_digest(_digest(own, topic, key, value, moment), digest)
            for own in self._keys
        ]
        if not any(right):
            raise SigningError("it is signed with another key")
        return int(moment) / 1000


def load(path: Path) -> Keys:
    """The keys of a file: one a line, of any characters; lines with ``#`` in front say nothing.
    Raises SigningError."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SigningError(f"{path}: {error.strerror}") from error
    stripped = (line.strip() for line in lines)
    try:
        return Keys([line for line in stripped if line and not line.startswith(b"#")])
    except SigningError as error:
        raise SigningError(f"{path}: {error}") from error


def _digest(own: bytes, topic: str, key: bytes, value: bytes | None, moment: bytes) -> bytes:
    parts = (topic.encode(), key, moment, b"-" if value is None else b"+" + value)
    text = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return hmac.digest(own, text, "sha256").hex().encode()
