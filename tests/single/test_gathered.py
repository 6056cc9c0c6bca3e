"""A flood of one campaign, and a process that is killed in the middle of it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from agents import configuration
from agents.single.embedded import Embedded
from agents.single.store import Store
from schemas.settings import Settings, convert
from streams.sources.follow import Follow
from tests.sinks.alerts import alert
from tests.waiting import wait_for

COUNT = 40


def started(folder: Path, out: Path, gather: float) -> Embedded:
    table = {
        "logs": {"files": [str(folder / "mail.log")]},
        "sinks": {"jsonl": {"path": str(out), "gather": gather}},
        "response": {"panic": str(folder / "panic")},
    }
    config = configuration.build(convert(table, Settings, "settings"))
    return Embedded(
        config,
        Store(folder / "mailwarden.db"),
        lambda config, positions: Follow(config.settings.logs.files, positions=positions),
    )


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "told, not noted"])
def test_killed_in_the_middle_of_a_flood_it_tells_of_every_alert(
    tmp_path: Path, noted: bool
) -> None:
    folder, out = tmp_path / "before", tmp_path / "alerts.jsonl"
    folder.mkdir()
    before = started(folder, out, gather=3600.0)
    before._alerts += [alert(f"a{number}", incident="i1") for number in range(COUNT)]
    before.flush()
    wait_for(lambda: lines(out))
    if noted:
        wait_for(lambda: before._deliveries[0]._told)
        before.flush()
    # What a killed process leaves behind: its files, as they are at this moment.
    after = tmp_path / "after"
    shutil.copytree(folder, after)
    begun = started(after, out, gather=0.2)
    wait_for(lambda: all(delivery.idle() for delivery in begun._deliveries))
    begun.flush()
    told = lines(out)
    names = [one["id"] for one in told if re.fullmatch(r"a\d+", one["id"])]
    summaries = [one for one in told if one["id"] not in names]
    assert len(names) == len(set(names)) == 2  # the first of each process, by itself
    assert [one["evidence"][0]["count"] for one in summaries] == [COUNT - 2]
    assert begun._store.owed("jsonl", 100) == []
    for each in (before, begun):
        each.close()
        each._store.close()
