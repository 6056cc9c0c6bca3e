import email
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.commands import cli
from agents.single.store import Changes, Store
from schemas.findings import Alert
from tests.abuse.test_attack import BAD, GUESS, of
from tests.abuse.test_drafts import MAIL

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "contacts").write_text("203.0.113.0/24, abuse@example.net\n")
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(
        f'[storage]\npath = "{tmp_path}/mailwarden.db"\n[network]\nallow = ["198.51.100.0/24"]\n'
        f'[abuse]\nsender = "abuse@example.org"\ncontacts = "{tmp_path}/contacts"\n'
    )

    def run(alert: Alert, *words: str) -> Result:
        with Store(tmp_path / "mailwarden.db") as store:
            store.commit(Changes(alerts=[alert]), 1.0)
        return CliRunner().invoke(cli, ["abuse", "draft", "-c", str(settings), *words])

    return run


def test_the_only_client_goes_to_stdout(run: Run) -> None:
    result = run(of(GUESS), "a1")
    assert result.exit_code == 0, result.output
    message = email.message_from_bytes(result.stdout_bytes)
    assert (message["To"], message["X-XARF"]) == ("abuse@example.net", "PLAIN")
    assert result.stderr == "to abuse@example.net\n"


def test_a_mail_is_told_of_as_arf_unless_told_otherwise(run: Run) -> None:
    mail = of(MAIL, detector="sender_reputation")
    for words, kind in (((), "multipart/report"), (("--format", "xarf"), "multipart/mixed")):
        result = run(mail, "a1", *words)
        assert email.message_from_bytes(result.stdout_bytes).get_content_type() == kind


def test_several_clients_are_several_files(run: Run, tmp_path: Path) -> None:
    alert = of(GUESS, clients=[BAD, "192.0.2.7", "198.51.100.1"])
    result = run(alert, "a1")
    assert result.exit_code == 2
    assert "2 clients take part: --to FOLDER" in result.output
    folder = tmp_path / "drafts"
    result = run(alert, "a1", "--to", str(folder))
    assert result.stdout.splitlines() == [
        f"{folder}/a1-{BAD}.eml: to abuse@example.net",
        f"{folder}/a1-192.0.2.7.eml: to nobody is known for 192.0.2.7: fill in To",
    ]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    result = run(alert, "a1", "--client", "192.0.2.7")
    assert b"192.0.2.7 guessed" in result.stdout_bytes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "arf"), "sent no mail that could be shown: use xarf"),
        (("--client", "192.0.2.99"), "a1: 192.0.2.99 is none of its clients"),
        (("--to", "/proc/nowhere"), "/proc/nowhere/a1-203.0.113.9.eml: "),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, words: tuple[str, ...], said: str) -> None:
    result = run(of(GUESS), "a1", *words)
    assert result.exit_code != 0
    assert said in result.output


def test_an_alert_that_accuses_nobody_outside(run: Run) -> None:
    result = run(of(GUESS, severity="info"), "a1")
    assert (result.exit_code, "accuses nobody outside" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("section", "said"),
    [("", "abuse.sender: expected an address"), ('contacts = "/none"', "abuse.contacts: /none: ")],
)
def test_settings_that_are_missing_or_wrong(tmp_path: Path, section: str, said: str) -> None:
    settings = tmp_path / "m.toml"
    sender = 'sender = "abuse@example.org"' if section else ""
    settings.write_text(f'[storage]\npath = "{tmp_path}/m.db"\n[abuse]\n{sender}\n{section}\n')
    result = CliRunner().invoke(cli, ["abuse", "draft", "-c", str(settings), "a1"])
    assert result.exit_code == 2
    assert said in result.output
