"""SMTP as it was spoken (RFC 5321, RFC 4954), for servers that log it as it is.

Logins are in base64 there. Names are taken out of them; a password, which some logs show and some
hide as ``***``, is dropped.
"""

import base64
import binascii

_COMMANDS = frozenset({"MAIL", "RCPT", "DATA", "RSET", "EHLO", "HELO"})
_IGNORED = frozenset({"QUIT", "NOOP", "HELP", "STAR", "VRFY", "ETRN", "TURN"})
_QUIET = frozenset({"220", "221", "334", "354"})


def command(said: str) -> list[tuple[str, str]]:
    """What a client says: (kind, text) of turns, see `Turn`."""
    verb = said[:4].upper()
    if verb in _COMMANDS:
        return [("command", said)]
    if verb == "AUTH":
        mechanism, _, initial = said[5:].partition(" ")
        name = _login(initial)
        return [("command", f"AUTH {mechanism}"), *([("user", name)] if name else [])]
    name = "" if verb in _IGNORED else _login(said)
    return [("user", name)] if name else []


def reply(said: str) -> list[tuple[str, str]]:
    """What the server says, of several lines the first."""
    said = said.partition("[nl]")[0]
    return [] if said[:3] in _QUIET or said[3:4] == "-" else [("reply", said)]


def _login(said: str) -> str:
    """The login in what a client sends after AUTH: base64 of a name, or of PLAIN's three fields
    (RFC 4616), of which the last one is the password; or the name before ``***``."""
    if said.endswith(" ***"):
        return said[:-4].strip().lower()[:320]
    if len(said) > 1024:
        return ""
    try:
        plain = base64.b64decode(said, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    if "\0" in plain:
        plain = plain.split("\0")[1]
    return plain.strip().lower()[:320] if plain.isprintable() else ""
