"""The real Postfix asks: what the documentation says to configure is what is configured here."""

import re
import smtplib
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from schemas.events import Fact, Message
from schemas.findings import Action, Decision, Target, decision_id
from streams.gateways.policy import Policy, PolicySettings
from streams.reader import Reader, ReadOptions
from tests.gateways.closed_loop import Mailwarden
from tests.gateways.test_policy_server import Site
from tools.kafka import free_ports

pytestmark = pytest.mark.servers

BAD = "203.0.113.9"
GOOD = "198.51.100.1"
PORT = "127.0.0.1:10031"  # in the documentation
LETTER = "Subject: minutes\r\n\r\nas promised\r\n"


class Server:
    """Postfix, configured as documented: `mx` takes mail, `submission` takes logins."""

    def __init__(
        self,
        postfix: Any,
        documented: Callable[..., str],
        listen: str = "",
        patience: str = "30s",
    ) -> None:
        """`patience` with an answer is the test's own: a machine may be slower than a server."""
        self.postfix = postfix
        self.mx = postfix.port
        self.submission, port = free_ports(2)
        self.listen = listen or f"127.0.0.1:{port}"
        ours = {PORT: self.listen}
        if self.listen.startswith("unix:"):
            ours = {f"inet:{PORT}": f"unix:{Path(self.listen[5:]).name}"}
        ours["timeout=1s"] = f"timeout={patience}"
        with (postfix.config / "main.cf").open("a") as file:
            file.write(documented("policy", "main.cf", ours))
            file.write(
                "smtpd_authorized_xclient_hosts = 127.0.0.1\n"
                "recipient_delimiter = +\n"
                "smtpd_error_sleep_time = 0\n"
                "smtpd_hard_error_limit = 1000\n"
            )
        service = (
            f"127.0.0.1:{self.submission} inet n - n - - smtpd\n  -o syslog_name=postfix/submission"
        )
        wanted = {"submission inet n       -       y       -       -       smtpd": service}
        with (postfix.config / "master.cf").open("a") as file:
            file.write(documented("policy", "master.cf", wanted))
        postfix.set("-e", "local_recipient_maps=inline:{ { bob@example.org = there } }")
        self.passwords = postfix.take_logins()
        postfix.set("-e", "smtpd_sasl_auth_enable=no")  # but for submission
        postfix.start()

    @property
    def log(self) -> Path:
        path: Path = self.postfix.folder / "log"
        return path

    def speak(self, client: str, port: int = 0, login: str = "") -> smtplib.SMTP:
        """From an address that this machine need not have. Raises SMTPResponseException where
        that is refused at once."""
        smtp = smtplib.SMTP("127.0.0.1", port or self.mx, "client.example.net", timeout=30)
        smtp.ehlo()
        code, said = smtp.docmd("XCLIENT", f"ADDR={client} NAME=[UNAVAILABLE]")
        if code != 220:
            smtp.close()
            raise smtplib.SMTPResponseException(code, said)
        smtp.ehlo()
        if login:
            smtp.login(login, "right", initial_response_ok=True)
        return smtp

    def recipient(
        self, client: str, login: str = "", to: str = "bob@example.org", sender: str = ""
    ) -> tuple[int, str]:
        """The reply to RCPT TO, of a message that is not sent."""
        with self.speak(client, self.submission if login else self.mx, login) as smtp:
            assert smtp.mail(sender or "a@example.net")[0] == 250
            code, said = smtp.rcpt(to)
            return code, said.decode()

    def send(self, client: str, login: str = "", recipients: int = 1) -> int:
        """The code of the reply to a whole message."""
        with self.speak(client, self.submission if login else self.mx, login) as smtp:
            smtp.mail("a@example.net")
            for number in range(recipients):
                assert smtp.rcpt(f"bob+{number}@example.org")[0] == 250
            try:
                return smtp.data(LETTER.encode())[0]
            except smtplib.SMTPDataError as error:
                return error.smtp_code

    def greeting(self, client: str) -> int:
        """The code that a client of submission is greeted with."""
        try:
            with self.speak(client, self.submission):
                return 220
        except smtplib.SMTPResponseException as error:
            return error.smtp_code


