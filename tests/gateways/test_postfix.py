import contextlib
import os
import shlex
import smtplib
import stat
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert

from schemas.findings import Action, Decision, Target, decision_id
from streams.blocklist import Blocklist
from streams.gateway import GatewayError
from streams.gateways.postfix import Postfix, PostfixSettings


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def decided(
    value: str = "192.0.2.1",
    action: Action = "drop",
    *,
    kind: str = "network",
    enforced: bool = True,
    until: float = 2000.0,
) -> Decision:
    target = Target(kind, value)  # type: ignore[arg-type]
    return Decision(
        id=decision_id(target, action),
        target=target,
        action=action,
        until=until,
        enforced=enforced,
    )


class Reloads:
    """A program in the place of postfix(1), which notes how it was called."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "postfix"
        self.calls = folder / "calls"
        self.calls.touch()
        self.wait = folder / "wait"
        self.status = folder / "status"
        self.status.write_text("0")
        os.mkfifo(self.wait)
        self.path.write_text(
            f'#!/bin/sh\necho "$*" >> {self.calls}\n'
            f'[ -e {folder}/slow ] && read _ < {self.wait}\nexit "$(cat {self.status})"\n'
        )
        self.path.chmod(0o755)
        self.slow = folder / "slow"
        self.callers: list[Postfix] = []

    @property
    def count(self) -> int:
        return len(self.calls.read_text().splitlines())


@pytest.fixture
def reloads(tmp_path: Path) -> Iterator[Reloads]:
    found = Reloads(tmp_path)
    yield found
    for gateway in found.callers:
        gateway._reload.wait()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "clients.cidr"


@pytest.fixture
def gateway(reloads: Reloads, clock: Clock, table: Path) -> Postfix:
    return made(reloads, clock, table)


def made(reloads: Reloads, clock: Clock, table: Path, **more: Any) -> Postfix:
    lifted = more.pop("lifted", lambda: False)
    settings = PostfixSettings(clients=str(table), postfix=str(reloads.path), **more)
    gateway = Postfix(settings, lifted=lifted, clock=clock)
    reloads.callers.append(gateway)
    return gateway


def test_the_table_is_written_and_read_once(
    gateway: Postfix, reloads: Reloads, table: Path, until: Callable[..., None]
) -> None:
    assert not gateway.apply([decided()])
    assert "192.0.2.1/32 521 " in table.read_text()
    until(lambda: gateway.apply([decided()]))
    assert reloads.calls.read_text() == "reload\n"
    assert gateway.apply([decided()])
    assert reloads.count == 1


def test_to_lift_everything_waits_for_no_rate(
    gateway: Postfix, reloads: Reloads, table: Path, until: Callable[..., None]
) -> None:
    until(lambda: gateway.apply([decided()]))
    assert not gateway.apply([])
    assert "192.0.2.1" not in table.read_text()
    until(lambda: gateway.apply([]))
    assert reloads.count == 2
    gateway.apply([decided()])  # to block again does
    assert not gateway.apply([decided()])
    assert reloads.count == 2


def test_what_is_only_observed_is_not_enforced(gateway: Postfix, table: Path) -> None:
    gateway.apply([decided(enforced=False), decided("192.0.2.2")])
    assert "192.0.2.1" not in table.read_text()
    assert "192.0.2.2" in table.read_text()


def test_an_instance_is_named_to_its_programs(
    reloads: Reloads, clock: Clock, table: Path, until: Callable[..., None]
) -> None:
    gateway = made(reloads, clock, table, config_directory="/etc/postfix-in")
    until(lambda: gateway.apply([]))
    assert reloads.calls.read_text() == "-c /etc/postfix-in reload\n"


def test_after_a_start_postfix_is_made_to_read_what_lies_there(
    reloads: Reloads, clock: Clock, table: Path, until: Callable[..., None]
) -> None:
    for _ in range(2):
        gateway = made(reloads, clock, table)
        until(lambda gateway=gateway: gateway.apply([decided()]))
    assert reloads.count == 2


def test_a_text_that_stays_the_same_needs_no_reload(
    gateway: Postfix, reloads: Reloads, until: Callable[..., None]
) -> None:
    until(lambda: gateway.apply([decided()]))
    unreachable = decided("alice@example.org", "limit", kind="account")
    assert gateway.apply([decided(), unreachable])
    assert reloads.count == 1


def test_reloads_keep_a_distance(
    gateway: Postfix, reloads: Reloads, clock: Clock, table: Path, until: Callable[..., None]
) -> None:
    until(lambda: gateway.apply([decided()]))
    other = [decided("192.0.2.2")]
    clock.now += 4.9
    assert not gateway.apply(other)
    assert "192.0.2.1" not in table.read_text()
    assert reloads.count == 1
    clock.now += 0.1
    until(lambda: gateway.apply(other))
    assert reloads.count == 2


def test_a_change_during_a_reload_is_read_by_another(
    gateway: Postfix, reloads: Reloads, clock: Clock, until: Callable[..., None]
) -> None:
    reloads.slow.touch()
    assert not gateway.apply([decided()])
    until(lambda: reloads.count == 1)
    assert not gateway.apply([decided(), decided("192.0.2.2")])
    reloads.slow.unlink()
    reloads.wait.write_text("go on\n")
    clock.now += 5
    until(lambda: gateway.apply([decided(), decided("192.0.2.2")]))
    assert reloads.count == 2


def test_a_reload_that_fails_is_told_and_tried_again(
    gateway: Postfix, reloads: Reloads, clock: Clock, until: Callable[..., None]
) -> None:
    reloads.status.write_text("1")
    assert not gateway.apply([decided()])
    gateway._reload.wait()
    with pytest.raises(GatewayError, match="postfix reload: exit status 1"):
        gateway.apply([decided()])
    reloads.status.write_text("0")
    assert not gateway.apply([decided()])
    assert reloads.count == 1
    clock.now += 5
    until(lambda: gateway.apply([decided()]))
    assert reloads.count == 2


def test_a_missing_program_is_an_error_that_names_it(clock: Clock, table: Path) -> None:
    gateway = Postfix(PostfixSettings(clients=str(table), postfix="/none/postfix"), clock=clock)
    for _ in range(2):
        assert not gateway.apply([decided()])
        gateway._reload.wait()
        with pytest.raises(GatewayError, match="/none/postfix: No such file"):
            gateway.apply([decided()])
        clock.now += 5


def test_a_table_that_cannot_be_written_is_an_error_that_names_it(
    reloads: Reloads, clock: Clock, tmp_path: Path, until: Callable[..., None]
) -> None:
    table = tmp_path / "no" / "clients.cidr"
    gateway = made(reloads, clock, table)
    with pytest.raises(GatewayError, match=r"no/clients\.cidr: No such file"):
        gateway.apply([decided()])
    table.parent.mkdir()
    until(lambda: gateway.apply([decided()]))
    assert "192.0.2.1" in table.read_text()


def test_mode_of_the_table_is_kept(gateway: Postfix, table: Path) -> None:
    table.touch(0o600)
    gateway.apply([decided()])
    assert stat.S_IMODE(table.stat().st_mode) == 0o600


def test_the_kill_switch_lifts_everything_and_gives_it_back(
    reloads: Reloads, clock: Clock, table: Path, tmp_path: Path, until: Callable[..., None]
) -> None:
    panic = tmp_path / "panic"
    gateway = made(reloads, clock, table, lifted=panic.exists, reload_interval=0.0)
    until(lambda: gateway.apply([decided()]))
    panic.touch()
    until(lambda: gateway.apply([decided()]))
    assert "192.0.2.1" not in table.read_text()
    panic.unlink()
    until(lambda: gateway.apply([decided()]))
    assert "192.0.2.1" in table.read_text()


def test_a_gateway_that_is_switched_off_lifts_what_it_held(
    reloads: Reloads, clock: Clock, table: Path, until: Callable[..., None]
) -> None:
    table.write_text("192.0.2.1/32 521 of old\n")
    gateway = made(reloads, clock, table, enabled=False)
    until(lambda: gateway.apply([decided()]))
    assert "192.0.2.1" not in table.read_text()


def test_only_tables_that_are_named_are_written(
    reloads: Reloads, clock: Clock, tmp_path: Path
) -> None:
    settings = PostfixSettings(
        clients="",
        postscreen=str(tmp_path / "screen"),
        accounts=str(tmp_path / "accounts"),
        postfix=str(reloads.path),
    )
    decisions = [decided(), decided("a@example.org", "lock", kind="account")]
    texts = Postfix(settings, clock=clock).render(decisions)
    assert set(texts) == {str(tmp_path / "screen"), str(tmp_path / "accounts")}
    assert "192.0.2.1/32 reject\n" in texts[str(tmp_path / "screen")]
    assert "a@example.org REJECT" in texts[str(tmp_path / "accounts")]


@pytest.mark.parametrize(
    ("named", "kind", "value", "action", "reached"),
    [
        ("clients", "network", "192.0.2.1", "drop", True),
        ("clients", "network", "192.0.2.1", "limit", False),
        ("clients", "account", "a@example.org", "lock", False),
        ("postscreen", "network", "192.0.2.1", "drop", True),
        ("postscreen", "network", "192.0.2.1", "tarpit", False),
        ("accounts", "account", "a@example.org", "lock", True),
        ("accounts", "account", "a@example.org", "limit", False),
        ("accounts", "network", "192.0.2.1", "drop", False),
        ("clients", "client_account", "192.0.2.1 alice", "reject", False),
        ("clients", "network", "nonsense", "drop", False),
    ],
)
def test_what_it_can_carry_out(
    named: str, kind: str, value: str, action: Action, reached: bool
) -> None:
    settings = PostfixSettings(**({"clients": ""} | {named: "table"}))
    assert Postfix(settings).reaches(decided(value, action, kind=kind)) is reached


def test_a_table_of_lmdb_is_made_by_postmap_and_needs_no_reload(
    reloads: Reloads, clock: Clock, tmp_path: Path, until: Callable[..., None]
) -> None:
    live = tmp_path / "clients"
    settings = PostfixSettings(
        clients=f"lmdb:{live}", postfix=str(reloads.path), postmap=str(reloads.path)
    )
    gateway = Postfix(settings, clock=clock)
    reloads.callers.append(gateway)
    until(lambda: gateway.apply([decided("2001:db8::/64")]))
    assert sorted(reloads.calls.read_text().splitlines()) == [f"lmdb:{live}", "reload"]
    until(lambda: gateway.apply([decided("2001:db8::/64"), decided()]))
    assert reloads.calls.read_text().splitlines()[2:] == [f"lmdb:{live}"]
    assert "192.0.2.1 521 " in live.read_text()
    other = live.with_suffix(".cidr").read_text()
    assert "2001:db8::/64 521 " in other
    assert "192.0.2.1" not in other


# -- with the real Postfix ----------------------------------------------------------------------


@pytest.mark.servers
def test_postfix_understands_every_row(postfix: Any) -> None:
    actions: list[Action] = ["drop", "reject", "hold", "greylist", "tarpit", "stamp"]
    decisions = [decided(f"192.0.2.{n}", action) for n, action in enumerate(actions)]
    decisions += [decided("2001:db8:1::/64"), decided("198.51.100.0/24")]
    decisions += [decided("a.b+c@example.org", "lock", kind="account")]
    accounts = postfix.config / "accounts"
    gateway = Postfix(PostfixSettings(clients=str(postfix.table), accounts=str(accounts)))
    for path, text in gateway.render(decisions).items():
        Path(path).write_text(text)

    def answer(kind: str, path: Path, key: str) -> str:
        return str(postfix.run("postmap", "-q", key, f"{kind}:{path}")).strip()

    assert answer("cidr", postfix.table, "192.0.2.0") == (
        "521 5.7.1 Refused [network:192.0.2.0:drop]"
    )
    assert answer("cidr", postfix.table, "192.0.2.4") == "sleep 5"
    assert answer("cidr", postfix.table, "2001:db8:1::99").startswith("521")
    assert answer("cidr", postfix.table, "198.51.100.200").startswith("521")
    assert answer("texthash", accounts, "a.b+c@example.org").startswith("REJECT")


@pytest.mark.servers
def test_a_client_is_refused_from_the_decision_to_the_end_of_its_lease(
    postfix: Any, until: Callable[..., None]
) -> None:
    """The closed loop: decision, block list, table, smtpd; and all the way back."""
    gateway = Postfix(
        PostfixSettings(
            clients=str(postfix.table), config_directory=str(postfix.config), reload_interval=0.0
        )
    )
    postfix.table.touch()
    postfix.set("-e", f"smtpd_client_restrictions=check_client_access cidr:{postfix.table}")
    postfix.set("-P", f"127.0.0.1:{postfix.port}/inet/smtpd_delay_reject=no")
    postfix.start()
    blocklist = Blocklist()

    def enforced(now: float) -> None:
        blocklist.expire(now)
        until(lambda: gateway.apply(blocklist.in_force(now)))

    assert postfix.greeting("127.0.0.9") == 250
    blocklist.put(decided("127.0.0.9", until=1600.0))
    enforced(1000.0)
    until(lambda: postfix.greeting("127.0.0.9") == 521)
    assert postfix.greeting("127.0.0.10") == 250
    enforced(1600.0)
    until(lambda: postfix.greeting("127.0.0.9") == 250)


@pytest.mark.servers
def test_smtpd_does_what_each_action_says(postfix: Any) -> None:
    expected: dict[Action, int] = {
        "drop": 521,
        "reject": 554,
        "hold": 250,
        "greylist": 450,
        "tarpit": 250,
        "stamp": 250,
    }
    decisions = [decided(f"127.0.0.{n}", action) for n, action in enumerate(expected, start=10)]
    gateway = Postfix(PostfixSettings(clients=str(postfix.table), tarpit=1))
    postfix.table.write_text(gateway.render(decisions)[str(postfix.table)])
    postfix.set("-e", f"smtpd_client_restrictions=check_client_access cidr:{postfix.table}")
    postfix.start()
    codes = {d.action: postfix.recipient(d.target.value) for d in decisions}
    assert codes == expected
    assert postfix.recipient("127.0.0.99") == 250
    log = (postfix.folder / "log").read_text()
    assert "warning" not in log
    assert "[network:127.0.0.11:reject]" in log


@pytest.mark.servers
def test_a_refused_client_guesses_on_unless_it_is_refused_at_once(
    postfix: Any, until: Callable[..., None]
) -> None:
    """Why `review` asks for smtpd_delay_reject=no: guesses come long before RCPT TO."""
    postfix.table.write_text("127.0.0.9/32 521 5.7.1 Refused\n")
    postfix.set("-e", f"smtpd_client_restrictions=check_client_access cidr:{postfix.table}")
    passwords = postfix.take_logins()
    postfix.start()
    assert postfix.greeting("127.0.0.9") == 250
    assert postfix.recipient("127.0.0.9", "alice") == 521
    assert passwords.tries == ["alice"]

    postfix.set("-P", f"127.0.0.1:{postfix.port}/inet/smtpd_delay_reject=no")
    postfix.run("postfix", "reload")
    until(lambda: postfix.greeting("127.0.0.9") == 521)
    with pytest.raises(smtplib.SMTPConnectError, match="521"):
        postfix.recipient("127.0.0.9", "alice")
    assert passwords.tries == ["alice"]


@pytest.mark.servers
def test_mail_of_a_login_is_refused(postfix: Any) -> None:
    accounts = postfix.config / "accounts"
    settings = PostfixSettings(clients="", accounts=str(accounts), login_domain="example.org")
    decisions = [
        decided("alice@example.org", "lock", kind="account"),
        decided("bob@example.net", "lock", kind="account"),
    ]
    accounts.write_text(Postfix(settings).render(decisions)[str(accounts)])
    postfix.take_logins()
    postfix.set("-e", f"smtpd_sender_restrictions=check_sasl_access texthash:{accounts}")
    postfix.start()
    refused = ("alice@example.org", "Alice@Example.org", "alice", "bob@example.net")
    assert [postfix.recipient("127.0.0.9", login) for login in refused] == [554] * 4
    served = ("bob", "carol@example.org", "alice@example.net")
    assert [postfix.recipient("127.0.0.9", login) for login in served] == [250] * 3


@pytest.mark.servers
def test_what_the_page_shows_refuses_at_once_and_within_open_sessions(
    postfix: Any, until: Callable[..., None], documented: Callable[..., str]
) -> None:
    section = tomllib.loads(
        documented("postfix", "mailwarden.toml", {"/etc/postfix": str(postfix.config)})
    )["gateways"]["postfix"]
    gateway = Postfix(convert(section | {"config_directory": str(postfix.config)}, PostfixSettings))
    main = documented("postfix", "main.cf", {"/etc/postfix": str(postfix.config)})
    with (postfix.config / "main.cf").open("a") as file:
        file.write(main)
    submission = documented(
        "postfix", "master.cf", {"submission/inet": f"127.0.0.1:{postfix.port}/inet"}
    )
    postfix.run(*shlex.split(submission))
    until(lambda: _applied(gateway, []))
    postfix.take_logins()
    postfix.start()
    assert [note.text for note in gateway.review() if not note.good] == []

    pid = master(postfix)
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=10) as session:
        session.ehlo("client.example.net")
        session.login("alice", "right", initial_response_ok=True)
        assert session.mail("alice@example.org")[0] == 250
        assert session.rcpt("b@example.org")[0] == 250
        session.rset()
        decisions = [
            decided("alice@example.org", "lock", kind="account"),
            decided("127.0.0.9"),
            decided("127.0.1.0/25"),
        ]
        until(lambda: _applied(gateway, decisions))
        assert session.mail("alice@example.org")[0] == 554
    assert postfix.greeting("127.0.0.9") == 521
    assert postfix.greeting("127.0.1.127") == 521
    assert postfix.greeting("127.0.1.128") == 250
    until(lambda: _applied(gateway, []))
    assert postfix.greeting("127.0.0.9") == 250
    assert postfix.recipient("127.0.0.9", "alice") == 250
    assert master(postfix) == pid


def master(server: Any) -> str:
    return str((server.folder / "queue" / "pid" / "master.pid").read_text())


def _applied(gateway: Postfix, decisions: list[Decision]) -> bool:
    """Postfix may not run yet, and then there is nothing to reload."""
    with contextlib.suppress(GatewayError):
        return gateway.apply(decisions)
    return all(make.settled() for make in gateway._makes.values())


@pytest.mark.servers
def test_who_looks_while_a_table_of_lmdb_is_replaced_finds_what_was_there(
    postfix: Any, until: Callable[..., None]
) -> None:
    live = postfix.config / "clients"
    settings = PostfixSettings(clients=f"lmdb:{live}", config_directory=str(postfix.config))
    gateway = Postfix(settings)
    make = gateway._makes[str(live)]
    found = []
    for turn in range(4):
        others = [decided(f"{10 + turn}.{n >> 8}.{n & 255}.7") for n in range(3000)]
        _applied(gateway, [*others, decided("192.0.2.1")])
        while turn and make._running is not None and make._running.is_alive():
            found.append(postfix.run("postmap", "-q", "192.0.2.1", f"lmdb:{live}"))
        until(make.settled)
    assert found
    assert all("521" in answer for answer in found)
