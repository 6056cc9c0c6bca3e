"""In one process: who took an incident on is read from the store."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from agents import configuration
from agents.commands import cli
from agents.single.embedded import Embedded
from agents.single.store import Store
from schemas.findings import Subject
from schemas.settings import Settings, convert
from streams.sources.follow import Follow
from tests.sinks.alerts import alert
from tests.waiting import wait_for

NOW = 1_700_000_100.0  # the alerts are of a minute before


def ids(path: Path) -> list[str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["id"] for line in lines]


def test_an_incident_that_somebody_acknowledged_goes_no_further(tmp_path: Path) -> None:
    db = tmp_path / "mailwarden.db"
    table: dict[str, Any] = {
        "logs": {"files": [str(tmp_path / "mail.log")]},
        "storage": {"path": str(db)},
        "sinks": {
            "desk": {"kind": "jsonl", "path": str(tmp_path / "desk")},
            "boss": {"kind": "jsonl", "path": str(tmp_path / "boss"), "unacknowledged": 900.0},
        },
    }
    (tmp_path / "mailwarden.toml").write_text(
        f'[storage]\npath = "{db}"\n[logs]\nfiles = ["{tmp_path}/mail.log"]\n'
    )
    now = NOW
    config = configuration.build(convert(table, Settings, "settings"))
    embedded = Embedded(
        config,
        Store(db),
        lambda config, positions: Follow(config.settings.logs.files, positions=positions),
        clock=lambda: now,
    )
    far = Subject("client", "198.51.100.1")
    embedded._alerts += [
        alert("a1", incident="a1"),
        alert("a2", incident="a2", subject=far),
        alert("a3", incident="a3"),  # of a neighbour of the first: one incident with it
    ]
    embedded.flush()
    wait_for(lambda: sorted(ids(tmp_path / "desk")) == ["a1", "a2", "a3"])
    assert embedded._deliveries[1].held() == 3
    arguments = ["incidents", "ack", "a1", "--config", str(tmp_path / "mailwarden.toml")]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    embedded._next_look = 0.0
    embedded.turn()
    now = NOW + 900
    embedded._deliveries[1].put([])
    wait_for(embedded._deliveries[1].idle)
    assert ids(tmp_path / "boss") == ["a2"]
    embedded.flush()
    assert embedded._store.owed("boss", 10) == []
    embedded.close()
    embedded._store.close()
