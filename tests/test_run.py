"""`mailwarden run` as a process of its own, on real files, with real signals."""

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.demo.traffic import Plan, Traffic
from agents.single.store import Store
from schemas.audit import decided as said
from schemas.findings import Alert, Decision, Target, decision_id

ROOT = Path(__file__).parent.parent
DEADLINE = 120.0  # seconds; reached only where something is wrong


class Site:
    """A directory with a log, settings and state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "mail.log"
        self.settings = folder / "mailwarden.toml"
        self.state = folder / "state"
        self.said = folder / "said"
        self.configure("")

    def configure(self, text: str) -> None:
        panic = f'[response]\npanic = "{self.folder}/panic"\n'
        if "[response]" in text:
            text = text.replace("[response]\n", panic)
        else:
            text += panic
        if "[http]" not in text:
            text += '[http]\nlisten = ""\n'
        self.settings.write_text(text)

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        with self.said.open("ab") as said:
            return subprocess.Popen(
                [
                    sys.executable,
                    str(ROOT / "mailwarden.py"),
                    "run",
                    "-c",
                    str(self.settings),
                    *arguments,
                ],
                cwd=self.folder,
                env={**os.environ, "STATE_DIRECTORY": str(self.state)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    @contextmanager
    def running(self, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
        process = self.start(*(arguments or (str(self.log),)))
        try:
            wait_for(lambda: "metrics" in self.words(), process)
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            assert process.wait(DEADLINE) == 0, self.words()

    def words(self) -> str:
        return self.said.read_text() if self.said.exists() else ""

    def write(self, *lines: str) -> None:
        with self.log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def alerts(self) -> list[Alert]:
        with Store(self.state / "mailwarden.db") as store:
            return store.alerts(limit=10_000)


def wait_for(
    happened: Callable[[], object], process: "subprocess.Popen[bytes] | None" = None
) -> None:
    until = time.monotonic() + DEADLINE
    while not happened():
        assert process is None or process.poll() is None, "it has ended"
        assert time.monotonic() < until, "it did not happen"
        signal.sigtimedwait((), 0.01)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def guess(client: str, number: int, at: datetime | None = None) -> str:
    when = (at or datetime.now(UTC)) + timedelta(milliseconds=number)
    return (
        f"{when.isoformat()} mx1 postfix/smtpd[{number}]: warning: unknown[{client}]:"
        f" SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=name{number}@example.org"
    )


def attack(client: str, at: datetime | None = None) -> list[str]:
    return [guess(client, number, at) for number in range(30)]


def test_it_works_with_no_settings_at_all(site: Site) -> None:
    site.log.touch()
    with site.running() as process:
        site.write(*attack("203.0.113.5"))
        wait_for(lambda: any(a.subject.value == "203.0.113.5" for a in site.alerts()), process)
    words = site.words()
    assert f"mailwarden follows {site.log}" in words
    assert "only observes" in words
    found = [json.loads(line) for line in (site.state / "alerts.jsonl").read_text().splitlines()]
    assert found[-1]["subject"]["value"] == "203.0.113.5"


def test_what_was_there_before_the_first_start_is_left_alone(site: Site) -> None:
    site.write(*attack("203.0.113.5"))
    with site.running() as process:
        site.write(*attack("203.0.113.6"))
        wait_for(site.alerts, process)
    assert {alert.subject.value for alert in site.alerts()} == {"203.0.113.6"}


def test_history_is_read_when_it_is_asked_for(site: Site) -> None:
    site.configure("[logs]\nhistory = true\n")
    site.log.with_name("mail.log.1").write_text(
        "".join(f"{line}\n" for line in attack("203.0.113.5"))
    )
    site.write(*attack("203.0.113.6"))
    with site.running() as process:
        wait_for(lambda: len(site.alerts()) >= 2, process)
    assert {alert.subject.value for alert in site.alerts()} == {"203.0.113.5", "203.0.113.6"}


def enforcing(site: Site) -> str:
    """Honeypots decide at once; other shapes wait for a week of logins."""
    return f"""
