"""The server, asked over real sockets; the mail server's own words are in test_policy_postfix."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.events import Fact, Message
from schemas.findings import Decision, Target
from streams import metrics
from streams.blocklist import Blocklist
from streams.gateway import GatewayError
from streams.gateways.policy import TICK, Policy, PolicySettings
from streams.serving import _loop

DUNNO = b"action=DUNNO\n\n"
BAD = "203.0.113.9"
GOOD = "198.51.100.1"


def decided(action: Any = "drop", kind: Any = "network", value: str = BAD) -> Decision:
    return Decision(
        id=f"{kind}:{value}", target=Target(kind, value), action=action, until=9e9, enforced=True
    )


class Site:
    def __init__(self, *decisions: Decision) -> None:
        self.blocklist = Blocklist()
        for decision in decisions:
            assert self.blocklist.put(decision)
        self.published: list[Fact] = []
        self.broken = False

    def ruling(
        self,
        address: str = "",
        account: str = "",
        *,
        mailboxes: Iterable[str] = (),
        domains: Iterable[str] = (),
        ours: str = "",
    ) -> Decision | None:
        if self.broken:
            raise RuntimeError("the list is gone")
        return self.blocklist.lookup(
            0.0, address, account, mailboxes=mailboxes, domains=domains, ours=ours
        )

    def publish(self, events: Sequence[Fact]) -> None:
        self.published += events


class Client:
    """A mail server's side of one connection."""

    def __init__(self, place: Any) -> None:
        family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(10)
        try:
            self.socket.connect(place)
        except OSError:
            self.socket.close()
            raise

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def heard(self, answers: int = 1) -> bytes:
        """So many answers; less where the other side is done."""
        found = b""
        while found.count(b"\n\n") < answers and (more := self.socket.recv(4096)):
            found += more
        return found

    def ask(self, client: str = BAD, state: str = "RCPT", **more: object) -> str:
        self.say(question(client, state, **more))
        return self.heard().decode().removeprefix("action=").removesuffix("\n\n")

    def rest(self) -> bytes:
        """All until the other side closes."""
        found = b""
        while more := self.socket.recv(4096):
            found += more
        return found


def question(client: str = BAD, state: str = "RCPT", **more: object) -> bytes:
    values = {
        "request": "smtpd_access_policy",
        "protocol_state": state,
        "client_address": client,
        "sender": "a@example.net",
        "recipient": "b@example.org",
        **more,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items()).encode() + b"\n"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """Servers and clients of a test."""

    def __init__(self) -> None:
        self.policies: list[Policy] = []
        self.clients: list[Client] = []
        self.clock = Clock()
        self.lifted = False

    def serve(self, site: Site | None = None, **settings: Any) -> Policy:
        settings = {"listen": "127.0.0.1:0", "timeout": 60.0} | settings
        policy = Policy(PolicySettings(**settings), "policy", lambda: self.lifted, self.clock)
        policy.connect(site or Site(decided()))
        policy.apply([])
        self.policies.append(policy)
        return policy

    def call(self, policy: Policy) -> Client:
        client = Client(policy.address)
        self.clients.append(client)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.socket.close()
        for policy in self.policies:
            policy.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def test_one_connection_asks_again_and_again(bench: Bench) -> None:
    client = bench.call(bench.serve())
    assert client.ask(BAD) == "521 5.7.1 Refused [network:203.0.113.9]"
    assert client.ask(GOOD) == "DUNNO"
    assert client.ask(BAD, "CONNECT").startswith("521 ")
    assert client.ask("unknown") == "DUNNO"


def test_a_unix_socket_serves_alike(bench: Bench, tmp_path: Path) -> None:
    client = bench.call(bench.serve(listen=f"unix:{tmp_path}/policy"))
    assert client.ask(BAD).startswith("521 ")
    assert client.ask(GOOD) == "DUNNO"


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_who_closes_a_half_is_answered_and_let_go(bench: Bench, end: bytes) -> None:
    """As Exim's ${readsocket} does."""
    client = bench.call(bench.serve())
    client.say(question().rstrip(b"\n") + end)
    client.socket.shutdown(socket.SHUT_WR)
    assert client.rest().startswith(b"action=521 ")


def test_who_says_nothing_hears_nothing(bench: Bench) -> None:
    client = bench.call(bench.serve())
    client.socket.shutdown(socket.SHUT_WR)
    assert client.rest() == b""


