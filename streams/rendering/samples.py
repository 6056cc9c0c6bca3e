"""The events that an alert rests on, as far as it quotes them."""

from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.findings import Alert, Sample


def facts(alert: Alert) -> Iterator[tuple[Sample, dict[str, Any]]]:
    """Each sample with its event; samples that are no events are left out."""
    for sample in alert.samples:
        try:
            event = msgspec.json.decode(sample.text)
        except (msgspec.DecodeError, UnicodeError):
            continue
        if isinstance(event, dict) and isinstance(event.get("type"), str):
            yield sample, event


def text(event: dict[str, Any], *names: str) -> str:
    """The first of these fields that says something."""
    for name in names:
        value = event.get(name)
        if isinstance(value, str) and value:
            return value
    return ""
