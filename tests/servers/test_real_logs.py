"""What real servers log of real clients, and what we read in it.

Each client has an address of its own, so that its events are told apart; those that could be
accused have none of loopback, which is trusted. All of them speak at once: Dovecot holds each
refusal back for two seconds.
"""

import base64
import os
import smtplib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from imaplib import IMAP4
from pathlib import Path
from poplib import error_proto
from typing import Any

import pytest
from msgspec import structs

from agents.single.store import Store
from schemas.events import Auth, Bounce, Connection, Delivery, Fact, Message, Recipient
from schemas.findings import Alert
from streams.reader import DeadLine, Reader, ReadOptions
from tests.servers.conftest import ACCOUNTS, DEADLINE, LEFT, PASSWORD, MailServer
from tests.waiting import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("mail_server")]

ROOT = Path(__file__).parents[2]
HOST = "mail"  # what Postfix calls itself in its own log
ALICE, BOB, CAROL, DORA, EMIL = ACCOUNTS

IMAP_USER = "198.51.100.7"
IMAP_STRANGER = "127.0.2.1"
POP3_USER = "127.0.3.1"
POP3_STRANGER = "127.0.4.1"
SENDER = "192.0.2.5"
SUBMISSION_STRANGER = "127.0.6.1"
GIVES_UP = "127.0.7.1"
OUTSIDE = "127.0.8.1"
NO_LOGIN = "127.0.9.1"
BABBLER = "127.0.10.1"
BROWSER = "127.0.11.1"
HASTY = "127.0.12.1"
SILENT = "127.0.13.1"
WRONG_DOOR = "127.0.14.1"
GUESSER = "203.0.113.9"

LETTER = "From: <{}>\r\nSubject: minutes\r\nMessage-ID: <{}>\r\n\r\nas promised\r\n"


# -- the clients ------------------------------------------------------------------------------


def imap_try(imap: IMAP4, account: str, password: str) -> None:
    try:
        imap.login(account, password)
    except IMAP4.error:
        assert password != PASSWORD


def smtp_try(smtp: smtplib.SMTP, account: str, password: str, mechanism: str = "PLAIN") -> None:
    """One try with one mechanism; smtplib's own `login` goes on to the next one."""
    smtp.user, smtp.password = account, password
    try:
        smtp.auth(mechanism, getattr(smtp, f"auth_{mechanism.lower()}"))
    except smtplib.SMTPAuthenticationError:
        assert password != PASSWORD


def imap_user(server: MailServer) -> None:
    """Mistypes the password once, in the same connection."""
    imap = server.speak_imap(IMAP_USER)
    imap_try(imap, ALICE, "wrong")
    imap_try(imap, ALICE, PASSWORD)
    imap.logout()


def imap_stranger(server: MailServer) -> None:
    imap = server.speak_imap(IMAP_STRANGER)
    imap_try(imap, "nobody@example.org", "wrong")
    imap_try(imap, "Root", "wrong")
    imap.logout()


def pop3_user(server: MailServer) -> None:
    for password in ("wrong", PASSWORD):
        pop3 = server.speak_pop3(POP3_USER)
        pop3.user(BOB)
        try:
            pop3.pass_(password)
        except error_proto:
            assert password != PASSWORD
        pop3.quit()


def pop3_stranger(server: MailServer) -> None:
    """Is gone as soon as it was refused."""
    pop3 = server.speak_pop3(POP3_STRANGER)
    pop3.user("admin")
    with pytest.raises(error_proto):
        pop3.pass_("wrong")
    pop3.close()


def sender(server: MailServer) -> None:
    smtp = server.speak_smtp(SENDER, server.submission)
    smtp_try(smtp, CAROL, "wrong", "LOGIN")
    smtp_try(smtp, CAROL, PASSWORD)
    smtp.sendmail(CAROL, [DORA, LEFT], LETTER.format(CAROL, "first@example.org"))
    refused = smtp.sendmail(
        CAROL,
        [EMIL, "nobody@example.org", "someone@down.example.net"],
        LETTER.format(CAROL, "second@example.org"),
    )
    assert list(refused) == ["nobody@example.org"]
    smtp.quit()


def submission_stranger(server: MailServer) -> None:
    smtp = server.speak_smtp(SUBMISSION_STRANGER, server.submission)
    smtp_try(smtp, EMIL, "wrong")
    smtp_try(smtp, "nobody@example.org", "wrong", "LOGIN")
    smtp.close()


def gives_up(server: MailServer) -> None:
    smtp = server.speak_smtp(GIVES_UP, server.submission)
    assert smtp.docmd("AUTH", "PLAIN")[0] == 334
    assert smtp.docmd("*")[0] == 501
    smtp.quit()


