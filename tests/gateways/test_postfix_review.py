"""What `review` says of real configurations, by the real postconf(1)."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.commands.check import command
from streams.gateway import Note
from streams.gateways.postfix import Postfix, PostfixSettings
from streams.postconf import split

SUBMISSION = "submission/inet"


def notes(server: Any, **settings: Any) -> list[Note]:
    chosen = {"clients": str(server.table), "config_directory": str(server.config)} | settings
    server.age()
    return Postfix(PostfixSettings(**chosen)).review()


def bad(found: list[Note]) -> list[str]:
    return [note.text for note in found if not note.good]


def submission(server: Any) -> None:
    """As Debian's master.cf suggests it."""
    with (server.config / "master.cf").open("a") as file:
        file.write(
            "submission inet n - n - - smtpd\n"
            "  -o smtpd_sasl_auth_enable=yes\n"
            "  -o smtpd_client_restrictions=$mua_client_restrictions\n"
        )
    server.set("-e", "mua_client_restrictions=permit_sasl_authenticated, reject")


def follow(server: Any, found: list[Note]) -> None:
    """Do what the notes advise."""
    for note in found:
        for line in note.remedy:
            words = shlex.split(line)
            assert words[:3] == ["postconf", "-c", str(server.config)]
            server.run("postconf", *words[3:])


pytestmark = pytest.mark.servers


def test_a_table_that_nothing_names_refuses_nobody(postfix: Any) -> None:
    found = notes(postfix)
    key = f"127.0.0.1:{postfix.port}/inet"
    assert bad(found) == [f"{key}: does not look into {postfix.table}: refuses nobody"]
    follow(postfix, found)
    assert notes(postfix) == [
        Note("ok", f"{key}: refuses the clients of {postfix.table} (it takes no logins)")
    ]


def test_what_stood_there_before_is_kept(postfix: Any) -> None:
    postfix.set("-e", "smtpd_client_restrictions=permit_mynetworks, reject_unknown_client_hostname")
    follow(postfix, notes(postfix))
    key = f"127.0.0.1:{postfix.port}/inet"
    assert postfix.run("postconf", "-P", f"{key}/smtpd_client_restrictions").strip() == (
        f"{key}/smtpd_client_restrictions = check_client_access,cidr:{postfix.table},"
        "permit_mynetworks,reject_unknown_client_hostname"
    )
    assert bad(notes(postfix)) == []


def test_a_table_that_is_asked_after_the_login_stops_no_guessing(postfix: Any) -> None:
    postfix.set("-e", f"smtpd_client_restrictions=check_client_access cidr:{postfix.table}")
    postfix.set("-e", "smtpd_sasl_auth_enable=yes")
    found = notes(postfix)
    key = f"127.0.0.1:{postfix.port}/inet"
    [said] = bad(found)
    assert said == (
        f"{key}: refuses at RCPT TO only, after the login: password guessing goes on"
        " (smtpd_delay_reject is yes)"
    )
    follow(postfix, found)
    assert notes(postfix) == [
        Note("ok", f"{key}: refuses the clients of {postfix.table} before the login")
    ]


def test_the_advice_for_submission_locks_nobody_out(postfix: Any) -> None:
    submission(postfix)
    found = [note for note in notes(postfix) if note.text.startswith(SUBMISSION)]
    assert bad(found) == [f"{SUBMISSION}: does not look into {postfix.table}: refuses nobody"]
    follow(postfix, found)
    own = postfix.run("postconf", "-P").splitlines()
    assert f"{SUBMISSION}/smtpd_sender_restrictions = permit_sasl_authenticated,reject" in own
    assert (
        f"{SUBMISSION}/smtpd_client_restrictions = check_client_access,cidr:{postfix.table}" in own
    )
    assert f"{SUBMISSION}/smtpd_delay_reject = no" in own
    found = [note for note in notes(postfix) if note.text.startswith(SUBMISSION)]
    assert bad(found) == []


def test_a_list_in_use_is_not_chosen_for_what_must_move(postfix: Any) -> None:
    submission(postfix)
    postfix.set("-P", f"{SUBMISSION}/smtpd_sender_restrictions=reject_non_fqdn_sender")
    remedies = [line for note in notes(postfix) for line in note.remedy if SUBMISSION in line]
    assert any("smtpd_data_restrictions=permit_sasl_authenticated,reject" in r for r in remedies)


def test_what_stands_behind_a_permit_is_not_asked(postfix: Any) -> None:
    postfix.set(
        "-e",
        "smtpd_client_restrictions=permit_sasl_authenticated,"
        f" check_client_access cidr:{postfix.table}",
    )
    found = notes(postfix)
    key = f"127.0.0.1:{postfix.port}/inet"
    [said] = bad(found)
    assert said == f"{key}: looks into {postfix.table} only after permit_sasl_authenticated"
    follow(postfix, found)
    assert bad(notes(postfix)) == []


def screened(server: Any) -> None:
    master = server.config / "master.cf"
    text = master.read_text()
    first = f"127.0.0.1:{server.port} inet n - n - - smtpd"
    assert first in text
    master.write_text(
        text.replace(
            first,
            f"127.0.0.1:{server.port} inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd",
        )
    )
    server.set("-e", "smtpd_sasl_auth_enable=yes")


