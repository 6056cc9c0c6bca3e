"""Recipients that phishers collect answers at, refused to those who have logged in."""

import shlex
import smtplib
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agents import configuration
from agents.commands.phishing import command
from agents.configuration import Config
from agents.running.answering import Answering
from agents.single.embedded import Embedded
from agents.single.store import Store
from schemas.settings import Settings, SettingsError, convert
from streams.gateways.postfix import Postfix, PostfixSettings, tables
from streams.sources.follow import Follow
from streams.writing import HEADER
from tests.gateways.decided import decided

PHISHER, FRIEND = "collector@example.net", "friend@example.net"

Until = Callable[[Callable[[], object]], None]


class Site:
    """Knows some addresses, and no decisions."""

    def __init__(self, *known: str) -> None:
        self.phishing = frozenset(known)


def made(site: Site | None, folder: Path, **settings: Any) -> Postfix:
    chosen = {"clients": "", "phishing": str(folder / "phishing"), "postfix": "true"} | settings
    gateway = Postfix(PostfixSettings(**chosen), lifted=(folder / "panic").exists)
    if site is not None:
        gateway.connect(site)  # type: ignore[arg-type]
    return gateway


def listed(folder: Path) -> list[str]:
    text = (folder / "phishing").read_text().removeprefix(HEADER)
    return [line.split(" ", 1)[0] for line in text.splitlines()]


def test_only_plain_addresses_are_written() -> None:
    text = tables.recipients(
        ["b@example.net", "a@example.net", "x\tOK@example.net", 'a"b@example.net', "@", "a@b:c"]
    )
    assert text == (f"{HEADER}a@example.net {tables.PHISHING}\nb@example.net {tables.PHISHING}\n")


def test_the_table_follows_the_list(tmp_path: Path, until: Until) -> None:
    site = Site(PHISHER)
    gateway = made(site, tmp_path)
    until(lambda: gateway.apply([]))
    assert listed(tmp_path) == [PHISHER]
    site.phishing = frozenset({PHISHER, FRIEND})
    until(lambda: gateway.apply([decided()]))
    assert listed(tmp_path) == [PHISHER, FRIEND]
    site.phishing = frozenset()
    until(lambda: gateway.apply([decided()]))
    assert listed(tmp_path) == []


def test_it_is_lifted_like_decisions(tmp_path: Path, until: Until) -> None:
    gateway = made(Site(PHISHER), tmp_path)
    until(lambda: gateway.apply([]))
    (tmp_path / "panic").touch()
    until(lambda: gateway.apply([]))
    assert listed(tmp_path) == []
    (tmp_path / "panic").unlink()
    until(lambda: gateway.apply([]))
    assert listed(tmp_path) == [PHISHER]
    off = made(Site(PHISHER), tmp_path, enabled=False)
    until(lambda: off.apply([]))
    assert listed(tmp_path) == []


def test_it_is_off_by_default(tmp_path: Path) -> None:
    gateway = made(Site(PHISHER), tmp_path, phishing="")
    assert gateway.apply([])
    assert list(tmp_path.iterdir()) == []
    assert PostfixSettings().phishing == ""


def test_before_there_is_anybody_to_ask_it_is_empty(tmp_path: Path, until: Until) -> None:
    gateway = made(None, tmp_path)
    until(lambda: gateway.apply([]))
    assert listed(tmp_path) == []


def configured(text: str) -> Config:
    return configuration.build(convert(tomllib.loads(text), Settings, "settings"))


def test_a_table_of_no_list_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match=r"gateways\.postfix\.phishing: expected file or url"):
        configured('[gateways.postfix]\nphishing = "/etc/postfix/phishing"\n')


