"""docs/metrics.md is what the metrics make of it; names are as Prometheus wants them, and a
program that is said to export a metric has code that fills it."""

import ast
import subprocess
from pathlib import Path

import grimp
import pytest
from prometheus_client import generate_latest

from agents.commands import COMMANDS
from streams import exporting, metrics
from tools import metrics as page

ROOT = Path(__file__).parent.parent


def test_the_page_is_not_stale() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert text == page.text(), "python -m tools.metrics > docs/metrics.md"


def test_all_metrics_are_defined_in_one_file() -> None:
    assert page.unlisted() == []


def test_each_metric_says_who_exports_it() -> None:
    plain = {
        each.name.removeprefix(exporting.PREFIX).removesuffix("_total") for each in page.described()
    }
    assert plain == set(exporting.BY), "streams/exporting.py"


def test_programs_are_commands() -> None:
    assert set(exporting.PROGRAMS) <= set(COMMANDS)


@pytest.mark.servers
@pytest.mark.parametrize("program", exporting.PROGRAMS)
def test_prometheus_finds_nothing_to_say_against_the_names(program: str) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=generate_latest(exporting.Exported(program)),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_program_exports_what_it_fills_and_no_other() -> None:
    text = generate_latest(exporting.Exported("ship")).decode()
    assert "mailwarden_outbox_bytes" in text
    assert "mailwarden_decisions_in_force" not in text
    assert "_created" not in text
    with pytest.raises(ValueError, match="no program that exports metrics"):
        exporting.Exported("parse")


def _filled_by() -> dict[str, set[str]]:
    """Modules by the metric that they name."""
    names = {
        key: value._name
        for key, value in vars(metrics).items()
        if isinstance(value, page.MetricWrapperBase)
    }
    found: dict[str, set[str]] = {name: set() for name in names.values()}
    for part in ("agents", "streams"):
        for path in sorted((ROOT / part).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            module = module.removesuffix(".__init__")
            if module == "streams.metrics":
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                word = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
                if word in names:
                    found[names[word]].add(module)
    return found


def test_who_exports_a_metric_reaches_code_that_fills_it() -> None:
    graph = grimp.build_graph("agents", "streams", "schemas", cache_dir=None)
    reached = {
        program: graph.find_upstream_modules(f"agents.commands.{program}")
        for program in exporting.PROGRAMS
    }
    for name, modules in _filled_by().items():
        assert modules, f"nobody fills {name}"
        # Gateways and sinks are loaded by their names in the settings.
        parts = any(each.startswith(("streams.gateways", "streams.sinks")) for each in modules)
        for program in exporting.exporters(name):
            assert parts or modules & reached[program], f"{program} does not fill {name}"
