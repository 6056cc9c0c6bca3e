"""What a running program logs: an event in a few words, and its fields.

``log.error(said("gateway failed", gateway="relay", reason=trouble))`` is one JSON object with a
field for each (agents/running/logs.py), and a readable line where people look on.
"""

from typing import Any


class Said:
    """A message of the log that knows its fields."""

    __slots__ = ("event", "fields")

    def __init__(self, event: str, fields: dict[str, Any]) -> None:
        self.event = event
        self.fields = fields

    def __str__(self) -> str:
        return " ".join([self.event, *(f"{k}={_shown(v)}" for k, v in self.fields.items())])


def said(event: str, /, **fields: Any) -> Said:
    """`event` in words that never change, so that logs can be searched for them."""
    return Said(event, {k: v if isinstance(v, (int, float)) else str(v) for k, v in fields.items()})


def _shown(value: Any) -> str:
    """A value as one word, without anything that a terminal would obey: it may be a stranger's."""
    text = "".join(c if c.isprintable() else "?" for c in str(value))
    if text and not any(c in ' "=' for c in text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
