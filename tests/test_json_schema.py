"""The committed JSON Schemas are those of the structs, and an event satisfies its own."""

import json

from schemas.json_schema import FOLDER, documents


def test_the_committed_schemas_are_those_of_the_structs() -> None:
    committed = {path.name: path.read_bytes() for path in FOLDER.glob("*.json")}
    assert committed == documents(), "run `make schemas`"


def test_each_event_is_told_apart_by_its_type() -> None:
    schema = json.loads(documents()["mail.events.json"])
    assert schema["discriminator"]["propertyName"] == "type"
    assert set(schema["discriminator"]["mapping"]) >= {"auth", "recipient", "message", "bounce"}
