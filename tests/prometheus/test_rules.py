"""The alert rules under Debian's promtool: each fires when it should, and is silent when not."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from msgspec import Struct

from tests.prometheus.cases import CASES, Case, Series
from tools import metrics as page

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "packaging" / "prometheus"
RULES = FOLDER / "mailwarden.rules.yml"
PAGE = ROOT / "docs" / "alert_rules.md"
OF_PROMETHEUS = {"up", "instance", "job"}


def promtool(*arguments: str) -> str:
    """What it says. The test fails where it is not content, or not there."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> dict[str, str]:
    """The text of each rule, by its name."""
    parts = re.split(
        r"^      - alert: (\w+)\n", RULES.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_promtool_takes_rules_and_configuration() -> None:
    assert f"SUCCESS: {len(rules())} rules found" in promtool("check", "rules", str(RULES))
    said = promtool("check", "config", str(FOLDER / "prometheus.yml"))
    assert "SUCCESS: 1 rule files found" in said


def test_each_rule_has_its_case() -> None:
    assert set(CASES) == set(rules())


class Trial(Struct):
    """One rule, and series of a program of its own, so that many are tried at once."""

    name: str
    case: Case
    series: Series
    fires: bool
    instance: str = ""

    def input(self) -> list[dict[str, str]]:
        return [{"series": self._named(s), "values": v} for s, v in self.series.items()]

    def _named(self, series: str) -> str:
        name, _, labels = series.partition("{")
        own = [f'instance="{self.instance}"', 'job="mailwarden"']
        own += ['program="any"'] if name != "up" else []
        return f"{name}{{{','.join([*own, *filter(None, [labels.rstrip('}')])])}}}"

    def question(self) -> dict[str, object]:
        instance = "" if self.case.whole else self.instance
        labels = {**self.case.labels, **({"instance": instance} if instance else {})}
        said = ",".join(f'{key}="{value}"' for key, value in labels.items())
        asked = f'alertname="{self.name}",alertstate="firing",instance="{instance}"'
        return {
            "expr": f"count by (instance, sink, gateway, source, listed, reason, result)"
            f" (ALERTS{{{asked}}})",
            "eval_time": f"{self.case.at}m",
            "exp_samples": [{"labels": f"{{{said}}}", "value": 1}] if self.fires else [],
        }


def ask(folder: Path, trials: list[Trial]) -> None:
    """Try them; those about no single program by themselves, the others together."""
    for number, trial in enumerate(trials):
        trial.instance = f"{trial.name}-{number}"
    groups = [[t] for t in trials if t.case.whole] + [[t for t in trials if not t.case.whole]]
    tests = [
        {
            "interval": "1m",
            "input_series": [each for trial in group for each in trial.input()],
            "promql_expr_test": [trial.question() for trial in group],
        }
        for group in groups
    ]
    file = folder / "rules.test.json"  # JSON is YAML
    file.write_text(
        json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests})
    )
    promtool("test", "rules", str(file))


def test_each_fires_when_it_should(tmp_path: Path) -> None:
    ask(tmp_path, [Trial(name, case, case.fires, True) for name, case in CASES.items()])


def test_each_is_silent_when_it_should(tmp_path: Path) -> None:
    assert all(case.silent for case in CASES.values())
    ask(
        tmp_path,
        [Trial(name, case, each, False) for name, case in CASES.items() for each in case.silent],
    )


@pytest.mark.parametrize("name", ["MailwardenDown", "MailwardenNoWorker"])
def test_a_case_that_does_not_hold_is_told(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with pytest.raises(AssertionError, match=name):
        ask(tmp_path, [Trial(name, case, case.fires, False)])
    with pytest.raises(AssertionError, match=name):
        ask(tmp_path, [Trial(name, case, case.silent[0], True)])


def test_rules_ask_only_for_metrics_and_labels_that_exist() -> None:
    known = {each.name: set(each.labels) for each in page.described()}
    for name, text in rules().items():
        asked = set(re.findall(r"mailwarden_\w+", text))
        assert asked <= page.series(), name
        bases = {re.sub(r"_bucket$", "", each) for each in asked}
        labels = OF_PROMETHEUS.union(*(known[each] for each in bases))
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels, name


def test_each_rule_says_what_to_do_and_where_it_is_written() -> None:
    headings = re.findall(r"^### (\w+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings == list(rules())
    for name, text in rules().items():
        assert re.search(r"labels: \{severity: (critical|warning)\}", text), name
        assert f"runbook: docs/alert_rules.md#{name.lower()}\n" in text, name
        assert re.search(r"summary: >-\n .*", text), name
    for section in PAGE.read_text(encoding="utf-8").split("\n### ")[1:]:
        assert "\nTo do: " in section
