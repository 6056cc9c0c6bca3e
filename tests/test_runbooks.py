"""docs/runbooks: one for each detector; what they name exists; runbooks that are named exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
import yaml

from agents.commands import COMMANDS, cli
from agents.detectors import DETECTORS
from agents.naming import NAMES
from schemas.settings import Settings
from streams.rendering import mail, words
from streams.sinks.alertmanager import _annotations
from tests.sinks.alerts import alert

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "runbooks"
SECTIONS = ["Confirm", "Known false positives", "Blind spots", "What to do", "Undo"]


def text(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def code(name: str) -> list[str]:
    """What stands between backquotes."""
    return [one.replace("\n", " ") for one in re.findall(r"`([^`]+)`", text(name))]


def test_there_is_one_for_each_name_and_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*NAMES, "README"}


@pytest.mark.parametrize("name", NAMES)
def test_it_has_its_sections_and_its_length(name: str) -> None:
    page = text(name)
    assert page.startswith(f"# {name}\n\n")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == SECTIONS
    assert 15 <= len(page.splitlines()) <= 30
    assert all(len(line) <= 110 for line in page.splitlines())


@pytest.mark.parametrize("name", NAMES)
def test_its_commands_are_commands(name: str) -> None:
    found = [one for one in code(name) if one.startswith("mailwarden ")]
    assert found
    for line in found:
        _, *parts = shlex.split(line)
        command: Any = cli.get_command(None, parts[0])  # type: ignore[arg-type]
        assert parts[0] in COMMANDS, line
        del parts[0]
        while isinstance(command, click.Group) and parts and parts[0] in command.commands:
            command = command.commands[parts.pop(0)]
        known = {option for each in command.params for option in each.opts}
        assert {part for part in parts if part.startswith("-")} <= known, line


@pytest.mark.parametrize("name", DETECTORS)
def test_its_thresholds_are_settings(name: str) -> None:
    fields = {field.name for field in msgspec.structs.fields(DETECTORS[name])}
    undo = text(name).partition("## Undo")[2].replace("\n", " ")
    _, said, thresholds = undo.partition("Threshold")
    if said and "by domain" not in thresholds:
        assert set(re.findall(r"`([a-z_]+)`", thresholds)) <= fields


def test_its_settings_are_settings() -> None:
    whole = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    for name in NAMES:
        for section, key in re.findall(r"`\[([a-z]+)\] ([a-z_]+)`", text(name)):
            fields = {field.name for field in msgspec.structs.fields(whole[section])}
            assert key in fields, (name, section, key)


def test_detectors_that_are_named_exist() -> None:
    for name in NAMES:
        named = re.findall(
            r"`((?:auth|account|backscatter|directory|queue|relay)_[a-z]+)`", text(name)
        )
        assert set(named) <= {*NAMES, "relay_domains"}, name


def test_alerts_name_theirs() -> None:
    one = alert(detector="auth_breach")
    assert words.runbook("auth_breach") == "docs/runbooks/auth_breach.md"
    assert _annotations(one)["runbook"] == words.runbook("auth_breach")
    assert f"runbook    {words.runbook('auth_breach')}\n" in mail.text(one)


def test_every_rule_of_prometheus_names_a_runbook_that_is_there() -> None:
    rules = yaml.safe_load((ROOT / "packaging/prometheus/mailwarden.rules.yml").read_text())
    named = [
        rule["annotations"]["runbook"]
        for group in rules["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert named
    for one in named:
        path, _, anchor = one.partition("#")
        headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings}
        assert anchor in anchors, one
