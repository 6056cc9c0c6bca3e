"""What SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489) said of a message, as a verdict.

The verdict's `scale` is the result's word, its `score` how bad that is: from -1 for a pass to 1
for a failure; 0 where nothing can be concluded.
"""

from typing import Final

SCORES: Final = {
    "pass": -1.0,
    "fail": 1.0,
    "softfail": 0.5,
    "neutral": 0.0,
    "none": 0.0,
    "policy": 0.5,
    "temperror": 0.0,
    "permerror": 0.0,
}

_OTHER_WORDS = {"error": "temperror", "unknown": "permerror", "hardfail": "fail"}  # RFC 4408's


def result(word: str) -> str:
    """A result as the standards have it; ``""`` where the word is none."""
    lower = word.lower()
    lower = _OTHER_WORDS.get(lower, lower)
    return lower if lower in SCORES else ""