def test_postscreen_must_look_into_the_table_and_act_on_it(postfix: Any) -> None:
    screened(postfix)
    screen = postfix.config / "screen.cidr"
    found = notes(postfix, postscreen=str(screen))
    assert bad(found)[0] == f"postscreen does not look into {screen}"
    follow(postfix, found[:1])
    found = notes(postfix, postscreen=str(screen))
    assert bad(found)[0] == (
        "postscreen looks clients up but lets them pass (postscreen_denylist_action is ignore)"
    )
    follow(postfix, found[:1])
    assert notes(postfix, postscreen=str(screen)) == [
        Note(
            "ok",
            f"127.0.0.1:{postfix.port}/inet: postscreen refuses the clients before the greeting",
        ),
        Note("ok", "smtpd/pass: postscreen stands in front of it"),
    ]
    access = postfix.run("postconf", "-h", "postscreen_access_list").strip()
    assert access == f"permit_mynetworks,cidr:{screen}"


def test_a_table_for_a_postscreen_that_is_not_there(postfix: Any) -> None:
    screen = postfix.config / "screen.cidr"
    assert f"{screen}: master.cf has no postscreen" in bad(notes(postfix, postscreen=str(screen)))


def test_logins_are_stopped_where_a_list_names_their_table(postfix: Any) -> None:
    postfix.set("-e", "smtpd_sasl_auth_enable=yes")
    accounts = postfix.config / "accounts"
    key = f"127.0.0.1:{postfix.port}/inet"
    found = notes(postfix, clients="", accounts=str(accounts))
    assert bad(found) == [f"{key}: does not look into {accounts}: no login is stopped"]
    follow(postfix, found)
    assert notes(postfix, clients="", accounts=str(accounts)) == [
        Note("ok", f"{key}: refuses mail of the logins of {accounts}")
    ]


def test_a_service_without_logins_needs_no_table_of_logins(postfix: Any) -> None:
    assert notes(postfix, clients="", accounts=str(postfix.config / "accounts")) == []


def test_a_table_of_logins_behind_a_permit_is_not_asked(postfix: Any) -> None:
    postfix.set("-e", "smtpd_sasl_auth_enable=yes")
    accounts = postfix.config / "accounts"
    postfix.set(
        "-e",
        "smtpd_recipient_restrictions=permit_sasl_authenticated,"
        f" check_sasl_access texthash:{accounts}, reject",
    )
    assert len(bad(notes(postfix, clients="", accounts=str(accounts)))) == 1


def test_without_an_smtpd_nobody_is_looked_up(postfix: Any) -> None:
    (postfix.config / "master.cf").write_text("qmgr unix n - n 300 1 qmgr\n")
    assert bad(notes(postfix)) == ["master.cf has no smtpd: no client is ever looked up"]


def test_a_postfix_that_cannot_be_asked_is_said(postfix: Any) -> None:
    found = notes(postfix, postconf="/none/postconf", accounts=f"lmdb:{postfix.config}/x")
    assert len(found) == 1
    assert found[0].text.startswith("/none/postconf cannot be asked what is used: ")
    found = notes(postfix, config_directory="/none")
    assert "cannot be asked what is used" in found[0].text


def test_check_tells_it(postfix: Any, tmp_path: Path) -> None:
    (tmp_path / "mail.log").touch()
    path = tmp_path / "mailwarden.toml"
    path.write_text(
        f'[logs]\nfiles = ["{tmp_path}/mail.log"]\njournal = "no"\n'
        f'[gateways.postfix]\nclients = "{postfix.table}"\n'
        f'config_directory = "{postfix.config}"\n'
    )

    def checked() -> Result:
        postfix.age()
        return CliRunner().invoke(command, ["-c", str(path)])

    result = checked()
    assert result.exit_code == 1
    assert "refuses nobody" in result.output
    remedy = next(line for line in result.output.splitlines() if "postconf" in line)
    postfix.run(*shlex.split(remedy)[:1], *shlex.split(remedy)[3:])
    result = checked()
    assert result.exit_code == 0, result.output
    assert f"refuses the clients of {postfix.table} (it takes no logins)" in result.output
    assert "does not see logins by IMAP and POP3" in result.output


def test_restriction_lists_are_split_as_postfix_does() -> None:
    assert split("a, b c\td,{ check x, y } e") == ["a", "b", "c", "d", "{ check x, y }", "e"]


def test_both_tables_of_a_setting_with_lmdb_are_looked_for(postfix: Any) -> None:
    live = postfix.config / "clients"
    key = f"127.0.0.1:{postfix.port}/inet"
    place = f"lmdb:{live}"
    found = notes(postfix, clients=place)
    assert bad(found) == [f"{key}: does not look into {live} and {live}.cidr: refuses nobody"]
    postfix.set("-e", f"smtpd_client_restrictions=check_client_access {place}")
    found = notes(postfix, clients=place)
    assert bad(found) == [f"{key}: does not look into {live}.cidr: refuses not all"]
    follow(postfix, found)
    assert notes(postfix, clients=place) == [
        Note("ok", f"{key}: refuses the clients of {live} and {live}.cidr (it takes no logins)")
    ]


def test_accounts_in_a_table_of_lmdb(postfix: Any) -> None:
    submission(postfix)
    accounts = postfix.config / "accounts"
    found = notes(postfix, clients="", accounts=f"lmdb:{accounts}")
    assert bad(found) == [f"{SUBMISSION}: does not look into {accounts}: no login is stopped"]
    follow(postfix, found)
    assert bad(notes(postfix, clients="", accounts=f"lmdb:{accounts}")) == []


def test_a_postfix_without_lmdb_is_told(postfix: Any, tmp_path: Path) -> None:
    asked = tmp_path / "postconf"
    asked.write_text('#!/bin/sh\ncase "$*" in *-m) echo cidr;; *) exec postconf "$@";; esac\n')
    asked.chmod(0o755)
    live = postfix.config / "clients"
    found = notes(postfix, clients=f"lmdb:{live}", postconf=str(asked))
    assert "this Postfix does not read tables of LMDB" in bad(found)
    assert found[0].remedy == ("apt-get install postfix-lmdb",)