@pytest.mark.parametrize(
    ("decision", "ask", "refused"),
    [
        (decided("lock", "account", "anna@example.org"), {"sasl_username": "Anna"}, True),
        (
            decided("lock", "account", "anna@example.org"),
            {"sasl_username": "anna@example.org"},
            True,
        ),
        (decided("lock", "account", "anna@example.org"), {}, False),
        (
            decided("reject", "client_account", f"{GOOD} anna@example.org"),
            {"sasl_username": "anna"},
            True,
        ),
        (decided("reject", "address", "b@example.org"), {}, True),
        (decided("reject", "address", "b@example.org"), {"recipient": "B+x@Example.org"}, True),
        (decided("reject", "address", "b+x@example.org"), {"recipient": "b+x@example.org"}, True),
        (decided("reject", "address", "a@example.net"), {}, True),
        (decided("reject", "address", "c@example.org"), {}, False),
        (decided("reject", "domain", "example.net"), {}, True),
        (decided("reject", "domain", "example.net"), {"sender": ""}, False),
        (decided("reject", "domain", "example.org"), {}, False),
    ],
)
def test_whom_a_decision_is_about(
    bench: Bench, decision: Decision, ask: dict[str, str], refused: bool
) -> None:
    client = bench.call(bench.serve(Site(decision), login_domain="example.org"))
    assert (client.ask(GOOD, **ask) != "DUNNO") is refused


def test_a_decision_for_one_domain_of_ours_rules_there(bench: Bench) -> None:
    site = Site(
        Decision(
            id="x",
            target=Target("network", BAD),
            action="reject",
            domain="example.org",
            until=9e9,
            enforced=True,
        )
    )
    client = bench.call(bench.serve(site))
    assert client.ask(recipient="b@example.org") == "REJECT 5.7.1 Refused [x]"
    assert client.ask(recipient="b@example.com") == "DUNNO"
    assert client.ask(sasl_username="c@example.org", recipient="b@example.com") != "DUNNO"


def test_what_was_done_about_a_message_is_remembered_for_its_instance(bench: Bench) -> None:
    client = bench.call(bench.serve(Site(decided("hold"))))
    answers = [client.ask(instance=number)[:5] for number in ("1", "1", "2", "2")]
    assert answers == ["HOLD ", "DUNNO", "HOLD ", "DUNNO"]
    assert [client.ask()[:5] for _ in range(2)] == ["HOLD ", "HOLD "]


def test_the_kill_switch_lets_all_pass_at_its_next_look(bench: Bench) -> None:
    policy = bench.serve()
    client = bench.call(policy)
    bench.lifted = True
    policy.apply([])
    assert client.ask(BAD) == "DUNNO"
    bench.lifted = False
    policy.apply([])
    assert client.ask(BAD) != "DUNNO"


def test_switched_off_it_lets_all_pass(bench: Bench) -> None:
    assert bench.call(bench.serve(enabled=False)).ask(BAD) == "DUNNO"


def test_a_decision_that_is_only_observed_lets_pass(bench: Bench) -> None:
    target = Target("network", BAD)
    site = Site(Decision(id="x", target=target, action="drop", until=9e9))
    assert bench.call(bench.serve(site)).ask(BAD) == "DUNNO"


@pytest.mark.parametrize("text", [b"nonsense\n\n", b"a=b\n\n", b"request=x\n" + b"y" * 40_000])
def test_nonsense_is_answered_neutrally_and_let_go(bench: Bench, text: bytes) -> None:
    client = bench.call(bench.serve())
    client.say(text)
    assert client.rest() == DUNNO


def test_another_kind_of_question_is_answered_neutrally(bench: Bench) -> None:
    client = bench.call(bench.serve())
    client.say(b"request=junk\nclient_address=" + BAD.encode() + b"\n\n")
    assert client.heard() == DUNNO
    assert client.ask(BAD) != "DUNNO"


def test_what_fails_is_answered_neutrally_and_logged_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(decided())
    client = bench.call(bench.serve(site))
    site.broken = True
    assert [client.ask(BAD) for _ in range(3)] == ["DUNNO"] * 3
    assert len(caplog.records) == 1
    site.broken = False
    assert client.ask(BAD) != "DUNNO"


def shed() -> float:
    return metrics.SHED.labels("policy")._value.get()


def test_one_connection_too_many_is_answered_neutrally_and_counted(bench: Bench) -> None:
    policy = bench.serve(connections=2)
    first, second = bench.call(policy), bench.call(policy)
    assert first.ask(BAD) != "DUNNO"
    assert second.ask(BAD) != "DUNNO"
    before = shed()
    third = bench.call(policy)
    third.say(question(BAD))
    assert third.heard() == DUNNO
    assert shed() == before + 1
    assert first.ask(BAD) != "DUNNO"


def test_who_finds_the_tarpit_full_is_let_pass_and_counted(bench: Bench) -> None:
    policy = bench.serve(Site(decided("tarpit", "network", "203.0.113.0/24")))
    first, second = bench.call(policy), bench.call(policy)
    before = shed()
    assert first.ask("203.0.113.1") == "sleep 5"
    assert second.ask("203.0.113.2") == "DUNNO"
    assert shed() == before + 1


def test_who_leaves_makes_room(bench: Bench, until: Callable[..., None]) -> None:
    policy = bench.serve(connections=1)
    first = bench.call(policy)
    assert first.ask(BAD) != "DUNNO"
    first.socket.close()
    until(lambda: not policy._connections)
    assert bench.call(policy).ask(BAD) != "DUNNO"


