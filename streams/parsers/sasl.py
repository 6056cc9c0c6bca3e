"""AUTH commands that a log shows (RFC 4954): who wanted to log in, and the secret to be masked.

``AUTH PLAIN`` may carry all of it at once (RFC 4616: ``[authzid] NUL authcid NUL passwd``),
``AUTH LOGIN`` the name alone; a line of base64 without AUTH may be a password, and tells nothing.
"""

import base64
import binascii

LONGEST = 1024  # characters of base64 that are decoded


def credentials(command: str) -> tuple[str, str, str]:
    """(mechanism, account, password) of an AUTH command; what it does not tell is empty."""
    words = command.split(None, 3)
    if len(words) < 2 or words[0].upper() != "AUTH":
        return "", "", ""
    mechanism = words[1].upper()[:20]
    secret = words[2] if len(words) > 2 and len(words[2]) <= LONGEST else ""
    if mechanism not in ("PLAIN", "LOGIN") or not secret:
        return mechanism, "", ""
    try:
        decoded = base64.b64decode(secret, validate=True).decode("utf-8", "backslashreplace")
    except (binascii.Error, ValueError):
        return mechanism, "", ""
    if mechanism == "LOGIN":
        return mechanism, decoded, ""
    parts = decoded.split("\0")
    return (mechanism, parts[1], parts[2]) if len(parts) == 3 else (mechanism, "", "")
