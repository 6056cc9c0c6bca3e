"""The dashboards: made by tools/dashboards.py, valid for Prometheus, about metrics that exist."""

import json
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from tools import dashboards
from tools import metrics as page
from tools.grafana import COLUMNS, text

ROOT = Path(__file__).parent.parent
GRAFANA = ROOT / "packaging" / "grafana"
SCREEN = 20  # rows of Grafana's grid that are seen without scrolling at 1920 x 1080
OTHERS = {"up", "ALERTS", "process_resident_memory_bytes"}
NAMES = [board.uid for board in dashboards.DASHBOARDS]


class Target(msgspec.Struct):
    expr: str


class Panel(msgspec.Struct):
    title: str
    type: str
    description: str
    targets: list[Target]
    grid: dict[str, int] = msgspec.field(name="gridPos")


def panels(uid: str) -> list[Panel]:
    board = json.loads((dashboards.FOLDER / f"{uid}.json").read_text(encoding="utf-8"))
    assert board["uid"] == uid
    return msgspec.convert(board["panels"], list[Panel])


def expressions() -> list[str]:
    return [t.expr for uid in NAMES for panel in panels(uid) for t in panel.targets]


def test_the_files_are_not_stale() -> None:
    made = {f"{board.uid}.json": text(board) for board in dashboards.DASHBOARDS}
    kept = {path.name: path.read_text(encoding="utf-8") for path in dashboards.FOLDER.iterdir()}
    assert kept == made, "python -m tools.dashboards"


@pytest.mark.servers
def test_prometheus_can_parse_every_question(tmp_path: Path) -> None:
    asked = expressions()
    rules = [{"record": f"asked:{n}", "expr": expr} for n, expr in enumerate(asked)]
    file = tmp_path / "rules.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(asked)} rules found" in done.stdout


def test_they_ask_only_for_metrics_and_labels_that_exist() -> None:
    labels = {label for each in page.described() for label in each.labels}
    labels |= {"le", "instance", "job", "alertname", "alertstate"}
    for expr in expressions():
        asked = set(re.findall(r"\b(?:mailwarden_\w+|process_\w+|up\b|ALERTS)", expr))
        assert asked, expr
        assert asked <= page.series() | OTHERS, expr
        named = re.findall(r'(\w+)(?:=~?|!=)"', expr)
        for group in re.findall(r"by \(([^)]*)\)", expr):
            named += group.split(", ")
        assert set(named) <= labels, expr


@pytest.mark.parametrize("uid", NAMES)
def test_each_is_one_screen_of_panels_that_say_what_they_show(uid: str) -> None:
    shown = panels(uid)
    assert all(panel.title and panel.description and panel.targets for panel in shown)
    assert len({panel.title for panel in shown}) == len(shown)
    taken = set()
    for panel in shown:
        at = panel.grid
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not taken & cells, panel.title
        taken |= cells
    assert max(x for x, _ in taken) < COLUMNS
    assert max(y for _, y in taken) < SCREEN


def test_every_metric_that_an_operator_must_see_is_on_one_of_them() -> None:
    """What an alert rule asks for can be looked at."""
    rules = (ROOT / "packaging" / "prometheus" / "mailwarden.rules.yml").read_text(encoding="utf-8")
    alarmed = set(re.findall(r"mailwarden_\w+", rules))
    shown = set(re.findall(r"mailwarden_\w+", " ".join(expressions())))
    assert alarmed - shown <= {
        "mailwarden_folded_messages_total",  # only whether it is there
        "mailwarden_shipped_bytes_total",
        "mailwarden_dead_letters_dropped_total",
        "mailwarden_dropped_records_total",
        "mailwarden_reloads_total",
        "mailwarden_sink_refused_alerts_total",
    }


def test_they_use_the_provisioned_source_and_home() -> None:
    source = (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text()
    assert "uid: prometheus" in source
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert f"/etc/grafana/dashboards/{NAMES[0]}.json" in compose
