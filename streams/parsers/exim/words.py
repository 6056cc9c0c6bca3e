"""What Exim's own words mean: of a refusal, of a failed or deferred delivery.

Wordings from src/acl.c, src/verify.c, src/route.c, src/deliver.c and src/transports/smtp.c, and
of the default configuration. Replies that it quotes are for streams/parsers/reply.py.
"""

import re
from functools import lru_cache

from streams.parsers import reply

LONGEST_REPLY = 300
EXPIRED = (
    "retry timeout exceeded",
    "retry time not reached",
    "message timed out",
    "all hosts have been failing",
    "all hosts for ",
)
_GIVEN_UP = ": retry timeout exceeded"  # behind the last error (src/retry.c)

_CODE = re.compile(
    r"(?:^\"?|: |\\n)(?P<code>[45]\d\d)(?:[ -](?P<enhanced>[245]\.\d{1,3}\.\d{1,3}))?(?:[ -]|$)"
)
_UNKNOWN = (
    "unrouteable address",
    "unrouteable mail domain",
    "unknown user",
    "no such user",
    "recipient verify fail",
)
_NO_HOST = ("all relevant mx", "lookup of host", "host lookup", "an mx or srv record indicated")
_UNREACHABLE = (
    "connection refused",
    "connection timed out",
    "connection reset",
    "network error",
    "network is unreachable",
    "no route to host",
    "remote host closed connection",
    "smtp timeout",
)


@lru_cache(maxsize=4096)
def verdict(text: str, *, later: bool) -> tuple[str, str, int, str]:
    """(verdict, reason, code, enhanced) of a refusal, as `schemas.events.Recipient` has them."""
    code, enhanced = _quoted(text)
    low = text[:LONGEST_REPLY].lower()
    if low.startswith(("sender verify", "could not complete sender verify", "sender callout")):
        return "deferred" if later else "refused", "sender", code, enhanced
    if low.startswith(_UNKNOWN) and not later:
        return "unknown", "user_unknown", code, enhanced
    if low.startswith("administrative prohibition"):
        return "blocked", "denied", code, enhanced
    found, reason = reply.verdict(code or (451 if later else 550), enhanced, text)
    return found, reason, code, enhanced


@lru_cache(maxsize=4096)
def failure(text: str) -> tuple[str, int, str]:
    """(reason, code, enhanced) of a delivery that failed or waits."""
    code, enhanced = _quoted(text)
    low = text[:LONGEST_REPLY].lower()
    if text.startswith(EXPIRED) or text.endswith(_GIVEN_UP):
        return "expired", code, enhanced
    if not code:
        for wordings, reason in (
            (_NO_HOST, "no_host"),
            (_UNKNOWN, "user_unknown"),
            (_UNREACHABLE, "unreachable"),
        ):
            if low.startswith(wordings):
                return reason, 0, ""
    return reply.failure(enhanced, text), code, enhanced


def _quoted(text: str) -> tuple[int, str]:
    """The first reply code in an explanation, and its enhanced status code."""
    found = _CODE.search(text[:LONGEST_REPLY])
    return (int(found["code"]), found["enhanced"] or "") if found else (0, "")