@pytest.fixture
def server(postfix: Any, documented: Callable[..., str]) -> Server:
    return Server(postfix, documented)


@pytest.fixture
def serve(server: Server) -> Iterator[Callable[..., Policy]]:
    made: list[Policy] = []

    def make(*decisions: Decision, site: Site | None = None, **settings: Any) -> Policy:
        settings = {"listen": server.listen, "tarpit": 1, "timeout": 60.0} | settings
        policy = Policy(PolicySettings(**settings))
        policy.connect(site or Site(*decisions))
        policy.apply([])
        made.append(policy)
        return policy

    yield make
    for policy in made:
        policy.close()


def decided(action: Action, kind: str = "network", value: str = BAD) -> Decision:
    target = Target(kind, value)  # type: ignore[arg-type]
    name = decision_id(target, action)
    return Decision(id=name, target=target, action=action, until=9e9, enforced=True)


def test_smtpd_does_what_each_answer_says(server: Server, serve: Callable[..., Policy]) -> None:
    actions: tuple[Action, ...] = (
        "drop",
        "reject",
        "hold",
        "greylist",
        "tarpit",
        "stamp",
        "observe",
    )
    clients = {action: f"203.0.113.{number}" for number, action in enumerate(actions, 1)}
    serve(*(decided(action, value=client) for action, client in clients.items()))
    replies = {action: server.recipient(client) for action, client in clients.items()}
    assert {action: code for action, (code, _) in replies.items()} == {
        "drop": 521,
        "reject": 554,
        "hold": 250,
        "greylist": 450,
        "tarpit": 250,
        "stamp": 250,
        "observe": 250,
    }
    assert replies["reject"][1] == (
        "5.7.1 <bob@example.org>: Recipient address rejected: Refused [network:203.0.113.2:reject]"
    )
    assert server.recipient(GOOD)[0] == 250
    assert "warning" not in server.log.read_text()


def test_held_mail_lies_on_hold_and_stamped_mail_bears_the_mark(
    server: Server, serve: Callable[..., Policy], until: Callable[..., None]
) -> None:
    serve(decided("hold"), decided("stamp", value=GOOD))
    assert server.send(BAD, recipients=2) == 250
    assert server.send(GOOD, recipients=2) == 250
    queue = server.postfix.folder / "queue"
    until(lambda: list((queue / "hold").glob("*")))
    kept = [*queue.glob("[a-z]*/*"), *queue.glob("deferred/*/*")]
    marked = [
        path for path in kept if path.is_file() and b"Mailwarden-Decision" in path.read_bytes()
    ]
    assert len(marked) == 1
    assert marked[0].read_bytes().count(b"Mailwarden-Decision: [network:198.51.100.1:stamp]") == 1


def test_what_a_login_may_do_is_decided_at_submission(
    server: Server, serve: Callable[..., Policy]
) -> None:
    serve(
        decided("lock", "account", "alice@example.org"),
        decided("reject", "client_account", f"{BAD} bob@example.org"),
        decided("drop", "account", "carol@example.org"),
        decided("limit", "account", "dora@example.org"),
        login_domain="example.org",
        limit=3,
    )
    code, said = server.recipient(GOOD, "alice")
    assert code == 525
    assert said == (
        "5.7.13 <bob@example.org>: Recipient address rejected: This account may not send mail now"
        " [account:alice@example.org:lock]"
    )
    assert server.recipient(GOOD, "carol@example.org")[0] == 521
    assert server.recipient(BAD, "bob")[0] == 525
    assert server.recipient(GOOD, "bob")[0] == 250
    assert server.send(GOOD, "dora", recipients=2) == 250
    assert server.send(GOOD, "dora", recipients=2) == 450
    assert server.send(GOOD, "dora", recipients=1) == 250
    assert server.recipient(GOOD, "dora")[0] == 450
    assert server.send(GOOD, "emil", recipients=5) == 250


