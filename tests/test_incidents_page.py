"""docs/incidents.md: each command of it is run, its settings are the defaults."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.commands import cli
from agents.commands.incidents import MANY
from agents.incidents import joining, named, revisions, timeline
from agents.incidents.assembling import INCIDENTS
from agents.single.store import Changes, Store
from schemas.incidents import DEEDS
from schemas.settings import Settings, convert
from tests.incidents.alerts import ANNA, START, account

PAGE = (Path(__file__).parents[1] / "docs/incidents.md").read_text()
COMMANDS = "".join(re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)).splitlines()
ID = "5f0c1e9a7b3d2c48"


def test_each_command_can_be_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: START + 600)
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(f'[storage]\npath = "{tmp_path}/mailwarden.db"\n')
    monkeypatch.setenv("MAILWARDEN_CONFIG", str(settings))
    with Store(tmp_path / "mailwarden.db") as store:
        found = account(ID, ANNA, severity="high", incident=ID)
        store.commit(Changes(alerts=[found]), START)
        for line in COMMANDS:
            program, *words = shlex.split(line)
            done = CliRunner().invoke(cli, words)
            assert (program, done.exit_code) == ("mailwarden", 0), (line, done.output)
            assert done.stdout, line
        [case] = store.cases()
    assert (case.state, case.assignee) == ("false_positive", "dora")
    assert {line.split()[2] for line in COMMANDS if " incidents " in line} == set(
        cli.get_command(None, "incidents").commands  # type: ignore[arg-type, union-attr]
    )


def test_the_settings_are_the_defaults() -> None:
    [example] = re.findall(r"```toml mailwarden.toml\n(.*?)```", PAGE, re.DOTALL)
    assert convert(tomllib.loads(example), Settings, "page").incidents == Settings().incidents


def test_the_limits_are_those_of_the_code() -> None:
    said = PAGE.partition("## Limits")[2]
    for number in (named.NAMED, timeline.MOMENTS, DEEDS, joining.SUBJECTS, INCIDENTS, MANY):
        assert f"{number:,} " in said
    assert f"newest {revisions.KEPT} of" in said