def outside(server: MailServer) -> None:
    """Another mail server."""
    smtp = server.speak_smtp(OUTSIDE, server.smtp)
    smtp.mail("news@example.com")
    assert smtp.rcpt("nobody@example.org")[0] == 550
    assert smtp.rcpt("someone@example.net")[0] == 554
    assert smtp.rcpt(BOB)[0] == 250
    assert smtp.data(LETTER.format("news@example.com", "third@example.com"))[0] == 250
    smtp.quit()


def no_login(server: MailServer) -> None:
    smtp = server.speak_smtp(NO_LOGIN, server.submission)
    smtp.mail(ALICE)
    assert smtp.rcpt("someone@example.net")[0] == 554
    smtp.quit()


def babbler(server: MailServer) -> None:
    smtp = server.speak_smtp(BABBLER, server.smtp)
    while smtp.docmd("PLEASE")[0] != 421:
        pass
    smtp.close()


def browser(server: MailServer) -> None:
    with socket.create_connection(("127.0.0.1", server.smtp), DEADLINE, (BROWSER, 0)) as http:
        assert http.recv(1000).startswith(b"220 ")
        http.sendall(b"GET / HTTP/1.1\r\nHost: mail.example.org\r\n\r\n")
        while http.recv(1000):
            pass


def hasty(server: MailServer) -> None:
    smtp = server.speak_smtp(HASTY, server.smtp)
    smtp.send(f"MAIL FROM:<a@example.com>\r\nRCPT TO:<{BOB}>\r\nDATA\r\nSubject: x\r\n\r\n")
    assert [smtp.getreply()[0] for _ in range(3)] == [250, 250, 503]
    smtp.close()


def silent(server: MailServer) -> None:
    server.speak_imap(SILENT).logout()
    server.speak_pop3(SILENT).quit()
    server.speak_smtp(SILENT, server.smtp).close()


def wrong_door(server: MailServer) -> None:
    """Shows credentials to a server that asks for none."""
    smtp = server.speak_smtp(WRONG_DOOR, server.smtp)
    given = base64.b64encode(b"\0alice\0wrong").decode()
    assert smtp.docmd("AUTH", f"PLAIN {given}")[0] == 503
    smtp.quit()


def guess_imap(account: str) -> Callable[[MailServer], None]:
    def guess(server: MailServer) -> None:
        imap = server.speak_imap(GUESSER)
        imap_try(imap, account, "123456")
        imap.logout()

    return guess


def guess_smtp(account: str) -> Callable[[MailServer], None]:
    def guess(server: MailServer) -> None:
        smtp = server.speak_smtp(GUESSER, server.submission)
        smtp_try(smtp, account, "123456")
        smtp.close()

    return guess


CLIENTS = (
    imap_user,
    imap_stranger,
    pop3_user,
    pop3_stranger,
    sender,
    submission_stranger,
    gives_up,
    outside,
    no_login,
    babbler,
    browser,
    hasty,
    silent,
    wrong_door,
    *map(guess_imap, ACCOUNTS),
    *map(guess_smtp, ACCOUNTS),
)


# -- what came of it --------------------------------------------------------------------------


class Told:
    """All events of both logs, read as one stream."""

    def __init__(self, server: MailServer, alerts: list[Alert]) -> None:
        self.alerts = alerts
        self.dead: list[DeadLine] = []
        logs = [
            (path.name, list(enumerate(path.read_bytes().splitlines())))
            for path in (server.postfix_log, server.dovecot_log)
        ]
        reader = Reader(ReadOptions(host=HOST), self.dead.append)
        self.events: list[Fact] = [event for _, event in reader.read(logs)]
        self.events += [event for _, event in reader.close()]
        self.nobodys = [line for _, lines in logs for _, line in lines if _is_nobodys(line)]

    def of(self, kind: type[Fact], **fields: str) -> list[Any]:
        return [
            event
            for event in self.events
            if isinstance(event, kind)
            and all(getattr(event, name) == value for name, value in fields.items())
        ]


def _is_nobodys(line: bytes) -> bool:
    reader = Reader(ReadOptions(host=HOST))
    list(reader.read([("", [(0, line)])]))
    return bool(reader.counts.nobody)


