from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.commands import panic, resume


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUDO_USER", "alice")
    path = tmp_path / "mailwarden.toml"
    path.write_text(
        f'[response]\npanic = "{tmp_path}/run/panic"\n'
        f'[gateways.postfix]\nclients = "{tmp_path}/clients.cidr"\n'
    )
    return path


def call(module: object, settings: Path, *arguments: str) -> Result:
    return CliRunner().invoke(module.command, ["-c", str(settings), *arguments])  # type: ignore[attr-defined]


def test_the_switch_is_pulled_and_goes_back(settings: Path, tmp_path: Path) -> None:
    switch = tmp_path / "run" / "panic"
    result = call(panic, settings, "--reason", "partner locked out")
    assert result.exit_code == 0
    assert "everything is lifted (postfix)" in result.output
    assert switch.read_text() == "partner locked out (alice)\n"
    assert call(panic, settings).exit_code == 0
    result = call(resume, settings)
    assert "what is in force is enforced again" in result.output
    assert not switch.exists()
    result = call(resume, settings)
    assert result.exit_code == 0
    assert "nothing was lifted" in result.output


def test_without_a_setting_it_lies_beside_the_store(tmp_path: Path) -> None:
    path = tmp_path / "mailwarden.toml"
    path.write_text(f'[storage]\npath = "{tmp_path}/mailwarden.db"\n')
    call(panic, path)
    assert (tmp_path / "panic").exists()


def test_without_a_gateway_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mailwarden.toml"
    path.write_text(f'[response]\npanic = "{tmp_path}/panic"\n')
    assert "no gateway here" in call(panic, path).output


def test_a_switch_out_of_reach_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mailwarden.toml"
    path.write_text(f'[response]\npanic = "{path}/panic"\n')
    for command in (panic, resume):
        result = call(command, path)
        assert result.exit_code == 1
        assert f"Error: {path}" in result.output