[site]
honeypots = ["name7@example.org"]
[response]
enforce = true
[detectors.auth_dictionary]
stage = "enforce"
[gateways.postfix]
clients = "{site.folder}/clients.cidr"
postfix = "true"
reload_interval = 0.0
"""


def table(site: Site) -> str:
    return "".join(path.read_text() for path in site.folder.glob("*.cidr"))


def test_an_attacker_is_in_the_table_until_a_person_takes_it_out(site: Site) -> None:
    site.log.touch()
    site.configure(enforcing(site))
    with site.running() as process:
        site.write(*attack("203.0.113.5"))
        wait_for(lambda: "203.0.113.5" in table(site), process)
        (made,) = decisions(site)
        with Store(site.state / "mailwarden.db") as store:
            store.remove_decision(made.id, said(made))
        wait_for(lambda: "203.0.113.5" not in table(site), process)
        manual = Decision(
            id=decision_id(Target("network", "203.0.113.77"), "drop"),
            target=Target("network", "203.0.113.77"),
            action="drop",
            origin="manual",
            since=time.time(),
            until=time.time() + 600,
            enforced=True,
        )
        with Store(site.state / "mailwarden.db") as store:
            store.put_decision(manual, said(manual))
        wait_for(lambda: "203.0.113.77" in table(site), process)


def decisions(site: Site) -> list[Decision]:
    with Store(site.state / "mailwarden.db") as store:
        return store.decisions(time.time())


def test_nobody_is_blocked_for_old_lines(site: Site) -> None:
    site.log.touch()
    site.configure(enforcing(site))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with site.running() as process:
        site.write(*attack("203.0.113.5", yesterday))
        wait_for(site.alerts, process)
    assert any("old" in alert.decision for alert in site.alerts())
    assert decisions(site) == []


def test_health_and_metrics_are_served(site: Site) -> None:
    site.log.touch()
    site.configure('[http]\nlisten = "127.0.0.1:0"\n')
    with site.running() as process:
        port = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", site.words())
        assert port
        site.write(*attack("203.0.113.5"))
        wait_for(site.alerts, process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/metrics") as answer:
            assert f'mailwarden_lines_total{{source="{site.log}"}} 30.0' in answer.read().decode()
        wait_for(lambda: health(int(port[1]))[0] == 200, process)
        site.log.rename(site.log.with_name("mail.log.1"))
        site.log.mkdir()
        wait_for(lambda: health(int(port[1]))[0] == 503, process)
        assert "not a regular file" in health(int(port[1]))[1]


def health(port: int) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_changed_configuration_is_taken_up_and_a_wrong_one_is_not(site: Site) -> None:
    site.log.touch()
    with site.running() as process:
        site.configure("[site]\nnmae = 'x'\n")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "reload failed" in site.words(), process)
        assert "site.nmae: no such setting" in site.words()
        site.configure("[detectors.auth_dictionary]\nenabled = false\n")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "reloaded" in site.words(), process)
        site.write(*attack("203.0.113.5"))
        site.configure("")
        wait_for(lambda: positions(site) == site.log.stat().st_size, process)
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: site.words().count("reloaded") == 2, process)
        site.write(*attack("203.0.113.6"))
        wait_for(lambda: "203.0.113.6" in {a.subject.value for a in site.alerts()}, process)
    assert "203.0.113.5" not in {
        a.subject.value for a in site.alerts() if a.rule == "auth_dictionary"
    }


def positions(site: Site) -> int:
    """Up to where the log is safe."""
    with Store(site.state / "mailwarden.db") as store:
        import msgspec

        from streams.sources.tail import Position

        position = store.positions().get(str(site.log), b"")
        place = msgspec.msgpack.decode(position, type=Position).current if position else None
        return place.offset if place else -1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--once", "no-such-file"], "no such file: no-such-file"),
        (["--format", "nonsense", "x"], "no format 'nonsense'"),
        (["-c", "missing.toml"], "missing.toml: No such file"),
    ],
)
def test_what_cannot_be_used_is_told_with_exit_2(
    site: Site, arguments: list[str], said: str
) -> None:
    process = site.start(*arguments)
    assert process.wait(DEADLINE) == 2
    assert said in site.words()


def test_a_second_process_on_the_same_state_is_refused(site: Site) -> None:
    site.log.touch()
    with site.running():
        second = site.start(str(site.log))
        assert second.wait(DEADLINE) == 1
        assert "another mailwarden runs on it" in site.words()


def test_an_interrupt_ends_it_like_a_termination(site: Site) -> None:
    site.log.touch()
    with site.running() as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0


def final(site: Site) -> dict[str, tuple[object, ...]]:
    return {
        alert.id: (
            alert.detector,
            alert.shape,
            alert.severity,
            alert.subject,
            alert.first,
            alert.last,
            sorted(alert.clients),
            sorted(alert.accounts),
            alert.state,
        )
        for alert in site.alerts()
    }


@pytest.fixture(scope="module")
def traffic() -> list[bytes]:
    return list(Traffic(Plan(scale=0.2, past=1)).lines())


@pytest.fixture(scope="module")
def undisturbed(
    traffic: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[object, ...]]:
    """What one run finds that nothing disturbs."""
    site = Site(tmp_path_factory.mktemp("undisturbed"))
    site.log.write_bytes(b"".join(traffic))
    assert site.start("--once", str(site.log)).wait(DEADLINE) == 0
    assert len(site.alerts()) > 5
    return final(site)


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_it_loses_nothing_and_says_nothing_twice(
    tmp_path: Path,
    traffic: list[bytes],
    undisturbed: dict[str, tuple[object, ...]],
    seed: int,
) -> None:
    dice = random.Random(seed)
    site = Site(tmp_path)
    site.log.touch()
    left = traffic
    process = site.start(str(site.log))
    wait_for(lambda: positions(site) >= 0 if site.state.exists() else False, process)
    while left:
        some = dice.randrange(1, 400)
        with site.log.open("ab") as file:
            file.writelines(left[:some])
        left = left[some:]
        chance = dice.random()
        if chance < 0.04:
            rotate(site.log)
        elif chance < 0.10:
            process.kill()
            process.wait()
            process = site.start(str(site.log))
        elif chance < 0.15:
            before = positions(site)
            wait_for(lambda: positions(site) != before, process)  # noqa: B023
    process.kill()
    process.wait()
    assert site.start("--once", str(site.log)).wait(DEADLINE) == 0
    assert final(site) == undisturbed
    told = [
        (alert["id"], alert["revision"])
        for alert in map(json.loads, (site.state / "alerts.jsonl").read_text().splitlines())
    ]
    assert len(told) == len(set(told))
    newest = dict(sorted(told))
    assert newest == {alert.id: alert.revision for alert in site.alerts()}


def rotate(log: Path) -> None:
    for number in range(50, 0, -1):
        part = log.with_name(f"mail.log.{number}")
        if part.exists():
            part.rename(log.with_name(f"mail.log.{number + 1}"))
    log.rename(log.with_name("mail.log.1"))


def test_no_secret_of_the_state_is_left_open_to_others(site: Site) -> None:
    site.log.touch()
    with site.running():
        pass
    assert site.state.stat().st_mode & 0o077 == 0
    db = sqlite3.connect(site.state / "mailwarden.db")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