@pytest.fixture(scope="module")
def told(mail_server: MailServer) -> Iterator[Told]:
    """Everything that the clients did, seen by `mailwarden run` while they did it."""
    state = mail_server.folder / "state"
    settings = mail_server.folder / "mailwarden.toml"
    settings.write_text(
        f'[site]\nhost = "{HOST}"\n[http]\nlisten = ""\n'
        f'[response]\npanic = "{mail_server.folder}/panic"\n'
    )
    said = mail_server.folder / "said"
    with said.open("wb") as words:
        process = subprocess.Popen(
            [
                *(sys.executable, str(ROOT / "mailwarden.py"), "run", "-c", str(settings)),
                *(str(mail_server.postfix_log), str(mail_server.dovecot_log)),
            ],
            env={**os.environ, "STATE_DIRECTORY": str(state)},
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
        )
    try:
        wait_for(lambda: "metrics" in said.read_text(), "mailwarden follows the logs")
        with ThreadPoolExecutor(len(CLIENTS)) as clients:
            for done in [clients.submit(client, mail_server) for client in CLIENTS]:
                done.result()
        wait_for(lambda: _is_over(mail_server), "the servers are done")

        def accused() -> bool:
            with Store(state / "mailwarden.db") as store:
                return any(GUESSER in alert.clients for alert in store.alerts())

        wait_for(accused, "the guesser is found: " + said.read_text())
        with Store(state / "mailwarden.db") as store:
            alerts = store.alerts()
        yield Told(mail_server, alerts)
    finally:
        process.terminate()
        process.wait(DEADLINE)


def _is_over(server: MailServer) -> bool:
    """Each connection has ended. Of four messages one waits for a server that is down, the others
    are gone; one of them was a report."""
    postfix, dovecot = server.postfix_log.read_text(), server.dovecot_log.read_text()
    return (
        postfix.count("]: connect from ") == postfix.count("]: disconnect from ")
        and postfix.count(": removed\n") == 3
        and "status=deferred" in postfix
        and f"rip={POP3_STRANGER}," in dovecot
    )


def tries(told: Told, client: str) -> list[tuple[str, str, str, str, str, int]]:
    fields = ("account", "outcome", "reason", "mechanism", "service", "count")
    return sorted(
        tuple(getattr(auth, name) for name in fields) for auth in told.of(Auth, client=client)
    )


def test_no_line_is_nobodys_and_none_is_dead(told: Told) -> None:
    assert told.nobodys == []
    assert told.dead == []


def test_one_wrong_password_before_the_right_one_is_one_failure(told: Told) -> None:
    assert tries(told, IMAP_USER) == [
        (ALICE, "failed", "bad_password", "PLAIN", "imap", 1),
        (ALICE, "ok", "", "PLAIN", "imap", 1),
    ]
    assert tries(told, POP3_USER) == [
        (BOB, "failed", "bad_password", "PLAIN", "pop3", 1),
        (BOB, "ok", "", "PLAIN", "pop3", 1),
    ]
    assert tries(told, SENDER) == [
        (CAROL, "failed", "bad_password", "LOGIN", "submission", 1),
        (CAROL, "ok", "", "PLAIN", "submission", 1),
    ]


def test_accounts_that_do_not_exist_are_told_apart(told: Told) -> None:
    assert tries(told, IMAP_STRANGER) == [
        ("nobody@example.org", "failed", "unknown_account", "PLAIN", "imap", 1),
        ("root", "failed", "unknown_account", "PLAIN", "imap", 1),
    ]
    assert tries(told, POP3_STRANGER) == [
        ("admin", "failed", "unknown_account", "PLAIN", "pop3", 1),
    ]
    assert tries(told, SUBMISSION_STRANGER) == [
        (EMIL, "failed", "bad_password", "PLAIN", "submission", 1),
        ("nobody@example.org", "failed", "unknown_account", "LOGIN", "submission", 1),
    ]


def test_a_try_that_was_broken_off_is_none_and_one_at_the_wrong_door_is_one(told: Told) -> None:
    assert tries(told, GIVES_UP) == []
    assert tries(told, WRONG_DOOR) == [("", "failed", "rejected", "", "smtp", 1)]


def test_a_guesser_at_two_doors_is_counted_once_for_each_try(told: Told) -> None:
    assert tries(told, GUESSER) == sorted(
        (account, "failed", "bad_password", "PLAIN", service, 1)
        for account in ACCOUNTS
        for service in ("imap", "submission")
    )


def test_nobody_else_tried_to_log_in(told: Told) -> None:
    assert {auth.client for auth in told.of(Auth)} == {
        *(IMAP_USER, IMAP_STRANGER, POP3_USER, POP3_STRANGER, SENDER, SUBMISSION_STRANGER),
        *(WRONG_DOOR, GUESSER),
    }


