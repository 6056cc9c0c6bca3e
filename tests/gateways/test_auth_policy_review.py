"""What `review` says: of a server that runs or does not, and of Dovecot's configuration."""

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.gateway import Note
from streams.gateways.auth_policy import AuthPolicy, AuthPolicySettings
from tests.gateways.test_auth_policy import ASKED, Site, allow, post, tell
from tests.test_http_serving import certificate

__all__ = ["certificate"]

GOOD = """\
auth_policy_server_url = http://127.0.0.1:4001/
auth_policy_hash_nonce = Medlar-7
auth_policy_server_timeout_msecs = 200
auth_policy_reject_on_fail = no
auth_policy_log_only = no
auth_policy_check_before_auth = yes
auth_policy_report_after_auth = yes
auth_policy_request_attributes = login=%{requested_username} pwhash=%{hashed_password} \
remote=%{rip} protocol=%s attrs/mech=%m
"""
WORKS = "Dovecot asks before each login, and goes on when we are down"


def bad(notes: list[Note]) -> list[str]:
    return [note.text for note in notes if not note.good]


# -- our server -------------------------------------------------------------------------------


@pytest.fixture
def run() -> Iterator[Callable[..., AuthPolicy]]:
    made: list[AuthPolicy] = []

    def start(**settings: Any) -> AuthPolicy:
        settings = {"listen": "127.0.0.1:0", "doveconf": "", **settings}
        gateway = AuthPolicy(AuthPolicySettings(**settings))
        made.append(gateway)
        gateway.connect(Site())
        gateway.apply([])
        return gateway

    yield start
    for each in made:
        each.close()


def of(gateway: AuthPolicy, **settings: Any) -> list[Note]:
    """As another process, which knows the settings alone, sees it."""
    settings = {"listen": f"127.0.0.1:{gateway.port}", "doveconf": "", **settings}
    return AuthPolicy(AuthPolicySettings(**settings)).review()


def test_a_server_that_does_not_run_is_told() -> None:
    (note,) = AuthPolicy(AuthPolicySettings(listen="127.0.0.1:1", doveconf="")).review()
    text = "nobody answers at 127.0.0.1:1; it is free for us"
    assert note == Note("warning", text, ("mailwarden run", "or mailwarden gateway"))


def test_whether_anybody_asks_and_reports_is_told(run: Callable[..., AuthPolicy]) -> None:
    gateway = run()
    assert bad(of(gateway)) == ["no mail server has asked since it was started"]
    allow(gateway)
    assert bad(of(gateway)) == ["what came of the logins is not reported"]
    tell(gateway)
    answers, asked = of(gateway)
    assert answers == Note("ok", f"answers at 127.0.0.1:{gateway.port}")
    assert asked.good
    assert asked.text.startswith("a mail server asked last ")
    gateway._asked -= 601
    assert not of(gateway)[1].good


def test_a_key_is_shown(run: Callable[..., AuthPolicy], tmp_path: Path) -> None:
    file = tmp_path / "keys"
    digest = hashlib.sha256(b"Quince-1").hexdigest()
    file.write_text(f"mx0 sha256:{digest}\nmx1 Medlar-7\n")
    gateway = run(key_file=str(file))
    assert of(gateway, key_file=str(file))[0].good
    assert of(gateway, key="Quince-1")[0].good
    place = f"127.0.0.1:{gateway.port}"
    assert bad(of(gateway, key="x")) == [f"at {place} another program answers: 401 Unauthorized"]
    file.write_text(f"mx0 sha256:{digest}\n")
    assert bad(of(gateway, key_file=str(file))) == [
        f"whether it answers at {place}: {file} holds digests only: it cannot be asked from here"
    ]


def test_it_is_asked_by_tls_and_at_a_socket_too(
    run: Callable[..., AuthPolicy], certificate: Path, tmp_path: Path
) -> None:
    tls = {
        "certificate": str(certificate / "cert.pem"),
        "certificate_key": str(certificate / "key.pem"),
    }
    assert of(run(**tls), **tls)[0].good
    place = f"unix:{tmp_path / 's'}"
    assert of(run(listen=place), listen=place)[0].good


def test_one_that_listens_everywhere_is_asked_here(run: Callable[..., AuthPolicy]) -> None:
    gateway = run()
    open_ = {"key": "x", "plain": True}
    assert of(gateway, listen=f"0.0.0.0:{gateway.port}", **open_)[0].good


# -- Dovecot ----------------------------------------------------------------------------------


@pytest.fixture
def dovecot(tmp_path: Path) -> Callable[..., list[Note]]:
    """The notes about a Dovecot whose doveconf says this."""

    def review(said: str, status: int = 0, **settings: Any) -> list[Note]:
        program, words = tmp_path / "doveconf", tmp_path / "said"
        words.write_text(said)
        program.write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/call\ncat {words}\nexit {status}\n')
        program.chmod(0o755)
        chosen = AuthPolicySettings(**{"doveconf": str(program), **settings})
        return AuthPolicy(chosen).review()[1:]

    return review


