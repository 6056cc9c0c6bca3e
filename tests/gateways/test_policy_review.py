"""What `review` says of our server and of real configurations, by the real postconf(1)."""

import shlex
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agents.commands.check import command
from streams.gateway import Note
from streams.gateways.policy import Policy, PolicySettings
from streams.gateways.policy.review import _is_ours, _seconds
from tests.gateways.test_policy_server import Client, Site, question
from tools.kafka import free_ports

LISTEN = "127.0.0.1:10031"
ITEM = f"{{inet:{LISTEN},timeout=1s,default_action=DUNNO,try_limit=1}}"


def bad(found: list[Note]) -> list[str]:
    return [note.text for note in found if not note.good]


# -- our own server -------------------------------------------------------------------------------


@pytest.fixture
def lifted() -> list[bool]:
    return []


@pytest.fixture
def served(lifted: list[bool]) -> Iterator[Callable[..., Policy]]:
    made: list[Policy] = []

    def serve(listen: str = f"127.0.0.1:{free_ports(1)[0]}", **settings: Any) -> Policy:
        settings = PolicySettings(listen=listen, postconf="", **settings)
        policy = Policy(settings, lifted=lambda: bool(lifted))
        policy.connect(Site())
        policy.apply([])
        made.append(policy)
        return policy

    yield serve
    for policy in made:
        policy.close()


def test_whether_anybody_asks_is_said(served: Callable[..., Policy], tmp_path: Path) -> None:
    for listen in (f"127.0.0.1:{free_ports(1)[0]}", f"unix:{tmp_path}/s"):
        policy = served(listen)
        assert bad(policy.review()) == [f"at {listen} no mail server has asked yet"]
        client = Client(policy.address)
        client.say(question())
        client.heard()
        client.socket.close()
        assert policy.review() == [Note("ok", f"at {listen} a mail server asked 0 s ago")]


def test_a_pulled_kill_switch_is_said(served: Callable[..., Policy], lifted: list[bool]) -> None:
    policy = served()
    lifted.append(True)
    policy.apply([])
    listen = policy.settings.listen
    assert bad(policy.review()) == [f"at {listen} all is let pass: the kill switch is pulled"]


def test_that_nobody_answers_is_said() -> None:
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    [note] = Policy(PolicySettings(listen=listen, postconf="")).review()
    assert note.grade == "warning"
    assert note.text == f"nobody answers at {listen}; it is free for us"
    [note] = Policy(PolicySettings(listen="unix:/none/s", postconf="")).review()
    assert "there is no directory /none" in note.text
    [note] = Policy(PolicySettings(listen="nowhere", postconf="")).review()
    assert "expected host:port or unix:/path" in note.text


