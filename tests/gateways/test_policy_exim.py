"""The real Exim asks by ``${readsocket}``, configured as documented."""

import contextlib
import re
import shutil
import smtplib
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.findings import Decision
from streams.gateways.policy import Policy, PolicySettings
from tests.gateways.closed_loop import Mailwarden
from tests.gateways.exim_server import Exim
from tests.gateways.test_policy_postfix import BAD, GOOD, PORT, decided
from tests.gateways.test_policy_server import Site
from tools.kafka import free_ports

pytestmark = pytest.mark.servers

REST = """\
  deny    !domains = +local_domains
          !authenticated = *
  accept  authenticated = *
  require verify = recipient
  accept
"""
"""Of a site's own rules, behind ours."""


@pytest.fixture
def exim(documented: Callable[..., str]) -> Iterator[Exim]:
    folder = Path(tempfile.mkdtemp(prefix="mailwarden-exim-"))
    folder.chmod(0o755)
    port, asked = free_ports(2)
    made = Exim(
        folder,
        port,
        documented("exim", "main"),
        documented("exim", "acl", {PORT: f"127.0.0.1:{asked}", "{1s}": "{3s}"}) + REST,
    )
    made.asks = f"127.0.0.1:{asked}"  # type: ignore[attr-defined]
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


@pytest.fixture
def serve(exim: Any) -> Iterator[Callable[..., Policy]]:
    made: list[Policy] = []

    def make(*decisions: Decision, **settings: Any) -> Policy:
        policy = Policy(
            PolicySettings(**{"listen": exim.asks, "tarpit": 1, "timeout": 60.0} | settings)
        )
        policy.connect(Site(*decisions))
        policy.apply([])
        made.append(policy)
        return policy

    yield make
    for policy in made:
        policy.close()


def recipient(exim: Exim, client: str, login: str = "", to: str = "bob@example.org") -> int:
    """The code of the reply to RCPT TO, or of an earlier refusal."""
    try:
        with exim.speak_as(client) as smtp:
            if login:
                smtp.login(login, "right")
            assert smtp.mail("a@example.net")[0] == 250
            return smtp.rcpt(to)[0]
    except smtplib.SMTPConnectError as error:
        return error.smtp_code


def send(exim: Exim, client: str, login: str, recipients: int) -> int:
    """The code of the reply to a whole message, or of the first refusal."""
    with exim.speak_as(client) as smtp:
        smtp.login(login, "right")
        smtp.mail("a@example.net")
        for number in range(recipients):
            code = smtp.rcpt(f"{number}@example.com")[0]
            if code != 250:
                return code
        try:
            return smtp.data(b"Subject: minutes\r\n\r\nas promised\r\n")[0]
        except smtplib.SMTPDataError as error:
            return error.smtp_code


def test_exim_does_what_each_answer_says(exim: Exim, serve: Callable[..., Policy]) -> None:
    expected = {
        "drop": 521,
        "reject": 550,
        "hold": 250,
        "greylist": 451,
        "tarpit": 250,
        "stamp": 250,
        "observe": 250,
    }
    clients = {action: f"203.0.113.{number}" for number, action in enumerate(expected, 1)}
    serve(*(decided(action, value=client) for action, client in clients.items()))  # type: ignore[arg-type]
    assert {action: recipient(exim, client) for action, client in clients.items()} == expected
    assert recipient(exim, GOOD) == 250
    log = exim.log.read_text()
    assert "5.7.1 Refused [network:203.0.113.2:reject]" in log
    assert "Error" not in log
    assert not (exim.folder / "log" / "panic.log").exists()


def lying(exim: Exim) -> list[str]:
    """The envelopes and headers of what lies in the queue."""
    return [path.read_text() for path in exim.folder.glob("spool/input/**/*-H")]


def test_held_mail_is_frozen_and_stamped_mail_bears_the_mark_once(
    exim: Exim, serve: Callable[..., Policy]
) -> None:
    serve(decided("hold"), decided("stamp", value=GOOD))
    assert send(exim, BAD, "anna", recipients=2) == 250
    assert send(exim, GOOD, "anna", recipients=2) == 250
    held, stamped = sorted(lying(exim), key=lambda text: "Mailwarden-Decision" in text)
    assert "-frozen " in held
    assert "-frozen " not in stamped
    header = r"^\d+  Mailwarden-Decision: \[network:198\.51\.100\.1:stamp\]$"
    assert len(re.findall(header, stamped, re.MULTILINE)) == 1


def test_what_a_login_may_do_is_decided_when_it_sends(
    exim: Exim, serve: Callable[..., Policy]
) -> None:
    serve(
        decided("lock", "account", "alice@example.org"),
        decided("limit", "account", "dora@example.org"),
        decided("reject", "address", "trap@example.com"),
        login_domain="example.org",
        limit=3,
    )
    assert recipient(exim, GOOD, "alice") == 525
    assert recipient(exim, GOOD, "bob") == 250
    assert recipient(exim, GOOD, "bob", to="trap@example.com") == 550
    assert [send(exim, GOOD, "dora", recipients=2) for _ in range(2)] == [250, 450]
    assert send(exim, GOOD, "dora", recipients=1) == 250
    assert recipient(exim, GOOD, "dora") == 450


def test_a_daemon_asks_alike_and_takes_mail_while_nobody_answers(
    exim: Any, serve: Callable[..., Policy], until: Callable[..., None]
) -> None:
    exim.start(until)

    def greeted(client: str) -> int:
        try:
            with exim.speak(client) as smtp:
                smtp.mail("a@example.net")
                return int(smtp.rcpt("bob@example.org")[0])
        except smtplib.SMTPConnectError as error:
            return error.smtp_code

    policy = serve(decided("reject", value="127.0.0.9"))
    assert greeted("127.0.0.9") == 550
    assert greeted("127.0.0.10") == 250
    policy.close()
    assert greeted("127.0.0.9") == 250
    host, _, port = exim.asks.rpartition(":")
    with socket.create_server((host, int(port))):  # where nobody ever answers
        assert greeted("127.0.0.9") == 250
    serve(decided("drop", value="127.0.0.9"))
    assert greeted("127.0.0.9") == 521


def test_who_guesses_addresses_is_refused_until_the_lease_ends(
    exim: Any, documented: Callable[..., str], until: Callable[..., None]
) -> None:
    """First it sleeps; who goes on is refused."""

    def harvest(count: int) -> None:
        with contextlib.suppress(smtplib.SMTPConnectError), exim.speak_as(BAD) as smtp:
            smtp.mail("a@example.net")
            for number in range(count):
                smtp.rcpt(f"name{number}@example.org")

    assert recipient(exim, BAD) == 250
    text = documented("exim", "mailwarden.toml", {PORT: exim.asks})
    running = Mailwarden(exim.log, exim.folder, text, tarpit=1, timeout=60.0)
    try:
        harvest(12)

        def refused() -> bool:
            running.turn()
            harvest(1)
            return recipient(exim, BAD) == 550

        until(refused)
        assert recipient(exim, GOOD) == 250
        running.clock.ahead = 2 * running.embedded.config.settings.response.first

        def served() -> bool:
            running.turn()
            return recipient(exim, BAD) == 250

        until(served)
        assert recipient(exim, GOOD) == 250
    finally:
        running.close()
