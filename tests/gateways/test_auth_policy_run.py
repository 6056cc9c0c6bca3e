"""Reports of Dovecot, all the way: `run` in this process, asked over HTTP."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents import configuration
from agents.commands.topics import make
from agents.edge.gateway import Edge
from agents.single.embedded import Embedded
from agents.single.store import Store
from schemas import wire
from schemas.findings import Alert, Decision, Target, decision_id
from schemas.settings import KafkaSettings, Settings, convert
from streams.gateways.auth_policy import AuthPolicy
from streams.memory_bus import MemoryBus
from streams.sources.follow import Follow

GUESSER = "203.0.113.9"
PHONE = "198.51.100.7"
ALICE = "alice@example.org"
WEEK = 8 * 86400.0
Until = Callable[[Callable[[], object]], None]


class Run:
    """`mailwarden run` without the process, which has seen logins for more than a week."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "mail.log"
        self.log.touch()
        self.store = Store(folder / "mailwarden.db")
        self.later = 0.0  # seconds that the clock is ahead
        table = {
            "logs": {"files": [str(self.log)]},
            "site": {"host": "mx1", "domains": ["example.org"]},
            "response": {"enforce": True, "panic": str(folder / "panic")},
            "detectors": {"auth_dictionary": {"enforce": True}},
            "gateways": {"auth_policy": {"listen": "127.0.0.1:0"}},
        }
        self._table = table
        self.begin()

    def begin(self) -> None:
        config = configuration.build(convert(self._table, Settings, "settings"))
        self.embedded = Embedded(
            config,
            self.store,
            lambda config, positions: Follow(config.settings.logs.files, positions=positions),
            clock=lambda: time.time() + self.later,
        )
        shard = self.embedded._shard
        shard.begun = shard.begun or time.time() - WEEK
        self.embedded.flush()
        (self.gateway,) = config.gateways
        assert isinstance(self.gateway, AuthPolicy)
        self.gateway._clock = lambda: time.time() + self.later
        self.gateway._machine = "mx1.example.org"

    def write(self, *lines: str) -> None:
        stamp = datetime.fromtimestamp(time.time() + self.later, UTC).isoformat()
        with self.log.open("a") as file:
            file.writelines(f"{stamp} mx1 dovecot: {line}\n" for line in lines)

    def turn(self) -> None:
        self.embedded._next_flush = self.embedded._next_second = 0.0
        self.embedded.turn()

    def post(self, command: str, client: str, **more: Any) -> Any:
        body = {"login": ALICE, "remote": client, "protocol": "imap", "mech": "PLAIN", **more}
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=10)
        connection.request("POST", f"/?command={command}", json.dumps(body).encode())
        said = json.loads(connection.getresponse().read())
        connection.close()
        return said

    def fail(self, client: str, number: int, **more: Any) -> None:
        self.post("report", client, pwhash=f"{number:04x}", success=False, **more)

    def status(self, client: str) -> int:
        return int(self.post("allow", client)["status"])

    def settle(self) -> None:
        for _ in range(3):
            self.turn()

    def alerts(self) -> dict[str, Alert]:
        self.settle()
        return {alert.detector: alert for alert in self.store.alerts()}

    def listens(self) -> bool:
        self.turn()
        return bool(self.gateway.port)


@pytest.fixture
def run(tmp_path: Path, until: Until) -> Iterator[Run]:
    made = Run(tmp_path)
    until(made.listens)
    yield made
    made.embedded.close()
    made.store.close()


def test_ten_passwords_are_guesses_and_are_refused_until_the_lease_ends(
    run: Run, until: Until
) -> None:
    for number in range(9):
        run.fail(GUESSER, number)
    assert "auth_dictionary" not in run.alerts()
    run.fail(GUESSER, 9)
    alert = run.alerts()["auth_dictionary"]
    assert (alert.shape, alert.clients) == ("guessing", [GUESSER])
    assert run.status(GUESSER) == -1
    assert alert.id in run.post("allow", GUESSER)["msg"]
    assert run.status(PHONE) == 0
    for number in range(20):  # refused attempts alone make no lease longer
        run.fail(GUESSER, number, policy_reject=True)
    run.later = 700.0
    run.settle()
    assert run.status(GUESSER) == 0
    run.fail(GUESSER, 30, policy_reject=True)
    run.settle()
    assert run.status(GUESSER) == 0


def test_a_phone_with_an_old_password_is_no_guesser(run: Run) -> None:
    for _ in range(40):
        run.fail(PHONE, 7)
    alerts = run.alerts()
    assert set(alerts) == {"stale_client"}
    assert alerts["stale_client"].severity == "info"
    assert run.status(PHONE) == 0


def test_the_logs_own_lines_are_counted_once(run: Run, until: Until) -> None:
    failed = "imap-login: Info: Disconnected (auth failed, 1 attempts in 2 secs):"
    for number in range(6):
        run.fail(GUESSER, number)
        run.write(f"{failed} user=<{ALICE}>, method=PLAIN, rip={GUESSER}, session=<s{number}>")
        run.settle()
    run.embedded.close()
    run.begin()  # another process goes on, and knows what was reported
    until(run.listens)
    run.write(f"{failed} user=<{ALICE}>, method=PLAIN, rip={GUESSER}, session=<s9>")
    for number in range(6, 9):
        run.fail(GUESSER, number)
    assert "auth_dictionary" not in run.alerts()
    run.fail(GUESSER, 9)
    evidence = {one.sign: one.count for one in run.alerts()["auth_dictionary"].evidence}
    assert evidence["passwords at one account"] == evidence["failures in a day"] == 10


def test_a_login_without_its_domain_is_ruled_by_what_was_decided_about_the_account(
    run: Run, until: Until
) -> None:
    target = Target("account", ALICE)
    run.store.put_decision(
        Decision(
            id=decision_id(target, "lock"),
            target=target,
            action="lock",
            origin="manual",
            until=time.time() + 60,
            enforced=True,
        )
    )
    run.embedded._next_look = 0.0
    run.settle()
    for login in ("ALICE", ALICE, "alice+shop@example.org"):
        assert run.post("allow", PHONE, login=login)["status"] == -1, login
    assert run.post("allow", PHONE, login="bob")["status"] == 0


def test_an_edge_answers_alike_and_sends_on_what_is_reported(
    run: Run, until: Until, tmp_path: Path
) -> None:
    bus = MemoryBus()
    make(bus, KafkaSettings())
    config = configuration.build(convert(run._table, Settings, "settings"))
    edge = Edge(config, lambda: bus, tmp_path / "decisions.json")
    (gateway,) = config.gateways
    assert isinstance(gateway, AuthPolicy)
    gateway._machine = "mx1.example.org"
    run.gateway = gateway
    target = Target("network", GUESSER)
    decision = Decision(
        id=decision_id(target, "drop"),
        target=target,
        action="drop",
        until=time.time() + 60,
        enforced=True,
    )
    try:
        bus.publish("mail.decisions", decision.id.encode(), wire.encode(decision))

        def refuses() -> bool:
            edge.turn()
            return bool(gateway.port) and run.status(GUESSER) == -1

        until(refuses)
        assert run.status(PHONE) == 0
        run.fail(GUESSER, 1, host="mx1.example.org")
        subscription = bus.subscribe(["mail.events"], None)
        found: list[Any] = []

        def sent() -> bool:
            edge.turn()
            found.extend(subscription.poll(0.0))
            return bool(found)

        until(sent)
        (event,) = wire.decode_events(found[0].value)
        assert (event.gateway, event.source) == ("mx1", "auth_policy")
    finally:
        edge.close()
