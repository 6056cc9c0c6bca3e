"""The command: where it takes the facts from, and in which form it tells them."""

import json
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.commands.report import command
from agents.operator.ledger import ALERTS, AUDIT, DECISIONS
from agents.reporting import pdf
from agents.running.http import Pulse, Server
from agents.single.store import Changes, Store
from schemas import wire
from schemas.audit import decided
from schemas.topics import BY_NAME
from streams.memory_bus import MemoryBus
from tests.reporting.test_figures import DAY, NOW, alert, decision

Run = Callable[..., Result]
LOG = b"".join(
    f"Mar  2 10:{n // 60:02}:{n % 60:02} mx1 postfix/smtpd[7]: warning: unknown[192.0.2.9]:"
    f" SASL LOGIN authentication failed: (reason unavailable), sasl_username=u{n}\n".encode()
    for n in range(300)
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(f'[storage]\npath = "{tmp_path}/mailwarden.db"\n[http]\nlisten = ""\n')
    monkeypatch.setattr("time.time", lambda: NOW)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(command, ["-c", str(settings), *arguments])

    return call


def keep(folder: Path) -> None:
    made = decision("192.0.2.1/32", enforced=True, alert="a")
    with Store(folder / "mailwarden.db") as store:
        store.commit(Changes(alerts=[alert("a"), alert("b", ago=9 * DAY)], decisions=[made]), NOW)


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_it_tells_what_this_server_has_kept(run: Run, tmp_path: Path) -> None:
    keep(tmp_path)
    found = told(run("--json"))
    assert (found["findings"], found["in_force"], found["replayed"]) == (1, 1, False)
    assert found["decisions"] == [{"action": "drop", "enforced": 1, "observed": 0}]
    assert found["served"] is None
    assert told(run("--json", "--last", "2w"))["findings"] == 2


def test_the_running_program_is_asked_what_it_refused(run: Run, tmp_path: Path) -> None:
    keep(tmp_path)
    server = Server("127.0.0.1:0", Pulse().health, "run")
    try:
        settings = tmp_path / "mailwarden.toml"
        settings.write_text(
            f'[storage]\npath = "{tmp_path}/mailwarden.db"\n'
            f'[http]\nlisten = "127.0.0.1:{server.port}"\n'
        )
        assert told(run("--json"))["served"]["begun"] > 0
    finally:
        server.close()


def test_it_tells_what_lies_on_kafka(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = MemoryBus()
    for name in (ALERTS, DECISIONS, AUDIT):
        bus.create(BY_NAME[name], 3, 1)
    monkeypatch.setattr("streams.kafka_bus.KafkaBus", lambda _: bus)
    made = decision("192.0.2.1/32", enforced=True)
    bus.publish(ALERTS, b"a", wire.encode(alert("a")))
    bus.publish(DECISIONS, made.id.encode(), wire.encode(made))
    bus.publish(AUDIT, made.id.encode(), wire.encode(decided(made)))
    found = told(run("--kafka", "--json"))
    assert (found["findings"], found["in_force"], found["source"]) == (1, 1, "Kafka")
    assert found["decisions"] == [{"action": "drop", "enforced": 1, "observed": 0}]


def test_it_tells_what_old_logs_show(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(LOG)
    found = told(run("--json", "--year", "2026", str(log)))
    assert found["replayed"]
    assert found["findings"] >= 1
    assert "auth_dictionary" in [each["detector"] for each in found["detectors"]]
    assert found["networks"][0]["name"] == "192.0.2.0/24"
    assert found["detection"]["known"] == found["incidents"]
    assert found["until"] - found["since"] == 299
    later = told(run("--json", "--year", "2026", "--last", "1m", str(log)))
    assert later["until"] - later["since"] == 60


def test_a_page_is_for_its_owner_alone(run: Run, tmp_path: Path) -> None:
    keep(tmp_path)
    page = tmp_path / "report.html"
    result = run("--html", str(page))
    assert result.exit_code == 0, result.output
    assert page.read_text().startswith("<!doctype html>")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    failed = run("--html", str(tmp_path / "missing" / "report.html"))
    assert (failed.exit_code, "cannot be written" in failed.output) == (1, True)


def test_a_terminal_shows_the_page(run: Run, tmp_path: Path) -> None:
    keep(tmp_path)
    result = run()
    assert result.exit_code == 0, result.output
    assert "1 attack found, in 1 incident" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--json", "--html", "x.html"), "ask for one at a time"),
        (("--year", "2026"), "--year says how FILE is to be read"),
        (("--format", "postfix"), "--format says how FILE is to be read"),
        (("--kafka", "mail.log"), "--kafka and FILE are two sources"),
        (("gone.log",), "no such file: gone.log"),
    ],
)
def test_what_cannot_be_meant_is_refused(run: Run, arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_without_a_store_it_says_so(run: Run) -> None:
    result = run()
    assert result.exit_code == 1
    assert "nothing is kept here yet" in result.output


@pytest.mark.servers
def test_as_pdf_it_says_the_same(run: Run, tmp_path: Path) -> None:
    assert shutil.which("chromium"), "chromium is missing: run tools/debian-setup"
    assert shutil.which("pdftotext"), "poppler-utils is missing: run tools/debian-setup"
    keep(tmp_path)
    paper = tmp_path / "report.pdf"
    result = run("--pdf", str(paper))
    assert result.exit_code == 0, result.output
    assert result.stderr == f"{paper}: 1 attack\n"
    assert stat.S_IMODE(paper.stat().st_mode) == 0o600
    assert paper.read_bytes().startswith(b"%PDF-")
    shown = subprocess.run(["pdftotext", paper, "-"], check=True, capture_output=True, text=True)
    assert "192.0.2.0/24" in shown.stdout
    assert str(tmp_path) not in shown.stdout  # no path of ours in a header or footer
    assert {path.name for path in tmp_path.iterdir()} >= {"report.pdf", "mailwarden.db"}
    assert not list(tmp_path.glob("tmp*"))


def test_without_a_browser_it_says_what_to_install(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("--pdf", str(tmp_path / "report.pdf"))
    assert result.exit_code == 1
    assert "no browser to print it with: apt-get install chromium" in result.stderr
    assert not (tmp_path / "report.pdf").exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 1", "exit 1"),
        ("echo one >&2; echo 'no memory' >&2", "no memory"),
        ("sleep 30", "did not end within 0.2 s"),
    ],
)
def test_a_browser_that_fails_leaves_the_file_as_it_was(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    keep(tmp_path)
    program = tmp_path / "bin" / "chromium"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(pdf, "SECONDS", 0.2)
    paper = tmp_path / "report.pdf"
    paper.write_text("before")
    result = run("--pdf", str(paper))
    assert (result.exit_code, said in result.stderr) == (1, True), result.output
    assert paper.read_text() == "before"


def test_one_form_at_a_time(run: Run, tmp_path: Path) -> None:
    result = run("--pdf", str(tmp_path / "a"), "--html", str(tmp_path / "b"))
    assert (result.exit_code, "three forms" in result.stderr) == (2, True)