def test_a_dovecot_that_asks_as_shown_is_well(
    dovecot: Callable[..., list[Note]], tmp_path: Path
) -> None:
    assert dovecot(GOOD, dovecot_conf="/etc/d.conf") == [Note("ok", WORKS)]
    call = (tmp_path / "call").read_text().split()
    assert call[:3] == ["-c", "/etc/d.conf", "auth_policy_server_url"]


@pytest.mark.parametrize(
    ("line", "words", "remedy"),
    [
        ("hash_nonce = ", "passwords cannot be told apart", "<a long random text"),
        ("server_timeout_msecs = 5000", "logins wait too long for us where we do not answer", ""),
        ("reject_on_fail = yes", "nobody can log in while we are down", "no"),
        ("log_only = yes", "Dovecot asks, but goes by no answer", "no"),
        (
            "check_before_auth = no",
            "guessing goes on: Dovecot asks only when the password was right",
            "yes",
        ),
        ("report_after_auth = no", "what came of the logins is not reported", "yes"),
        (
            "request_attributes = login=%u remote=%r protocol=%s",
            "Dovecot does not tell pwhash, mech",
            "login=%{requested_username} pwhash=%{hashed_password}",
        ),
        (
            "server_url = http://127.0.0.1:8084/",
            "Dovecot asks another server, not 127.0.0.1:4001",
            "http://127.0.0.1:4001/",
        ),
    ],
)
def test_each_thing_that_is_wrong_has_its_cure(
    dovecot: Callable[..., list[Note]], line: str, words: str, remedy: str
) -> None:
    name = line.partition(" ")[0]
    said = "".join(
        f"auth_policy_{line}\n" if name in each else each for each in GOOD.splitlines(keepends=True)
    )
    (note,) = dovecot(said)
    assert (note.good, note.text) == (False, words)
    assert note.remedy[0].startswith(f"auth_policy_{name} = {remedy}")
    assert "Medlar" not in str(note)


def test_a_dovecot_that_asks_nobody_is_told_all_it_needs(
    dovecot: Callable[..., list[Note]],
) -> None:
    (note,) = dovecot("auth_policy_server_url = \n")
    assert note.text == "Dovecot asks no policy server"
    assert note.remedy[0] == "auth_policy_server_url = http://127.0.0.1:4001/"
    assert len(note.remedy) == 8


def test_a_dovecot_of_which_not_all_is_known_is_judged_by_the_rest(
    dovecot: Callable[..., list[Note]],
) -> None:
    """2.4 has no time-out of that name, and the attributes are a block."""
    said = "auth_policy_server_url = http://127.0.0.1:4001/\nauth_policy_hash_nonce = x\n"
    assert dovecot(said, status=89) == [Note("ok", WORKS)]


def test_a_doveconf_that_says_nothing_is_told(dovecot: Callable[..., list[Note]]) -> None:
    (note,) = dovecot("", status=89)
    assert not note.good
    assert "cannot be asked what Dovecot is told: Command" in note.text
    assert (
        "No such file" in AuthPolicy(AuthPolicySettings(doveconf="/no/doveconf")).review()[1].text
    )


def test_the_example_is_what_is_advised(documented: Callable[..., str]) -> None:
    """Each line of the documentation that the review also knows, letter by letter."""
    from streams.gateways.auth_policy.review import EXAMPLE

    shown = dict(
        line.removeprefix("auth_policy_").split(" = ", 1)
        for line in documented("auth_policy", "dovecot.conf").splitlines()
    )
    assert shown["request_attributes"] == EXAMPLE["request_attributes"]
    assert shown["server_timeout_msecs"] == EXAMPLE["server_timeout_msecs"]


@pytest.mark.servers
def test_what_is_advised_is_what_dovecot_takes(tmp_path: Path) -> None:
    config = tmp_path / "dovecot.conf"
    config.write_text("ssl = no\n")
    settings = AuthPolicySettings(dovecot_conf=str(config))
    (advice,) = AuthPolicy(settings).review()[1:]
    assert advice.text == "Dovecot asks no policy server"
    config.write_text("ssl = no\n" + "".join(f"{line}\n" for line in advice.remedy))
    assert AuthPolicy(settings).review()[1:] == [Note("ok", WORKS)]


@pytest.mark.servers
def test_dovecot_takes_what_is_documented(tmp_path: Path, documented: Callable[..., str]) -> None:
    config = tmp_path / "dovecot.conf"
    config.write_text(documented("auth_policy", "dovecot.conf"))
    done = subprocess.run(
        ["doveconf", "-n", "-c", str(config)], capture_output=True, text=True, check=True
    )
    assert "auth_policy_check_after_auth = no" in done.stdout
    settings = AuthPolicySettings(dovecot_conf=str(config))
    assert AuthPolicy(settings).review()[1:] == [Note("ok", WORKS)]


def test_a_stranger_learns_nothing_by_ping(run: Callable[..., AuthPolicy]) -> None:
    gateway = run(key="Quince-1")
    with pytest.raises(json.JSONDecodeError):
        post(gateway, "ping", json.dumps(ASKED).encode())