def test_mail_to_and_from_what_is_refused_by_name(
    server: Server, serve: Callable[..., Policy]
) -> None:
    serve(
        decided("reject", "address", "trap@example.org"), decided("drop", "domain", "example.com")
    )
    code, said = server.recipient(GOOD, to="Trap@example.org")
    assert (code, said.partition("rejected: ")[2]) == (
        554,
        "Mail to or from this address is refused [address:trap@example.org:reject]",
    )
    assert server.recipient(GOOD, sender="x@Example.com")[0] == 554
    assert server.recipient(GOOD)[0] == 250


def test_a_deferred_sender_comes_again_and_is_let_pass(
    server: Server, serve: Callable[..., Policy]
) -> None:
    policy = serve(decided("greylist"), greylist=300, timeout=1e6)  # the clock will jump
    assert server.recipient(BAD)[0] == 450
    assert server.recipient(BAD)[0] == 450
    was = policy.now
    policy.now = lambda: was() + 300.0
    assert server.recipient(BAD)[0] == 250


def test_a_unix_socket_is_asked_alike(postfix: Any, documented: Callable[..., str]) -> None:
    path = postfix.folder / "queue" / "asked"
    server = Server(postfix, documented, f"unix:{path}")
    policy = Policy(PolicySettings(listen=server.listen, group="postfix", timeout=60.0))
    policy.connect(Site(decided("reject")))
    policy.apply([])
    try:
        assert server.recipient(BAD)[0] == 554
        assert server.recipient(GOOD)[0] == 250
    finally:
        policy.close()


# -- without us -----------------------------------------------------------------------------------


def test_mail_is_taken_while_nobody_answers(server: Server, serve: Callable[..., Policy]) -> None:
    policy = serve(decided("reject"))
    assert server.recipient(BAD)[0] == 554
    policy.close()
    assert server.recipient(BAD)[0] == 250
    assert server.send(GOOD) == 250
    assert server.greeting(BAD) == 220
    serve(decided("reject"))
    assert server.recipient(BAD)[0] == 554


def test_mail_is_taken_while_a_server_hangs(postfix: Any, documented: Callable[..., str]) -> None:
    server = Server(postfix, documented, patience="1s")
    host, _, port = server.listen.rpartition(":")
    with socket.create_server((host, int(port))):
        assert server.recipient(BAD)[0] == 250
    assert "problem talking to server" in server.log.read_text()


def test_mail_is_taken_while_we_have_no_room(server: Server, serve: Callable[..., Policy]) -> None:
    serve(decided("reject"), connections=1)
    with server.speak(GOOD) as first:
        first.mail("a@example.net")
        assert first.rcpt("bob@example.org")[0] == 250
        assert server.recipient(BAD)[0] == 250  # another smtpd
        assert first.rcpt("bob+1@example.org")[0] == 250


# -- the closed loop ------------------------------------------------------------------------------


@pytest.fixture
def mailwarden(
    server: Server, documented: Callable[..., str]
) -> Iterator[Callable[..., Mailwarden]]:
    made: list[Mailwarden] = []
    text = documented("policy", "mailwarden.toml", {PORT: server.listen})

    def start(**policy: Any) -> Mailwarden:
        policy = {"timeout": 60.0} | policy
        made.append(Mailwarden(server.log, server.postfix.folder, text, **policy))
        return made[-1]

    yield start
    for each in made:
        each.close()


def harvest(server: Server, count: int) -> None:
    """Guesses names, none of which exists."""
    with server.speak(BAD) as smtp:
        for number in range(count):
            smtp.mail("a@example.net")
            smtp.rcpt(f"name{number}@example.org")
            smtp.rset()