def test_what_had_to_wait_too_long_is_answered_neutrally_and_counted(
    bench: Bench, until: Callable[..., None]
) -> None:
    client = bench.call(bench.serve(timeout=0.2))
    assert client.ask(BAD) != "DUNNO"
    begun, go_on = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        go_on.wait()

    hog = threading.Thread(target=lambda: _loop().run(work()))
    hog.start()
    begun.wait()
    before = shed()
    client.say(question(BAD))
    bench.clock.now += 0.3
    enough = time.monotonic() + 2 * TICK  # of the loop's own time
    until(lambda: time.monotonic() > enough)
    go_on.set()
    hog.join()
    assert client.heard() == DUNNO
    assert shed() == before + 1
    until(lambda: client.ask(BAD) != "DUNNO")


def test_who_asks_without_waiting_is_answered_so_far_and_let_go(bench: Bench) -> None:
    client = bench.call(bench.serve())
    client.say(question() * 200)
    assert client.rest().count(b"action=521 ") < 200


def test_a_connection_that_fell_silent_is_closed(bench: Bench, until: Callable[..., None]) -> None:
    policy = bench.serve()
    client = bench.call(policy)
    assert client.ask(BAD) != "DUNNO"
    bench.clock.now += 601.0
    assert client.rest() == b""
    until(lambda: not policy._connections)


def test_closing_lets_go_of_all(bench: Bench) -> None:
    policy = bench.serve()
    client = bench.call(policy)
    assert client.ask(BAD) != "DUNNO"
    policy.close()
    assert client.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        bench.call(policy)


def test_a_socket_that_cannot_be_listened_at_is_let_go(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with monkeypatch.context() as patch:
        patch.setattr("streams.gateways.policy.bound", lambda settings: wrong)
        with pytest.raises(GatewayError, match="127"):
            bench.serve()
    assert wrong.fileno() == -1


def test_a_server_that_never_began_ends() -> None:
    policy = Policy(PolicySettings())
    _loop().run(policy.end())


# -- what it tells --------------------------------------------------------------------------------


def ask_all(client: Client, instance: str = "1", **more: object) -> None:
    """A message of two recipients, as Postfix asks about it; twice at the end, by two lists."""
    for state, count in [
        ("CONNECT", 0),
        ("MAIL", 0),
        ("RCPT", 0),
        ("RCPT", 1),
        ("DATA", 2),
        ("END-OF-MESSAGE", 2),
        ("END-OF-MESSAGE", 2),
    ]:
        client.ask(GOOD, state, instance=instance, recipient_count=count, size=9, **more)


def test_by_default_nothing_is_told(bench: Bench) -> None:
    site = Site()
    ask_all(bench.call(bench.serve(site)))
    assert site.published == []


def test_a_message_that_was_let_pass_is_told_once_where_that_is_switched_on(bench: Bench) -> None:
    site = Site()
    client = bench.call(bench.serve(site, report=True, host="mx1"))
    ask_all(client, queue_id="4F2A", sasl_username="anna@example.org")
    ask_all(client, "2")
    assert len(site.published) == 2
    told = site.published[0]
    assert told == Message(
        at=told.at,
        gateway="mx1",
        source="policy",
        client=GOOD,
        account="anna@example.org",
        sender="a@example.net",
        queue_id="4F2A",
        recipients=2,
        size=9,
    )


def test_what_is_refused_is_not_told(bench: Bench) -> None:
    site = Site(decided("drop", "network", GOOD))
    ask_all(bench.call(bench.serve(site, report=True)))
    assert site.published == []


def test_nobody_to_tell_is_no_reason_to_fail(bench: Bench) -> None:
    policy = bench.serve(report=True)
    policy._site = None
    ask_all(bench.call(policy))
    assert not policy._failed


def test_answers_are_counted(bench: Bench, until: Callable[..., None]) -> None:
    def count(answer: str) -> float:
        return metrics.ANSWERS.labels("policy", answer)._value.get()

    before = count("drop"), count("neutral")
    client = bench.call(bench.serve())
    for address in (BAD, BAD, GOOD):
        client.ask(address)
    until(lambda: (count("drop"), count("neutral")) == (before[0] + 2, before[1] + 1))


def test_it_answers_on_while_another_thread_changes_the_list(bench: Bench) -> None:
    site = Site()
    client = bench.call(bench.serve(site))
    done = threading.Event()

    def change() -> None:
        for number in range(2000):
            site.blocklist.put(decided("drop", "network", f"198.18.{number % 250}.{number // 250}"))
            site.blocklist.put(decided("drop", "network", BAD))
            site.blocklist.remove(f"network:{BAD}")
        done.set()

    thread = threading.Thread(target=change)
    thread.start()
    answers = {client.ask(BAD)[:5]}
    while not done.is_set():
        answers.add(client.ask(BAD)[:5])
    thread.join()
    assert answers <= {"DUNNO", "521 5"}
    assert client.ask("198.18.1.1") != "DUNNO"