@pytest.mark.parametrize("said", [b"action=DUNNO\n\n", b"220 mx.example.org ESMTP\r\n", b""])
def test_that_another_program_answers_is_said(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            talk, _ = other.accept()
            with talk:
                talk.recv(4096)
                talk.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        [note] = Policy(PolicySettings(listen=listen, postconf="")).review()
        thread.join()
    assert note.grade == "failed"
    assert note.text.startswith(f"at {listen} another program answers: ")


def test_what_is_reported_must_not_be_read_as_well(served: Callable[..., Policy]) -> None:
    notes = served(report=True).review()
    assert "let nobody read the log of the server that asks" in notes[1].text


# -- Postfix --------------------------------------------------------------------------------------


def notes(server: Any, **settings: Any) -> list[Note]:
    chosen = {"listen": LISTEN, "config_directory": str(server.config)} | settings
    server.age()
    return Policy(PolicySettings(**chosen)).review()[1:]


def follow(server: Any, found: list[Note]) -> None:
    """Do what the notes advise."""
    for note in found:
        for line in note.remedy:
            words = shlex.split(line)
            assert words[:3] == ["postconf", "-c", str(server.config)]
            server.run("postconf", *words[3:])


@pytest.mark.servers
def test_a_postfix_that_does_not_ask_is_told_how(postfix: Any) -> None:
    key = f"127.0.0.1:{postfix.port}/inet"
    postfix.set("-e", "smtpd_recipient_restrictions=permit_mynetworks, reject_unauth_destination")
    found = notes(postfix)
    assert bad(found) == [f"{key}: does not ask us"]
    follow(postfix, found)
    assert notes(postfix) == [Note("ok", f"{key}: asks us at RCPT TO; without us it goes on")]
    assert postfix.run("postconf", "-P").strip() == (
        f"{key}/smtpd_recipient_restrictions = check_policy_service,{ITEM},permit_mynetworks,"
        "reject_unauth_destination"
    )


@pytest.mark.servers
def test_what_is_documented_is_all_that_is_wanted(
    postfix: Any, documented: Callable[..., str]
) -> None:
    for name, replaced in (("main.cf", {}), ("master.cf", {"n       -       y": "n - n"})):
        with (postfix.config / name).open("a") as file:
            file.write(documented("policy", name, replaced))
    assert notes(postfix) == [
        Note(
            "ok", f"127.0.0.1:{postfix.port}/inet: asks us at RCPT TO, DATA; without us it goes on"
        ),
        Note("ok", "submission/inet: asks us at connect, RCPT TO, DATA; without us it goes on"),
    ]


@pytest.mark.servers
@pytest.mark.parametrize(
    ("place", "action", "wait"),
    [
        (f"inet:{LISTEN}", "451 4.3.5 Server configuration problem", "100s"),
        (f"{{ inet:{LISTEN}, timeout=1s }}", "451 4.3.5 Server configuration problem", "1s"),
        (f"{{ inet:{LISTEN}, default_action = DUNNO }}", "DUNNO", "100s"),
        (f"{{ inet:{LISTEN}, timeout=2m, default_action=dunno }}", "dunno", "2m"),
    ],
)
def test_a_postfix_that_refuses_mail_without_us_is_told_how_to_go_on(
    postfix: Any, place: str, action: str, wait: str
) -> None:
    key = f"127.0.0.1:{postfix.port}/inet"
    postfix.set(
        "-e",
        f"smtpd_recipient_restrictions=reject_unauth_destination, check_policy_service {place},"
        " reject_unlisted_recipient",
    )
    found = notes(postfix)
    assert bad(found) == [
        f"{key}: without us mail is answered {action}, after {wait} (smtpd_recipient_restrictions)"
    ]
    follow(postfix, found)
    assert bad(notes(postfix)) == []
    assert postfix.run("postconf", "-P").strip() == (
        f"{key}/smtpd_recipient_restrictions = reject_unauth_destination,check_policy_service,"
        f"{ITEM},reject_unlisted_recipient"
    )


@pytest.mark.servers
def test_without_a_timeout_of_its_own_that_of_postfix_counts(postfix: Any) -> None:
    postfix.set("-e", f"smtpd_recipient_restrictions=check_policy_service inet:{LISTEN}")
    postfix.set("-e", "smtpd_policy_service_default_action=DUNNO")
    postfix.set("-e", "smtpd_policy_service_timeout=5")
    assert bad(notes(postfix)) == []


@pytest.mark.servers
def test_whom_a_permit_lets_pass_before_is_never_asked_about(postfix: Any) -> None:
    key = f"127.0.0.1:{postfix.port}/inet"
    postfix.set(
        "-e",
        "smtpd_recipient_restrictions=permit_mynetworks, permit_sasl_authenticated,"
        f" check_policy_service unix:private/spf, check_policy_service {ITEM}",
    )
    found = notes(postfix)
    assert bad(found) == [
        f"{key}: asks us only after permit_sasl_authenticated (smtpd_recipient_restrictions)"
    ]
    follow(postfix, found)
    assert bad(notes(postfix)) == []


@pytest.mark.servers
def test_a_service_with_logins_is_told_what_it_misses(postfix: Any) -> None:
    key = f"127.0.0.1:{postfix.port}/inet"
    postfix.set("-e", f"smtpd_recipient_restrictions=check_policy_service {ITEM}")
    postfix.set("-e", f"smtpd_client_restrictions=check_policy_service {ITEM}")
    postfix.set("-e", "smtpd_sasl_auth_enable=yes")
    late = (
        f"{key}: asks us after the login only: password guessing goes on"
        " (docs/gateways/policy.md: submission)"
    )
    found = notes(postfix)
    assert bad(found) == [late, f"{key}: does not ask us at DATA: an account cannot be limited"]
    follow(postfix, found)
    assert bad(notes(postfix)) == [late]
    postfix.set("-e", "smtpd_delay_reject=no")
    assert notes(postfix) == [
        Note("ok", f"{key}: asks us at connect, RCPT TO, DATA; without us it goes on")
    ]


@pytest.mark.servers
def test_without_an_smtpd_nobody_asks(postfix: Any) -> None:
    (postfix.config / "master.cf").write_text("qmgr unix n - n 300 1 qmgr\n")
    assert bad(notes(postfix)) == ["master.cf has no smtpd: nobody asks us"]


def test_a_postfix_that_cannot_be_asked_is_said() -> None:
    settings = PolicySettings(listen="127.0.0.1:1", postconf="/none/postconf")
    assert "/none/postconf cannot be asked who asks us: " in Policy(settings).review()[1].text


@pytest.mark.servers
def test_check_tells_it(postfix: Any, tmp_path: Path, served: Callable[..., Policy]) -> None:
    policy = served()
    (tmp_path / "mail.log").touch()
    path = tmp_path / "mailwarden.toml"
    path.write_text(
        f'[logs]\nfiles = ["{tmp_path}/mail.log"]\njournal = "no"\n[gateways.policy]\n'
        f'listen = "{policy.settings.listen}"\nconfig_directory = "{postfix.config}"\n'
    )
    postfix.age()
    result = CliRunner().invoke(command, ["-c", str(path)])
    assert result.exit_code == 1
    assert "no mail server has asked yet" in result.output
    assert "does not ask us" in result.output
    assert "does not see logins by IMAP and POP3" in result.output
    assert "no gateway can carry out" not in result.output


@pytest.mark.parametrize(
    ("address", "listen", "ours"),
    [
        ("inet:127.0.0.1:10031", "127.0.0.1:10031", True),
        ("inet:[127.0.0.1]:10031", "127.0.0.1:10031", True),
        ("inet:localhost:10031", "127.0.0.1:10031", True),
        ("inet:[::1]:10031", "[::1]:10031", True),
        ("inet:192.0.2.1:10031", "0.0.0.0:10031", True),
        ("inet:192.0.2.1:10031", "127.0.0.1:10031", False),
        ("inet:127.0.0.1:10032", "127.0.0.1:10031", False),
        ("127.0.0.1:10031", "127.0.0.1:10031", False),
        ("unix:private/mailwarden", "unix:/var/spool/postfix/private/mailwarden", True),
        ("unix:/private/mailwarden", "unix:/var/spool/postfix/private/mailwarden", True),
        ("unix:mailwarden2", "unix:/var/spool/postfix/mailwarden", False),
        ("unix:warden", "unix:/run/mailwarden", False),
        ("unix:", "unix:/run/mailwarden", False),
        ("unix:private/mailwarden", "127.0.0.1:10031", False),
        ("inet:127.0.0.1:10031", "unix:/run/mailwarden", False),
    ],
)
def test_whether_postfix_means_us(address: str, listen: str, ours: bool) -> None:
    assert _is_ours(address, listen) is ours


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1", 1.0), ("5s", 5.0), ("2m", 120.0), ("1h", 3600.0), ("", 0.0), ("x", 0.0), ("1y", 0.0)],
)
def test_times_of_postfix(text: str, seconds: float) -> None:
    assert _seconds(text) == seconds
