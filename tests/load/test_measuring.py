"""Two ways to look at one log: ours in event time, and fail2ban's own."""

from pathlib import Path

import pytest

from agents import configuration
from agents.replay import Replay
from load import accusations, reference
from load.scenarios import mixes, truth
from streams.reader import ReadOptions
from streams.sources.archive import open_lines
from tests.load.test_scenarios import SMALL


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    mixes.write(SMALL, folder)
    return folder


def test_those_are_accused_whom_replay_accuses(folder: Path) -> None:
    log, settings = folder / "mail.log", folder / "mailwarden.toml"
    verdict = Replay(configuration.load(settings), ReadOptions()).run([(str(log), open_lines(log))])
    standing = [a for a in verdict.alerts if a.severity != "info" and a.state == "open"]
    said = accusations.of_log(log, settings)
    clients = {client for alert in standing for client in alert.clients}
    clients |= {a.subject.value for a in standing if a.subject.kind in ("client", "network")}
    assert set(said.clients) == clients
    assert set(said.accounts) == {account for alert in standing for account in alert.accounts}


def test_nobody_is_accused_before_its_first_act(folder: Path) -> None:
    said = accusations.of_log(folder / "mail.log", folder / "mailwarden.toml")
    for attack in truth.read(folder / "truth.jsonl").attacks:
        for client, at in attack.clients.items():
            if client in said.clients:
                assert said.clients[client][0] >= at


@pytest.mark.servers
def test_fail2ban_bans_at_the_fifth_failure_within_ten_minutes(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text("".join(_failure(client, at) for at, client in _failures()))
    assert reference.banned(log, tmp_path) == {"203.0.113.5": 1772442240.0}


def _failures() -> list[tuple[int, str]]:
    """One client fails each minute, the other each five minutes: (minute, client) by time."""
    quick = [(minute, "203.0.113.5") for minute in range(5)]
    slow = [(minute, "203.0.113.6") for minute in range(0, 50, 5)]
    return sorted(quick + slow)


def _failure(client: str, minute: int) -> str:
    return (
        f"2026-03-02T09:{minute:02d}:00.000000+00:00 gw1 postfix/submission/smtpd[77]: "
        f"warning: unknown[{client}]: SASL LOGIN authentication failed: (reason unavailable), "
        "sasl_username=ines@a.example\n"
    )