def test_each_refused_recipient_has_its_verdict(told: Told) -> None:
    def refused(client: str) -> list[tuple[str, str, str, str, int]]:
        fields = ("account", "sender", "recipient", "verdict", "code")
        return [
            tuple(getattr(event, name) for name in fields)
            for event in told.of(Recipient, client=client)
        ]

    assert refused(OUTSIDE) == [
        ("", "news@example.com", "nobody@example.org", "unknown", 550),
        ("", "news@example.com", "someone@example.net", "relay_denied", 554),
    ]
    assert refused(NO_LOGIN) == [("", ALICE, "someone@example.net", "relay_denied", 554)]
    assert refused(SENDER) == [(CAROL, CAROL, "nobody@example.org", "unknown", 550)]
    assert refused(HASTY) == [("", "a@example.com", BOB, "refused", 503)]


def test_a_message_knows_who_sent_it_and_to_how_many(told: Told) -> None:
    first, second, third, report = sorted(
        told.of(Message), key=lambda message: (message.sender == "", message.message_id)
    )
    for message, message_id in ((first, "first@example.org"), (second, "second@example.org")):
        assert message.message_id == message_id
        assert (message.client, message.account, message.sender) == (SENDER, CAROL, CAROL)
        assert message.recipients == 2
        assert message.size > 0
    assert (third.client, third.account, third.sender) == (OUTSIDE, "", "news@example.com")
    assert (report.client, report.account, report.recipients) == ("", "", 1)


def test_each_recipient_has_one_delivery_with_its_sender(told: Told) -> None:
    fields = ("message_id", "recipient", "status", "client", "account", "sender")
    found = [structs.asdict(delivery) for delivery in told.of(Delivery)]
    report = next(m.message_id for m in told.of(Message, sender=""))
    assert sorted(tuple(one[name] for name in fields) for one in found) == sorted(
        [
            ("first@example.org", DORA, "sent", SENDER, CAROL, CAROL),
            ("first@example.org", LEFT, "bounced", SENDER, CAROL, CAROL),
            ("second@example.org", EMIL, "sent", SENDER, CAROL, CAROL),
            (
                "second@example.org",
                "someone@down.example.net",
                "deferred",
                SENDER,
                CAROL,
                CAROL,
            ),
            ("third@example.com", BOB, "sent", OUTSIDE, "", "news@example.com"),
            (report, CAROL, "sent", "", "", ""),
        ]
    )


def test_the_report_that_postfix_made_says_of_what_and_to_whom(told: Told) -> None:
    (bounce,) = told.of(Bounce)
    first = told.of(Message, message_id="first@example.org")[0]
    report = told.of(Message, sender="")[0]
    assert (bounce.direction, bounce.about, bounce.queue_id) == (
        "made",
        first.queue_id,
        report.queue_id,
    )
    assert (bounce.client, bounce.account) == (SENDER, CAROL)
    assert (bounce.recipient, bounce.failed_recipient) == (CAROL, LEFT)
    assert (bounce.status, bounce.code, bounce.enhanced) == ("bounced", 550, "5.1.1")
    assert bounce.reason == "user_unknown"


@pytest.mark.parametrize(
    ("client", "reasons"),
    [
        (BABBLER, {"too_many_errors"}),
        (BROWSER, {"non_smtp_command"}),
        (HASTY, {"pipelining", "non_smtp_command"}),
        (SENDER, set()),
        (OUTSIDE, set()),
    ],
)
def test_who_breaks_the_protocol_is_named(told: Told, client: str, reasons: set[str]) -> None:
    found = told.of(Connection, client=client, outcome="abuse")
    assert {connection.reason for connection in found} == reasons


def test_a_client_that_only_looks_in_comes_and_goes(told: Told) -> None:
    found = [(c.outcome, c.reason) for c in told.of(Connection, client=SILENT)]
    assert sorted(found) == [
        ("closed", "lost connection after EHLO"),
        ("closed", "no_auth_attempts"),
        ("closed", "no_auth_attempts"),
        ("opened", "no_reverse_name"),
    ]


def test_each_smtp_connection_ends_once(told: Told) -> None:
    for client in (SUBMISSION_STRANGER, GIVES_UP, OUTSIDE, NO_LOGIN, BABBLER, BROWSER, HASTY):
        outcomes = [connection.outcome for connection in told.of(Connection, client=client)]
        assert outcomes.count("opened") == outcomes.count("closed") == 1, client


def test_the_guesser_is_found_while_it_guesses(told: Told) -> None:
    (alert,) = [a for a in told.alerts if a.detector == "auth_dictionary" and GUESSER in a.clients]
    assert alert.subject.value == GUESSER


def test_who_mistyped_a_password_is_not_accused(told: Told) -> None:
    assert {client for alert in told.alerts for client in alert.clients} == {GUESSER}
