"""`mailwarden check gateways`, on stand-ins and on real servers."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.commands.check import command
from agents.commands.check_gateways import Checked, show
from streams.gateway import Note
from streams.gateways import GATEWAYS
from tests.gateways.test_nginx import Server as NginxServer
from tests.gateways.test_nginx import site
from tests.test_check import Fence
from tools.kafka import free_ports


class Wall(Fence):
    """Has all that it needs but one thing."""

    def needs(self) -> list[Note]:
        return [Note("ok", "bricks are here"), Note("failed", "no mortar", ("buy mortar",))]


class Moat(Fence):
    """Breaks when it is looked at."""

    notes = (Note("warning", "the water is low"),)

    def needs(self) -> list[Note]:
        raise RuntimeError("a plank broke")


class Hedge(Fence):
    notes = (Note("unknown", "it is dark", ("wait", "or bring a lamp")),)


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, kind in (("fence", Fence), ("wall", Wall), ("moat", Moat), ("hedge", Hedge)):
        monkeypatch.setitem(GATEWAYS, name, kind)

    def call(text: str, *options: str) -> Result:
        path = tmp_path / "mailwarden.toml"
        path.write_text(f'[storage]\npath = "{tmp_path}/mailwarden.db"\n{text}')
        return CliRunner().invoke(command, ["gateways", "-c", str(path), *options])

    return call


def found(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_check_is_a_line_of_json(run: Run) -> None:
    result = run("[gateways.wall]\n[gateways.hedge]\n", "--json")
    assert result.exit_code == 1
    assert found(result) == [
        {"gateway": "wall", "grade": "ok", "text": "bricks are here", "cure": []},
        {"gateway": "wall", "grade": "failed", "text": "no mortar", "cure": ["buy mortar"]},
        {"gateway": "wall", "grade": "ok", "text": "the gate is shut", "cure": []},
        {
            "gateway": "hedge",
            "grade": "unknown",
            "text": "it is dark",
            "cure": ["wait", "or bring a lamp"],
        },
    ]


def test_only_what_failed_is_exit_1(run: Run) -> None:
    assert run("[gateways.fence]\n[gateways.hedge]\n[gateways.moat]\n").exit_code == 0


def test_a_check_that_breaks_hides_no_other(run: Run) -> None:
    broken, other = found(run("[gateways.moat]\n"))
    assert broken["grade"] == "unknown"
    assert broken["text"] == "the check has failed: RuntimeError('a plank broke')"
    assert other["text"] == "the water is low"


def test_a_gateway_that_is_off_is_not_looked_at(run: Run) -> None:
    result = run("[gateways.wall]\nenabled = false\n")
    assert (result.exit_code, result.stdout) == (0, "")


def test_the_settings_may_be_named_before_it(tmp_path: Path, run: Run) -> None:
    run("[gateways.fence]\n")
    named = ["-c", str(tmp_path / "mailwarden.toml"), "gateways"]
    assert [row["gateway"] for row in found(CliRunner().invoke(command, named))] == ["fence"]


def test_wrong_settings_are_exit_2(run: Run) -> None:
    assert run("[gateways.fenc]\n").exit_code == 2


def test_a_person_sees_a_table(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show(Checked("wall", "failed", "no\x1b[2J mortar", ("buy mortar",)), 5)
    show(Checked("fence", "ok", "the gate is shut", ()), 5)
    assert capsys.readouterr().out == (
        "wall   ✗ failed          no?[2J mortar\n"
        "                         → buy mortar\n"
        "fence  ✓ ok              the gate is shut\n"
    )
    monkeypatch.setattr("agents.commands.options.for_eyes", lambda as_json: not as_json)
    assert run("").output == "No gateway is switched on.\n"
    assert "? cannot be told  it is dark" in run("[gateways.hedge]\n").output


def test_who_looks_as_somebody_else_is_told_so(tmp_path: Path, run: Run) -> None:
    database = tmp_path / "mailwarden.db"
    database.touch()
    assert run("[gateways.fence]\n").stderr == ""
    os.chown(database, 65534, 65534)
    assert "belongs to nobody: run it as nobody." in run("[gateways.fence]\n").stderr


# -- with real servers --------------------------------------------------------------------------


@pytest.mark.servers
def test_real_servers_are_looked_at_and_left_as_they_are(
    run: Run, tmp_path: Path, postfix: Any, documented: Callable[..., str]
) -> None:
    nginx = NginxServer(site(free_ports(1)[0], documented))
    try:
        text = (
            f'[gateways.postfix]\nclients = "{postfix.table}"\n'
            f'config_directory = "{postfix.config}"\n'
            f"{documented('nginx', 'mailwarden.toml', nginx.settings)}"
            f'[gateways.haproxy]\nclients = "{tmp_path}/map"\nsocket = "{tmp_path}/none"\n'
            f'[gateways.policy]\nlisten = "127.0.0.1:{free_ports(1)[0]}"\npostconf = ""\n'
        )
        postfix.age()
        rows = found(run(text))
    finally:
        nginx.remove()
    said = {(row["gateway"], row["grade"], row["text"]): row["cure"] for row in rows}
    key = f"127.0.0.1:{postfix.port}/inet"
    table = postfix.table
    assert ("postfix", "ok", f"{table}: can be written") in said
    assert ("postfix", "ok", "postfix (tells of changes) can be run") in said
    [cure] = said["postfix", "failed", f"{key}: does not look into {table}: refuses nobody"]
    assert cure.startswith(f"postconf -c {postfix.config} -P {key}/smtpd_client_restrictions=")
    assert ("nginx", "ok", f"a geo block of nginx includes {nginx.list}") in said
    away = f"{tmp_path}/none: No such file or directory"
    assert "level admin" in said["haproxy", "failed", away][0]
    assert any(gateway == "policy" and grade == "warning" for gateway, grade, _ in said)
    assert not table.exists()
    assert not (tmp_path / "map").exists()