def test_who_guesses_addresses_is_refused_until_the_lease_ends(
    server: Server, mailwarden: Callable[..., Mailwarden], until: Callable[..., None]
) -> None:
    """First it sleeps; who goes on is refused."""
    running = mailwarden(tarpit=1)
    assert server.recipient(BAD)[0] == 250
    harvest(server, 12)

    def refused() -> bool:
        running.turn()
        harvest(server, 1)
        return server.recipient(BAD)[0] == 554

    until(refused)
    assert server.recipient(GOOD)[0] == 250
    assert re.search(r"\[[0-9a-f]{16}\]$", server.recipient(BAD)[1])  # the alert
    decisions = {decision.action for decision in running.store.decisions(running.clock())}
    assert decisions == {"tarpit", "reject"}

    def served() -> bool:
        running.turn()
        return server.recipient(BAD)[0] == 250

    running.clock.ahead = 2 * running.embedded.config.settings.response.first
    until(served)
    assert server.recipient(GOOD)[0] == 250


def test_who_guesses_passwords_is_refused_before_the_next_guess(
    server: Server, mailwarden: Callable[..., Mailwarden], until: Callable[..., None]
) -> None:
    running = mailwarden()
    with (
        server.speak(BAD, server.submission) as smtp,
        pytest.raises(smtplib.SMTPAuthenticationError),
    ):
        smtp.login("trap@example.org", "wrong")
    tries = len(server.passwords.tries)

    def refused() -> bool:
        running.turn()
        return server.greeting(BAD) == 521

    until(refused)
    with pytest.raises(smtplib.SMTPResponseException):
        server.recipient(BAD, "trap@example.org")
    assert len(server.passwords.tries) == tries
    assert server.recipient(GOOD, "bob@example.org")[0] == 250
    running.panic.touch()
    until(lambda: not refused())
    running.panic.unlink()
    until(refused)
    running.clock.ahead = 8 * 86400.0
    until(lambda: not refused())


# -- nothing counts twice -------------------------------------------------------------------------


def of_the_log(server: Server) -> list[Fact]:
    """What Postfix's log alone amounts to."""
    lines = list(enumerate(server.log.read_bytes().splitlines(keepends=True)))
    reader = Reader(ReadOptions())
    found = [event for _, event in reader.read([("log", iter(lines))])]
    return found + [event for _, event in reader.close()]


def alike(events: Iterable[Fact]) -> list[Fact]:
    """In one order, wherever their lines lay."""
    return sorted((structs.replace(event, offset=-1) for event in events), key=repr)


def traffic(server: Server) -> None:
    harvest(server, 9)
    assert server.send(GOOD, recipients=3) == 250
    assert server.send(GOOD, "bob@example.org", recipients=2) == 250
    server.recipient(GOOD, "bob@example.org")


def test_what_the_log_tells_is_counted_once_though_postfix_asked_as_well(
    server: Server, mailwarden: Callable[..., Mailwarden], until: Callable[..., None]
) -> None:
    """Nine guesses are no harvest, ten are; here each of the nine was asked about and logged."""
    running = mailwarden()
    traffic(server)

    def all_read() -> bool:
        running.turn()
        return alike(running.folded) == alike(of_the_log(server))

    until(all_read)
    assert sum(isinstance(event, Message) for event in running.folded) == 2
    [policy] = running.embedded.config.gateways
    assert isinstance(policy, Policy)
    assert policy._asked > 0
    assert running.store.alerts() == []
    harvest(server, 10)
    until(lambda: running.turn() or running.store.alerts())
    assert running.store.alerts()[0].evidence[0].count == 10


def test_without_the_log_postfix_tells_us_of_the_same_messages(
    server: Server, serve: Callable[..., Policy], until: Callable[..., None]
) -> None:
    for service, ours in ((server.mx, "mailwarden"), (server.submission, "mailwarden_submission")):
        name = f"127.0.0.1:{service}/inet/smtpd_end_of_data_restrictions"
        server.postfix.set("-P", f"{name}=${ours}")
    server.postfix.run("postfix", "reload")
    site = Site()
    serve(site=site, report=True, host="mx")
    traffic(server)

    def known(events: Iterable[Fact]) -> list[tuple[str, str, str, str, str, int]]:
        return [
            (e.gateway, e.client, e.account, e.sender, e.queue_id, e.recipients)
            for e in events
            if isinstance(e, Message)
        ]

    assert len(site.published) == 2
    until(lambda: known(of_the_log(server)) == known(site.published))
