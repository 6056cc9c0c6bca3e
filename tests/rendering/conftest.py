import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.commands import cli
from schemas import wire
from schemas.findings import Alert
from streams.gathering import Gathering
from tests.sinks.alerts import alert, every_kind, evil


@pytest.fixture(scope="session")
def of_the_demo(tmp_path_factory: pytest.TempPathFactory) -> list[Alert]:
    """All that the demo finds in a small company's day."""
    kept: Path = tmp_path_factory.mktemp("day") / "kept"
    shown = CliRunner().invoke(cli, ["demo", "--scale", "0.2", "--keep", str(kept), "--json"])
    lines = [json.loads(line) for line in shown.output.splitlines() if line.startswith("{")]
    return [wire.decode_alert(wire.encode(one)) for one in lines if one["kind"] == "alert"]


@pytest.fixture(scope="session")
def all_alerts(of_the_demo: list[Alert]) -> list[Alert]:
    gathered = Gathering(60.0)
    for number in range(30):
        gathered.hold(alert(f"a{number}", incident="i1"), 0.0)
    [summary] = gathered.ripe(60.0, 1)
    strange = [evil(), evil(length=200), alert(evidence=[], clients=[], events=0, technique="T9")]
    ended = [alert(state="withdrawn", revision=3), alert(severity="info", revision=2)]
    return [*every_kind(), *of_the_demo, *strange, *ended, summary.alert]
