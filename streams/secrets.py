"""Passwords that a log shows become fingerprints before anything is passed on.

A fingerprint is 8 bytes of keyed BLAKE2b (RFC 7693) in hex: two attempts with one password look
alike, and without the key nobody can test guesses against it. All shippers of a site use one
key; without one they use a constant, which still keeps the password itself out of every event
but withstands no dictionary.
"""

import hashlib
from collections.abc import Callable

UNKEYED = hashlib.blake2b(b"mailwarden password fingerprint", digest_size=32).digest()


Mask = Callable[[str], str]
"""A secret as a short keyed fingerprint: the same for the same secret and key, else telling
nothing."""


def mask(key: bytes = b"") -> Mask:
    """How secrets are masked with `key` (any length; empty: the constant)."""
    used = hashlib.blake2b(key, digest_size=32).digest() if key else UNKEYED

    def fingerprint(secret: str) -> str:
        digest = hashlib.blake2b(
            secret.encode("utf-8", "backslashreplace"), key=used, digest_size=8
        )
        return digest.hexdigest()

    return fingerprint
