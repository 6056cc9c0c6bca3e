"""`mailwarden console`, `run` with a console beside it, and what `check` says of one."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agents.commands import cli
from agents.console.access.people import People
from schemas.settings import ConsoleSettings, UserSettings
from tests.console.harness import HASH, Browser
from tests.waiting import wait_for
from tools.kafka import free_ports

ROOT = Path(__file__).parents[2]


class Site:
    """A log, settings and state, and programs that run on them."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder = folder
        self.log = folder / "mail.log"
        self.log.touch()
        self.settings = folder / "mailwarden.toml"
        (self.port,) = free_ports(1)
        self.settings.write_text(
            f'[http]\nlisten = ""\n[response]\npanic = "{folder}/panic"\nenforce = true\n'
            f'[console]\nlisten = "127.0.0.1:{self.port}"\n{more}'
        )

    @contextmanager
    def running(self, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        with (self.folder / "said").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "mailwarden.py"), *words, "-c", str(self.settings)],
                env={**os.environ, "STATE_DIRECTORY": str(self.folder / "state")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.terminate()
            assert process.wait(60) == 0, self.said()

    def said(self) -> str:
        return (self.folder / "said").read_text()

    def now(self) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/now") as answer:
                return json.load(answer)
        except OSError:
            return None

    def attack(self, client: str) -> None:
        with self.log.open("a") as file:
            for number in range(30):
                at = datetime.now(UTC) + timedelta(milliseconds=number)
                file.write(
                    f"{at.isoformat()} mx1 postfix/smtpd[{number}]: warning: unknown[{client}]:"
                    " SASL LOGIN authentication failed: UGFzc3dvcmQ6,"
                    f" sasl_username=name{number}@example.org\n"
                )


def children(process: "subprocess.Popen[bytes]") -> list[int]:
    pid = process.pid
    tasks = Path(f"/proc/{pid}/task")
    return [
        int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()
    ]


def test_run_begins_a_console_that_shows_what_it_finds(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.running("run", str(site.log)):
        wait_for(site.now, "the console")
        site.attack("203.0.113.5")
        wait_for(lambda: site.now()["severities"], "the attack")
        browser = Browser(site.port).enter()
        done = browser.order("/blocks", target="203.0.113.5", reason="it guesses")
        assert done.status == 200
        assert browser.api("/now")["blocks"]["enforced"] == 1
    assert site.now() is None  # it has ended with its parent


def test_a_console_that_dies_is_begun_again_and_ends_with_its_parent(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.running("run", str(site.log)) as process:
        wait_for(site.now, "the console")
        (first,) = children(process)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: first not in children(process) and site.now(), "another one")
        (second,) = children(process)
        process.kill()
        process.wait()
        wait_for(lambda: not Path(f"/proc/{second}").exists(), "its end")
        process.returncode = 0


def test_a_reload_of_run_reaches_its_console(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.running("run", str(site.log)) as process:
        wait_for(site.now, "the console")
        text = site.settings.read_text()
        site.settings.write_text(
            f'{text}[console.users.ada]\nrole = "admin"\npassword = "{HASH}"\n'
        )
        process.send_signal(signal.SIGHUP)
        browser = Browser(site.port)
        wait_for(lambda: "reloaded" in site.said(), "the reload")

        def asks() -> bool:
            try:
                return browser.get("/api/v1/now").status == 401
            except OSError:
                return False

        wait_for(asks, "a console that asks who it is")
        assert browser.log_in("ada").status == 200


def test_the_console_alone_reloads_and_keeps_what_was_right(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.running("console") as process:
        wait_for(site.now, "the console")
        wait_for(lambda: "nothing is kept here yet" in site.now()["trouble"], "the trouble")
        text = site.settings.read_text()
        site.settings.write_text(text.replace("127.0.0.1", "0.0.0.0"))
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "the old settings stay" in site.said(), "the word")
        wait_for(site.now, "the console")


@pytest.mark.parametrize("command", ["run", "console", "check"])
def test_off_loopback_it_does_not_begin_without_users(tmp_path: Path, command: str) -> None:
    site = Site(tmp_path)
    site.settings.write_text('[console]\nlisten = "0.0.0.0:8025"\n')
    result = CliRunner().invoke(cli, [command, "-c", str(site.settings)])
    assert result.exit_code == 2
    words = f"{site.settings}: console.listen: off loopback, console.users (or console.proxy)"
    assert words in result.output


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.running("console"):
        wait_for(site.now, "the console")
        env = {"STATE_DIRECTORY": str(tmp_path / "other")}
        done = subprocess.run(
            [sys.executable, str(ROOT / "mailwarden.py"), "console", "-c", str(site.settings)],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert f"Error: 127.0.0.1:{site.port}: " in done.stderr


def test_a_password_becomes_a_hash(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["console", "password"], input="correct horse battery\n")
    assert result.exit_code == 0, result.output
    users = {"ada": UserSettings(role="admin", password=result.output.strip())}
    assert People(ConsoleSettings(users=users)).check("ada", "correct horse battery")
    assert CliRunner().invoke(cli, ["console", "password"], input="short\n").exit_code == 2


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "whoever is logged in on this machine is an admin"),
        (f'[console.users.ada]\nrole = "admin"\npassword = "{HASH}"\n', "for 1 admin"),
        ('[console.proxy]\naddresses = ["127.0.0.1"]\n', "for by the proxy at 127.0.0.1"),
        ('certificate = "/nowhere.pem"\n', "certificate: /nowhere.pem"),
    ],
)
def test_check_says_whom_it_lets_in(tmp_path: Path, more: str, words: str) -> None:
    site = Site(tmp_path, more)
    result = CliRunner().invoke(cli, ["check", "-c", str(site.settings)])
    assert words in " ".join(result.output.split())


def test_check_knows_when_there_is_none(tmp_path: Path) -> None:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text("")
    result = CliRunner().invoke(cli, ["check", "-c", str(settings)])
    assert "off; `mailwarden console` serves one on loopback" in result.output
