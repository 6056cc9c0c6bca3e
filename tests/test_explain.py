"""Why something was found about somebody, or why not."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.commands import cli
from agents.explain import of_account, of_client
from schemas.keys import Site

FAILED = (
    "Mar  4 08:0{minute}:00 mail dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2"
    " secs): user=<{user}>, method=PLAIN, rip={client}, lip=198.51.100.1, session=<s{minute}{user}>"
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Six accounts guessed at by one client, two by another."""
    path = tmp_path / "mail.log"
    lines = [FAILED.format(minute=n, user=f"user{n}", client="192.0.2.7") for n in range(6)]
    lines += [FAILED.format(minute=n, user=f"user{n}", client="203.0.113.9") for n in (6, 7)]
    path.write_text("\n".join(lines) + "\n")
    return path


def told(*arguments: object, eyes: bool = False, **more: str) -> Result:
    return CliRunner().invoke(
        cli,
        ["explain", *map(str, arguments)],
        env={"FORCE_COLOR": "1" if eyes else None, "COLUMNS": "160", **more},
    )


def peaks(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_counts_are_shown_beside_their_thresholds(log: Path) -> None:
    found = peaks(told("--client", "203.0.113.9", log))
    counts = {(p["detector"], p["sign"]): (p["count"], p["threshold"]) for p in found}
    assert counts["auth_dictionary", "accounts"] == (2, 5)
    assert {p["key"] for p in found} == {"c:203.0.113.9", "n:203.0.113.0/24"}
    assert all(float(str(p["at"])) > 0 for p in found)


def test_an_estimate_is_told_as_one(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.commands.options.for_eyes", lambda _: True)
    many = [FAILED.format(minute=n % 10, user=f"user{n}", client="192.0.2.7") for n in range(80)]
    log.write_text("\n".join(many) + "\n")
    assert "about " in told("--client", "192.0.2.7", log).output


def test_an_account_is_explained_as_well(log: Path) -> None:
    found = peaks(told("--account", "USER1", log))
    assert ("auth_distributed", "tries") in {(p["detector"], p["sign"]) for p in found}


def test_for_people_it_is_a_table_and_the_findings(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.commands.options.for_eyes", lambda _: True)
    result = told("--client", "192.0.2.7", log)
    assert "client 192.0.2.7 and network 192.0.2.0/24" in result.output
    assert "6 auth events" in result.output
    assert "HIGHEST" in result.output
    assert "auth_dictionary dictionary" in result.output
    result = told("--client", "203.0.113.9", log)
    assert "Nothing is said about it." in result.output
    result = told("--client", "198.51.100.99", log)
    assert "is in none of the lines" in result.output


def test_what_cannot_be_explained_is_an_error(log: Path, tmp_path: Path) -> None:
    assert "no IP address" in told("--client", "here", log).output
    assert "Give the ID of an alert" in told().output
    assert "no such file" in told("--client", "192.0.2.7", tmp_path / "none").output
    settings = tmp_path / "mailwarden.toml"
    settings.write_text("[logs]\njournal = 'no'\n[storage]\npath = '{tmp_path}'\n")
    assert told("-c", settings, "5f0c").exit_code != 0


def test_without_files_it_reads_what_is_followed(log: Path, tmp_path: Path) -> None:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(f"[logs]\nfiles = ['{log}']\n")
    assert peaks(told("-c", settings, "--client", "192.0.2.7"))


def test_an_alert_is_explained_by_its_id(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(f"[storage]\npath = '{tmp_path}/state'\n[http]\nlisten = ''\n")
    run = CliRunner().invoke(cli, ["run", "--once", "-c", str(settings), str(log)])
    assert run.exit_code == 0, run.output
    listed = CliRunner().invoke(
        cli, ["alerts", "list", "--json", "--since", "2000-01-01", "-c", str(settings)]
    )
    alert = json.loads(listed.output.splitlines()[0])
    assert json.loads(told("-c", settings, alert["id"][:8]).stdout)["id"] == alert["id"]
    monkeypatch.setattr("agents.commands.options.for_eyes", lambda _: True)
    shown = told("-c", settings, alert["id"]).output
    assert "silent with fewer than 5 accounts" in shown


def test_subjects_have_one_spelling() -> None:
    assert of_client("::ffff:192.0.2.7") == ("c:192.0.2.7", "n:192.0.2.0/24")
    assert of_account("Anna", Site(default_domain="example.org")) == ("m:anna@example.org",)
    with pytest.raises(ValueError, match="no IP address"):
        of_client("x")
