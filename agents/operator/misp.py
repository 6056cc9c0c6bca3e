"""What is blocked as a feed of MISP: a manifest, hashes and one event, files in a folder.

https://www.circl.lu/doc/misp/feed-osint/ and https://www.misp-standard.org/rfc/misp-standard-core.html
The event keeps its uuid, and each attribute its own, so that a feed which is fetched again updates
what is there.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from streams import atomic
from streams.gateways.feeds.formats.stix import SPACE
from streams.gateways.feeds.item import Item

MANIFEST, HASHES = "manifest.json", "hashes.csv"
TYPES = {
    "network": ("ip-src", "Network activity"),
    "domain": ("domain", "Network activity"),
    "address": ("email-src", "Payload delivery"),
}
"""Of an attribute, by the kind of target: type, category."""
LEVELS = {"critical": 1, "high": 1, "medium": 2, "low": 3, "info": 4}
UNDEFINED = 4
COMPLETED = "2"
TAG = {"name": "tlp:amber", "colour": "#FFC000"}

_encode = msgspec.json.Encoder().encode


def files(items: Sequence[Item], organisation: str) -> dict[str, str]:
    """The feed: names and content, in the order in which they are to be written."""
    name = str(uuid.uuid5(SPACE, f"misp {organisation}"))
    attributes = [_attribute(item) for item in items if item.decision.target.kind in TYPES]
    moments = [item.decision.since for item in items]
    newest = int(max(moments, default=0))
    levels = (LEVELS.get(item.decision.severity, UNDEFINED) for item in items)
    event: dict[str, Any] = {
        "uuid": name,
        "info": "Blocked by mailwarden: attacks on mail servers",
        "date": datetime.fromtimestamp(newest, UTC).date().isoformat(),
        "timestamp": str(newest),
        "publish_timestamp": str(newest),
        "published": True,
        "analysis": COMPLETED,
        "threat_level_id": str(min(levels, default=UNDEFINED)),
        "Orgc": {"name": organisation, "uuid": str(uuid.uuid5(SPACE, f"org {organisation}"))},
        "Tag": [TAG],
    }
    shown = ("Orgc", "Tag", "info", "date", "analysis", "threat_level_id", "timestamp")
    hashes = "".join(f"{_md5(one['value'])},{name}\n" for one in attributes)
    return {
        f"{name}.json": _text({"Event": {**event, "Attribute": attributes}}),
        HASHES: hashes,
        MANIFEST: _text({name: {key: event[key] for key in shown}}),
    }


def write(folder: Path, feed: Mapping[str, str]) -> None:
    """Each file as a whole, the manifest last. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in feed.items():
        atomic.replace(folder / name, text)


def _attribute(item: Item) -> dict[str, Any]:
    by = item.decision
    kind, category = TYPES[by.target.kind]
    return {
        "uuid": str(uuid.uuid5(SPACE, f"misp {by.id} {item.value}")),
        "type": kind,
        "category": category,
        "value": item.value,
        "to_ids": True,
        "comment": by.detector or by.origin,
        "timestamp": str(int(by.since)),
        "first_seen": datetime.fromtimestamp(by.since, UTC).isoformat(timespec="microseconds"),
        "disable_correlation": False,
    }


def _text(value: Any) -> str:
    return _encode(value).decode()


def _md5(value: str) -> str:
    """As MISP looks values up; it protects nothing."""
    return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()
