import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.commands import decisions, kept, options
from agents.commands.decisions import command, refused
from agents.single.store import Changes, Store
from schemas import wire
from schemas.findings import Action, Decision, Target, decision_id
from schemas.topics import BY_NAME
from streams.memory_bus import MemoryBus

NOW = 1_700_000_000.0
Run = Callable[..., Result]


def decided(value: str = "192.0.2.1", action: Action = "drop", **more: Any) -> Decision:
    target = Target(more.pop("kind", "network"), value)
    fields = {"until": NOW + 600, "enforced": True, "reason": "guesses"} | more
    return Decision(id=decision_id(target, action), target=target, action=action, **fields)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "mailwarden.toml"
    path.write_text(
        f"""
        [site]
        domains = ["example.org"]
        [network]
        allow = ["203.0.113.7"]
        [storage]
        path = "{tmp_path}/mailwarden.db"
        [response]
        panic = "{tmp_path}/panic"
        [gateways.postfix]
        clients = "{tmp_path}/clients.cidr"
        """
    )
    return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "mailwarden.db")


@pytest.fixture
def run(settings: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Calls the command as `alice` at NOW; on a terminal with eyes=True."""
    monkeypatch.setattr("time.time", lambda: NOW)
    monkeypatch.setenv("SUDO_USER", "alice")
    monkeypatch.setenv("COLUMNS", "120")

    def call(name: str, *arguments: str, eyes: bool = False) -> Result:
        monkeypatch.setattr(options, "for_eyes", lambda as_json: eyes and not as_json)
        return CliRunner().invoke(command, [name, "-c", str(settings), *arguments])

    return call


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def states(result: Result) -> list[str]:
    return [decision["state"] for decision in lines(result)]


def machine(store: Store, *found: Decision) -> None:
    """Decisions as detection puts them there."""
    store.commit(Changes(decisions=list(found)), NOW)


def test_what_was_added_is_listed(run: Run, store: Store) -> None:
    result = run("add", "192.0.2.1", "--for", "2h", "--reason", "scans us")
    assert result.exit_code == 0, result.output
    assert result.stdout == "drop 192.0.2.1 until 2023-11-15 00:13:20 UTC\n"
    assert result.stderr == ""
    [decision] = store.decisions(NOW)
    assert decision.reason == "scans us (alice)"
    assert decision.until == NOW + 7200
    assert lines(run("list")) == [json.loads(wire.encode(decision)) | {"state": "enforced"}]


def test_an_action_can_be_chosen(run: Run, store: Store) -> None:
    run("add", "alice@example.org", "--action", "hold")
    [decision] = store.decisions(NOW)
    assert (decision.target.kind, decision.action) == ("account", "hold")


def test_what_looks_like_a_slip_is_done_where_it_is_meant(run: Run, store: Store) -> None:
    assert run("add", "198.51.0.0/16", "--force").exit_code == 0
    assert store.decisions(NOW)[0].target.value == "198.51.0.0/16"


def test_what_no_gateway_can_do_is_said(run: Run) -> None:
    result = run("add", "alice@example.org")
    assert result.exit_code == 0
    assert "can lock an account: nothing will come of it there" in result.stderr
    assert states(run("list")) == ["nobody_can"]
    run("add", "domain:example.net")
    assert states(run("list")) == ["nobody_can", "nobody_can"]


def test_a_gateway_that_is_off_can_nothing(run: Run, settings: Path) -> None:
    with settings.open("a") as file:
        file.write("\n        enabled = false\n")
    assert "nothing will come of it there" in run("add", "192.0.2.1").stderr
    assert states(run("list")) == ["nobody_can"]


def test_with_the_kill_switch_pulled_nothing_is_called_enforced(
    run: Run, store: Store, tmp_path: Path
) -> None:
    machine(store, decided("192.0.2.1"), decided("192.0.2.2", enforced=False))
    (tmp_path / "panic").touch()
    assert sorted(states(run("list"))) == ["lifted", "observed"]
    text = run("list", eyes=True).stdout
    assert "lifted (panic)" in text
    assert "enforced" not in text
    said = run("add", "192.0.2.9").stderr
    assert "panic exists): it holds from `mailwarden resume` on" in said


def test_on_kafka_other_hosts_may_do_what_nobody_here_can(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = MemoryBus()
    for name in ("mail.alerts", "mail.decisions"):
        bus.create(BY_NAME[name], 1, 1)
    monkeypatch.setattr("streams.kafka_bus.KafkaBus", lambda _: bus)
    run("add", "alice@example.org", "--kafka")
    run("add", "192.0.2.1", "--kafka")
    assert sorted(states(run("list", "--kafka"))) == ["asked_for", "enforced"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("10.0.0.1",), "10.0.0.1 is one of our own networks"),
        (("203.0.113.7",), "203.0.113.7 is on the allow list"),
        (("198.51.0.0/16",), "--force if it is meant"),
        (("198.51.100.0/16",), "198.51.0.0/16 (65,536 addresses) or 198.51.100.0/24?"),
        (("bob@example",), "--force if it is meant"),
        (("bob",), "'bob' is no address, network or login"),
        (("192.0.2.1", "--for", "soon"), "'soon' is no time such as"),
        (("192.0.2.1", "--action", "observe"), "'observe' is not one of"),
        (("192.0.2.1", "--kafka", "--for", "8d"), "holds for 7 days at most"),
    ],
)
def test_wrong_orders_are_refused_with_a_clear_word(
    run: Run, store: Store, arguments: tuple[str, ...], said: str
) -> None:
    result = run("add", *arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert store.decisions(NOW) == []


def test_the_list_shows_what_rules(run: Run, store: Store) -> None:
    machine(
        store, decided("192.0.2.0/24"), decided("192.0.2.1"), decided("192.0.2.3", until=NOW - 1)
    )
    assert [d["target"]["value"] for d in lines(run("list"))] == ["192.0.2.0/24"]
    assert [d["target"]["value"] for d in lines(run("list", "--all"))] == [
        "192.0.2.0/24",
        "192.0.2.1",
    ]


def test_a_person_sees_a_table(run: Run, store: Store) -> None:
    machine(
        store,
        decided("192.0.2.1", reason="evil\x1b[2J name"),
        decided("192.0.2.2", enforced=False),
        decided("192.0.2.2", "tarpit", enforced=False),
    )
    run("pardon", "198.51.100.1")
    text = run("list", "--all", eyes=True).stdout
    header, *rows = [line.split() for line in text.splitlines()]
    assert header == ["TARGET", "ACTION", "ENDS", "IN", "BY", "STATE", "REASON"]
    assert rows[0][:7] == ["198.51.100.1", "1", "d", "person", "spared", "by", "hand"]
    assert rows[1][:6] == ["192.0.2.1", "drop", "10", "min", "machine", "enforced"]
    assert rows[2][5] == "observed"
    assert rows[3][5] == "outranked"
    assert "\x1b[2J" not in text


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_targets_and_states_are_readable_on_any_terminal(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    long = "a.person.with.a.long.name@subsidiary.example.org"
    reason = "2001:db8:1234:5678::/64: 36 wrong passwords at 18 accounts; opened none of them"
    machine(
        store,
        decided("2001:db8:1234:5678::/64", reason=reason),
        decided("198.51.100.200", "greylist", enforced=False),
        decided(long, "hold", kind="account"),
    )
    lines = run("list", eyes=True).stdout.splitlines()
    assert all(len(line) <= columns for line in lines)
    header, *rows = lines
    end = header.index("ACTION")
    targets = "".join(row[:end].strip() for row in rows)
    assert targets.startswith("2001:db8:1234:5678::/64")
    assert long in targets
    assert "198.51.100.200" in targets
    states = header.index("STATE"), header.index("REASON")
    assert "enforced" in [row[slice(*states)].strip() for row in rows]
    assert rows[0][states[1] :].startswith("36")


def test_an_empty_list_is_said_to_people_and_empty_for_programs(run: Run) -> None:
    assert run("list", eyes=True).stdout == "Nothing is in force.\n"
    assert run("list").stdout == ""


def test_removing_what_the_machine_decided_leaves_a_pardon(run: Run, store: Store) -> None:
    machine(store, decided())
    result = run("remove", "network:192.0.2.1")
    assert result.stdout == "192.0.2.1 is pardoned until 2023-11-15 22:13:20 UTC\n"
    assert lines(run("export", "--format", "json")) != []
    assert run("export").stdout == ""
    [listed] = lines(run("list"))
    assert (listed["origin"], listed["reason"]) == ("pardon", "removed by hand (alice)")


def test_removing_what_a_person_decided_deletes_it(run: Run, store: Store) -> None:
    run("add", "192.0.2.1")
    result = run("remove", "192.0.2.1")
    assert result.stdout == "drop of 192.0.2.1 removed\n"
    assert store.decisions(NOW) == []


def test_removing_by_id(run: Run, store: Store) -> None:
    run("add", "192.0.2.1", "--action", "drop")
    run("add", "192.0.2.1", "--action", "tarpit")
    run("remove", "network:192.0.2.1:drop:manual")
    assert [d.action for d in store.decisions(NOW)] == ["tarpit"]


def test_the_command_of_an_alert_works_whatever_the_name_is(run: Run, store: Store) -> None:
    name = "\u202e$(reboot) '+x@Example.ORG"
    machine(store, decided(name, "lock", kind="account"))
    result = run("remove", f"account:{name}")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("?$(reboot) '+x@Example.ORG is pardoned until")
    assert len(store.decisions(NOW)) == 2


def test_removing_twice_changes_nothing(run: Run, store: Store) -> None:
    machine(store, decided())
    first = run("remove", "192.0.2.1", "--for", "1h")
    assert run("remove", "192.0.2.1").stdout == first.stdout
    assert run("remove", "network:192.0.2.1:drop").stdout == first.stdout
    assert run("export").stdout == ""


def test_a_pardon_can_be_taken_back(run: Run, store: Store) -> None:
    machine(store, decided())
    run("remove", "192.0.2.1")
    assert run("pardon", "192.0.2.1", "--end").stdout == "pardon of 192.0.2.1 ended\n"
    assert store.decisions(NOW) == [decided()]
    result = run("pardon", "192.0.2.1", "--end")
    assert result.exit_code == 1
    assert "192.0.2.1 is not pardoned" in result.output


def test_removing_what_is_not_there_is_an_error(run: Run, store: Store) -> None:
    result = run("remove", "192.0.2.1")
    assert result.exit_code == 1
    assert result.output == "Error: nothing is in force about 192.0.2.1\n"
    machine(store, decided("192.0.2.0/24"))
    assert "but about 192.0.2.0/24 around it" in run("remove", "192.0.2.1").output
    assert "around" not in run("remove", "alice@example.org").output


def test_a_pardon_can_be_given_beforehand(run: Run, store: Store) -> None:
    result = run("pardon", "198.51.100.0/24", "--for", "2d", "--reason", "moves house")
    assert result.stdout == "198.51.100.0/24 is pardoned until 2023-11-16 22:13:20 UTC\n"
    [decision] = store.decisions(NOW)
    assert decision.origin == "pardon"
    machine(store, decided("198.51.100.9"))
    assert run("export").stdout == ""


def test_the_export_is_what_is_refused(run: Run, store: Store) -> None:
    machine(
        store,
        decided("192.0.2.0/25"),
        decided("192.0.2.128/25", "reject"),
        decided("198.51.100.1", enforced=False),
        decided("198.51.100.2", "tarpit"),
        decided("alice@example.org", "lock", kind="account"),
        decided("2001:db8::/64"),
    )
    assert run("export").stdout.split() == ["192.0.2.0/24", "2001:db8::/64"]
    assert len(lines(run("export", "--format", "json"))) == 5


def test_the_kill_switch_empties_the_export(run: Run, store: Store, tmp_path: Path) -> None:
    machine(store, decided())
    (tmp_path / "panic").touch()
    for shape in ("plain", "json"):
        result = run("export", "--format", shape)
        assert (result.exit_code, result.stdout) == (0, "")
        assert "The kill switch is pulled" in result.stderr


@pytest.mark.parametrize(
    ("ruling", "networks"),
    [
        ([("192.0.2.1", "observe"), ("192.0.2.0/30", "drop")], "192.0.2.0/32 192.0.2.2/31"),
        ([("192.0.2.0/24", "observe"), ("192.0.2.1", "drop")], ""),
        ([("192.0.2.1", "drop"), ("192.0.2.0/24", "tarpit")], "192.0.2.1/32"),
        ([("192.0.2.1", "tarpit"), ("192.0.2.0/31", "drop")], "192.0.2.0/32"),
        ([("2001:db8::/64", "observe"), ("192.0.2.1", "drop")], "192.0.2.1/32"),
        ([("198.51.100.1", "observe"), ("192.0.2.0/24", "drop")], "192.0.2.0/24"),
    ],
)
def test_what_is_spared_is_cut_out_of_what_is_refused(
    ruling: list[tuple[str, Action]], networks: str
) -> None:
    found = refused([decided(value, action) for value, action in ruling])
    assert " ".join(map(str, found)) == networks


def test_a_decision_for_the_mail_of_one_domain_is_not_exported() -> None:
    assert list(refused([decided(domain="example.org")])) == []


def test_without_a_store_it_says_where_it_looked(run: Run, tmp_path: Path, store: Store) -> None:
    store.close()
    for path in tmp_path.glob("mailwarden.db*"):
        path.unlink()
    result = run("list")
    assert result.exit_code == 1
    assert f"{tmp_path}/mailwarden.db: nothing is kept here yet" in result.output


def test_kafka_is_asked_where_that_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    bus = MemoryBus()
    bus.create(BY_NAME["mail.decisions"], 2, 1)
    monkeypatch.setattr("streams.kafka_bus.KafkaBus", lambda settings: bus)
    monkeypatch.setattr(bus, "close", lambda: None)
    result = run("add", "192.0.2.1", "--kafka")
    assert result.exit_code == 0, result.output
    [listed] = lines(run("list", "--kafka"))
    assert listed["id"] == "network:192.0.2.1:drop:manual"
    monkeypatch.setenv("MAILWARDEN_KAFKA", "1")
    assert lines(run("list")) == [listed]
    assert "removed" in run("remove", "192.0.2.1").stdout
    assert lines(run("list")) == []
    assert store.decisions(NOW) == []


def test_no_broker_is_said_within_seconds(run: Run, settings: Path) -> None:
    settings.write_text(settings.read_text() + '[kafka]\nbootstrap = ["127.0.0.1:1"]\n')
    result = run("list", "--kafka")
    assert result.exit_code == 1
    assert "no Kafka broker answers at 127.0.0.1:1" in result.output


def test_whoever_has_no_name_signs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert decisions.signed("why") == "why"


def test_kafka_is_not_imported_for_one_server() -> None:
    code = "import sys; import agents.commands.decisions; sys.exit('kafka' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert kept.BusLedger
