"""Dovecot asks us: a guesser is refused at every door, and nobody else, for as long as it lasts.

The configuration of both is that of docs/gateways/auth_policy.md. Clients at addresses that this
machine does not have are told to the servers as a front end tells them (tests/servers/conftest.py).
"""

import http.client
import json
import os
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from imaplib import IMAP4
from pathlib import Path
from poplib import error_proto

import pytest

from agents.single.store import Store
from schemas.findings import Alert
from tests.gateways.conftest import documented
from tests.servers.conftest import ACCOUNTS, DEADLINE, PASSWORD, MailServer, running
from tests.waiting import wait_for
from tools.kafka import free_ports

__all__ = ["documented"]

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("mail_server")]

ROOT = Path(__file__).parents[2]
ALICE, BOB, CAROL, *_ = ACCOUNTS
GUESSER = "203.0.113.9"
USER = "198.51.100.7"
PHONE = "198.51.100.50"
LEASE = 8  # seconds


class Site:
    """A mail server that asks, and `mailwarden run`, which answers and follows the logs."""

    def __init__(self, server: MailServer, port: int, toml: str) -> None:
        self.server = server
        self.port = port
        self.state = server.folder / "state"
        self.said = server.folder / "said"
        settings = server.folder / "mailwarden.toml"
        settings.write_text(
            f'{toml}\n[site]\nhost = "mail"\ndomains = ["example.org"]\n[http]\nlisten = ""\n'
            f'[logs]\nhistory = true\n[response]\npanic = "{server.folder}/panic"\n'
            f"enforce = true\nfirst = {LEASE}\n[detectors.auth_dictionary]\nstage = 'enforce'\n"
        )
        # What rests on the past is decided only where a week of it is known.
        stamp = datetime.fromtimestamp(time.time() - 8 * 86400, UTC).isoformat()
        old = server.folder / "old.log"
        old.write_text(f"{stamp} mail dovecot: imap-login: Login: user=<{BOB}>, rip={USER}\n")
        with self.said.open("wb") as words:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, str(ROOT / "mailwarden.py"), "run", "-c", str(settings)),
                    *map(str, (old, server.postfix_log, server.dovecot_log)),
                ],
                env={**os.environ, "STATE_DIRECTORY": str(self.state)},
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
            )

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE)

    def status(self, client: str) -> int | None:
        """What Dovecot is answered about a client; None where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            connection.request("POST", "/?command=allow", json.dumps({"remote": client}))
            return int(json.loads(connection.getresponse().read())["status"])
        except ConnectionRefusedError:
            return None
        finally:
            connection.close()

    def alerts(self) -> list[Alert]:
        with Store(self.state / "mailwarden.db") as store:
            return store.alerts()

    # -- one login each, "" where it succeeds -----------------------------------------------

    def imap(self, client: str, account: str, password: str = PASSWORD) -> str:
        imap = self.server.speak_imap(client)
        try:
            imap.login(account, password)
        except IMAP4.error as error:
            return str(error)
        finally:
            imap.logout()
        return ""

    def pop3(self, client: str, account: str) -> str:
        pop3 = self.server.speak_pop3(client)
        try:
            pop3.user(account)
            pop3.pass_(PASSWORD)
        except error_proto as error:
            return str(error)
        finally:
            pop3.quit()
        return ""

    def smtp(self, client: str, account: str) -> str:
        smtp = self.server.speak_smtp(client, self.server.submission)
        smtp.user, smtp.password = account, PASSWORD
        try:
            smtp.auth("PLAIN", smtp.auth_plain)
        except smtplib.SMTPAuthenticationError as error:
            return str(error)
        finally:
            smtp.close()
        return ""


@pytest.fixture
def site(documented: Callable[..., str]) -> Iterator[Site]:
    (port,) = free_ports(1)
    replaced = {"127.0.0.1:4001": f"127.0.0.1:{port}"}
    # This machine may be busy with many things; what is tried here is not how fast it is.
    slower = {"server_timeout_msecs = 200": "server_timeout_msecs = 5000"}
    dovecot = documented("auth_policy", "dovecot.conf", {**replaced, **slower})
    with running(dovecot) as server:
        made = Site(server, port, documented("auth_policy", "mailwarden.toml", replaced))
        try:
            yield made
        finally:
            made.stop()


def test_a_guesser_is_refused_at_every_door_and_nobody_else(site: Site) -> None:
    wait_for(lambda: site.status(USER) == 0, "somebody answers: " + site.said.read_text())
    with ThreadPoolExecutor(24) as clients:
        tries = [clients.submit(site.imap, GUESSER, ALICE, f"guess {n}") for n in range(10)]
        tries += [clients.submit(site.imap, PHONE, CAROL, "of last year") for _ in range(12)]
        assert all("AUTHENTICATIONFAILED" in each.result() for each in tries)

    wait_for(lambda: site.status(GUESSER) == -1, "the guesser is refused")
    with ThreadPoolExecutor(8) as clients:
        refused = [
            clients.submit(site.imap, GUESSER, ALICE),
            clients.submit(site.smtp, GUESSER, ALICE),
            clients.submit(site.imap, GUESSER, BOB),
        ]
        served = [
            clients.submit(site.imap, USER, ALICE),
            clients.submit(site.smtp, USER, BOB),
            clients.submit(site.imap, PHONE, CAROL),
            clients.submit(site.pop3, "127.0.3.1", CAROL),
        ]
        assert [each.result() for each in served] == ["", "", "", ""]
        by_imap, by_smtp, other = (each.result() for each in refused)
    alerts = [alert for alert in site.alerts() if alert.severity != "info"]
    assert [(alert.detector, alert.subject.value) for alert in alerts] == [
        ("auth_dictionary", GUESSER)
    ]
    evidence = {one.sign: one.count for one in alerts[0].evidence}
    assert evidence["failures in a day"] == evidence["passwords at one account"] == 10
    for said in (by_imap, other):
        assert f"[ALERT] Login refused; ask your help desk ({alerts[0].id})" in said
    assert "535" in by_smtp

    wait_for(lambda: site.status(GUESSER) == 0, "the lease ends")
    assert site.imap(GUESSER, BOB) == ""

    site.stop()
    assert site.status(USER) is None
    assert site.imap(USER, ALICE) == ""
    assert site.smtp(USER, BOB) == ""
    assert "Policy server HTTP error" in site.server.dovecot_log.read_text()
