"""The JSON Schema (2020-12) of each topic, made from the structs: `make schemas` writes them to
schemas/json/, for publishers and readers in other languages."""

from pathlib import Path
from typing import Any

import msgspec

from schemas.audit import Audit
from schemas.events import Event
from schemas.findings import Alert, Decision
from schemas.gateways import GatewayState, Switch
from schemas.incidents import Case

HOLDS: dict[str, Any] = {
    "mail.events": Event,
    "mail.facts": list[Event],
    "mail.alerts": Alert,
    "mail.decisions": Decision,
    "mail.gateways": GatewayState,
    "mail.switch": Switch,
    "mail.incidents": Case,
    "mail.audit": Audit,
}

FOLDER = Path(__file__).parent / "json"


def documents() -> dict[str, bytes]:
    """File name -> content, for each topic."""
    return {f"{topic}.json": _document(topic, kind) for topic, kind in HOLDS.items()}


def _document(topic: str, kind: Any) -> bytes:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": topic,
        **msgspec.json.schema(kind),
    }
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2) + b"\n"


def write() -> None:
    """Write all documents to `FOLDER`."""
    for name, content in documents().items():
        (FOLDER / name).write_bytes(content)


if __name__ == "__main__":
    write()
