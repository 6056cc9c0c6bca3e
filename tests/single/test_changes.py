"""In one process: what the logs tell of an account about which something stands is in the trail."""

from pathlib import Path
from typing import Any

from agents import configuration
from agents.single.embedded import Embedded
from agents.single.store import Store
from schemas.events import Auth, Change
from schemas.settings import Settings, convert
from streams.sources.follow import Follow

NOW = 1_700_000_100.0
ANNA = "anna@example.org"


def test_a_change_of_an_account_in_trouble_is_kept(tmp_path: Path) -> None:
    table: dict[str, Any] = {
        "site": {"domains": ["example.org"]},
        "logs": {"files": [str(tmp_path / "mail.log")]},
    }
    embedded = Embedded(
        configuration.build(convert(table, Settings, "settings")),
        Store(tmp_path / "mailwarden.db"),
        lambda config, positions: Follow(config.settings.logs.files, positions=positions),
        clock=lambda: NOW,
    )
    many = [
        Auth(
            at=NOW - 60 + n, gateway="mx1", client=f"{n + 60}.0.2.7", account=ANNA, outcome="failed"
        )
        for n in range(30)
    ]
    changes = [
        Change(at=NOW, gateway="m365", account=name, what="password", actor="root@example.org")
        for name in ("anna", "bob@example.org")
    ]
    embedded._absorb([("log", event) for event in [*many, *changes]])
    embedded.flush()
    said = [entry for entry in embedded._store.audit() if entry.what == "changed"]
    assert [(entry.target, entry.action, entry.by) for entry in said] == [
        (f"account:{ANNA}", "password", "root@example.org")
    ]
    embedded.close()
    embedded._store.close()