def test_addresses_of_ours_are_never_refused(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{PHISHER}\nbob@example.org\n")
    config = configured(
        f'[site]\ndomains = ["example.org"]\n[phishing]\nfile = "{tmp_path}/list"\n'
    )
    site = Answering(config, time.time)
    assert site.phishing == {PHISHER}
    assert site.phishing is site.phishing
    (tmp_path / "list").write_text(f"{FRIEND}\n")
    config.phishing.look()
    assert site.phishing == {FRIEND}


# -- with the real Postfix ----------------------------------------------------------------------


@pytest.fixture
def shown(postfix: Any, documented: Callable[..., str], tmp_path: Path) -> tuple[Config, list[str]]:
    """The settings of the page for this Postfix, and the command for it."""
    text = documented(
        "postfix",
        "phishing.toml",
        {
            "/etc/mailwarden/phishing.txt": str(tmp_path / "phishing.txt"),
            "/etc/postfix": str(postfix.config),
        },
    )
    more = f'clients = ""\nconfig_directory = "{postfix.config}"\n'
    line = documented(
        "postfix",
        "phishing",
        {
            "submission/inet": f"127.0.0.1:{postfix.port}/inet",
            "/etc/postfix": str(postfix.config),
        },
    )
    return configured(text + more), shlex.split(line)


@pytest.mark.servers
def test_what_the_page_shows_refuses_answers_to_phishers_and_nothing_else(
    postfix: Any, shown: tuple[Config, list[str]], tmp_path: Path, until: Until
) -> None:
    config, line = shown
    [gateway] = config.gateways
    gateway.connect(Answering(config, time.time))
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(f'[phishing]\nfile = "{tmp_path}/phishing.txt"\n')

    def phishing(*words: str) -> None:
        result = CliRunner().invoke(command, [words[0], "-c", str(settings), *words[1:]])
        assert result.exit_code == 0, result.output
        config.phishing.look()
        until(lambda: gateway.apply([]))

    until(lambda: gateway.apply([]))
    postfix.take_logins()
    postfix.run(*line)
    postfix.start()
    phishing("add", PHISHER, "--remark", "mail of 3 May")
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=10) as smtp:
        smtp.login("anna", "right", initial_response_ok=True)

        def answer(recipient: str) -> tuple[int, bytes]:
            smtp.rset()
            assert smtp.mail("anna@example.org")[0] == 250
            return smtp.rcpt(recipient)

        code, words = answer(PHISHER)
        assert code == 554
        assert b"5.7.1" in words
        assert b"Phishers collect passwords at this address" in words
        assert answer(PHISHER.upper())[0] == 554
        assert answer(FRIEND)[0] == 250
        phishing("remove", PHISHER)
        until(lambda: answer(PHISHER)[0] == 250)


@pytest.mark.servers
def test_check_says_whether_submission_looks_into_it(
    postfix: Any, shown: tuple[Config, list[str]]
) -> None:
    config, line = shown
    [gateway] = config.gateways
    postfix.take_logins()
    postfix.age()
    [note] = gateway.review()
    assert note.grade == "failed"
    assert note.text.endswith("answers to phishers go out")
    [cure] = [shlex.split(text) for text in note.remedy]
    assert [cure[0], *cure[3:]] == line
    postfix.run(*line)
    assert [note.grade for note in gateway.review()] == ["ok"]
    key = f"127.0.0.1:{postfix.port}/inet/smtpd_recipient_restrictions"
    value = line[-1].partition("=")[2]
    postfix.run("postconf", "-P", f"{key}=permit_sasl_authenticated,{value}")
    assert [note.grade for note in gateway.review()] == ["failed"]


@pytest.mark.parametrize("enforce", [True, False])
def test_one_process_that_only_observes_refuses_nobody(tmp_path: Path, enforce: bool) -> None:
    (tmp_path / "list").write_text(f"{PHISHER}\n")
    config = configured(
        f'[phishing]\nfile = "{tmp_path}/list"\n[response]\nenforce = {str(enforce).lower()}\n'
    )
    with Store(tmp_path / "mailwarden.db") as store:
        embedded = Embedded(config, store, lambda config, positions: Follow([]))
        assert embedded.phishing == ({PHISHER} if enforce else set())
        embedded.close()
