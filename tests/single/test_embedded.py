"""The loop, turn by turn, with a clock and a store of the test's own."""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from agents import configuration
from agents.configuration import Config, build_shard
from agents.operator.orders import pardon
from agents.running.http import Health
from agents.single.checkpoint import JOINER, Checkpoint
from agents.single.embedded import Embedded
from agents.single.store import Changes, Store, StoreError
from schemas.audit import decided as said
from schemas.audit import entry
from schemas.findings import Alert, Decision, Target, decision_id
from schemas.gateways import GatewayState
from schemas.settings import Settings, convert
from streams import metrics
from streams.gateway import Gateway, GatewayError
from streams.gateways import GATEWAYS
from streams.reader import DeadLine
from streams.sources.follow import Follow
from tests.waiting import wait_for

NOON = 1_767_268_800.0


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class Server:
    """An embedded process without the process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "mail.log"
        self.log.touch()
        self.clock = Clock()
        self.store = Store(folder / "mailwarden.db")
        self.dead: list[DeadLine] = []
        self.told: list[Alert] = []
        self.stops = False
        self.reloads: list[Config] = []
        self.embedded: Embedded

    def start(self, **settings: object) -> Embedded:
        self.embedded = Embedded(
            self.config(**settings),
            self.store,
            lambda config, positions: Follow(
                config.settings.logs.files,
                positions=positions,
                begin=config.settings.logs.history,
            ),
            dead=self.dead.append,
            tell=self.told.append,
            clock=self.clock,
        )
        return self.embedded

    def config(self, **settings: object) -> Config:
        table = {"logs": {"files": [str(self.log)]}, **settings}
        table.setdefault("response", {})["panic"] = str(self.folder / "panic")  # type: ignore[attr-defined]
        return configuration.build(convert(table, Settings, "settings"))

    def write(self, *lines: str) -> None:
        with self.log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def settle(self) -> None:
        """All that is due within the next seconds."""
        for _ in range(3):
            self.embedded._next_flush = self.embedded._next_second = 0.0
            self.embedded._next_look = 0.0
            self.embedded.turn()

    def health(self) -> Health:
        self.settle()
        return self.embedded.pulse.health()

    def stopped(self) -> bool:
        return self.stops

    def reloaded(self) -> Config | None:
        return self.reloads.pop() if self.reloads else None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.embedded.close()
    made.store.close()


def attack(client: str, at: float = NOON, count: int = 30) -> list[str]:
    return [
        f"{datetime.fromtimestamp(at + number / 10, UTC).isoformat()} mx1 postfix/smtpd[{number}]:"
        f" warning: unknown[{client}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6,"
        f" sasl_username=name{number}@example.org"
        for number in range(count)
    ]


def subjects(alerts: list[Alert]) -> set[str]:
    return {alert.subject.value for alert in alerts}


def test_an_attack_is_told_when_it_is_safe(server: Server) -> None:
    server.start()
    server.write(*attack("203.0.113.5"))
    server.settle()
    assert subjects(server.told) == {"203.0.113.5"}
    assert subjects(server.store.alerts()) == {"203.0.113.5"}


def fail(server: Server, monkeypatch: pytest.MonkeyPatch, name: str = "commit") -> None:
    def refused(*_: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(server.store, name, refused)


def test_a_full_disk_stops_nothing_and_loses_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = server.folder / "alerts.jsonl"
    server.start(sinks={"jsonl": {"path": str(path)}})
    with monkeypatch.context() as patch:
        fail(server, patch)
        server.write(*attack("203.0.113.5"))
        server.settle()
        assert subjects(server.told) == {"203.0.113.5"}
        assert "disk full" in server.health().failing
        assert caplog.text.count("store failed") == 1
    server.settle()
    assert server.health() == Health()
    assert subjects(server.store.alerts()) == {"203.0.113.5"}
    until = time.monotonic() + 10
    while not all(delivery.idle() for delivery in server.embedded._deliveries):
        assert time.monotonic() < until
        threading.Event().wait(0.002)
    server.embedded.close()
    assert server.store.owed("jsonl", 10) == []
    lines = path.read_bytes().splitlines()
    assert len(lines) == len({(a["id"], a["revision"]) for a in map(msgspec.json.decode, lines)})


def test_a_real_full_disk_is_told(server: Server) -> None:
    server.start()
    db = server.store._db
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    server.write(*(line for n in range(40) for line in attack(f"203.0.113.{n}", NOON + n * 5)))
    server.settle()
    assert any("full" in reason for reason in server.health().failing)
    db.execute("PRAGMA max_page_count = 1000000")
    assert server.health() == Health()
    assert "203.0.113.39" in subjects(server.store.alerts())


def test_an_event_that_cannot_be_folded_stops_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = server.start()
    real = embedded._shard.fold

    def poisoned(event: object, **more: object) -> None:
        if getattr(event, "account", "") == "name3@example.org":
            raise RuntimeError("poison")
        real(event, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(embedded._shard, "fold", poisoned)
    server.write(*attack("203.0.113.5"))
    server.settle()
    assert subjects(server.told) == {"203.0.113.5"}
    assert "poison" in server.dead[0].reason
    assert "name3@example.org" in server.dead[0].line


def test_a_finding_that_cannot_be_told_stops_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    embedded = server.start()

    def broken(*_: object) -> None:
        raise RuntimeError("poison")

    with monkeypatch.context() as patch:
        patch.setattr(embedded._shard, "drain", broken)
        server.settle()
    assert "a finding cannot be told" in caplog.text
    server.write(*attack("203.0.113.5"))
    server.settle()
    assert server.told


def test_a_reload_while_the_disk_is_full_loses_no_alert(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinks = {"jsonl": {"path": str(server.folder / "none" / "alerts.jsonl")}}
    server.start(sinks=sinks)
    with Store(server.store.path) as other:
        other.put_decision(manual("203.0.113.9"), said(manual("203.0.113.9")))
    server.settle()
    with monkeypatch.context() as patch:
        for name in ("commit", "forget_sinks", "owed"):
            fail(server, patch, name=name)
        server.write(*attack("203.0.113.5", count=10))
        server.settle()
        server.embedded.reload(server.config(sinks=sinks))
        assert in_force(server) == ["203.0.113.9"]
    (server.folder / "none").mkdir()
    server.settle()
    wait_for(lambda: all(d.idle() for d in server.embedded._deliveries))
    assert "203.0.113.5" in (server.folder / "none" / "alerts.jsonl").read_text()


def test_a_stamp_from_the_future_is_a_dead_letter(server: Server) -> None:
    server.start()
    server.write(*attack("203.0.113.5", NOON + 3600, count=1))
    server.settle()
    assert [dead.reason for dead in server.dead] == ["the stamp is in the future"]


def test_a_gateway_that_falls_silent_is_an_alert_until_it_speaks(server: Server) -> None:
    server.start(site={"gateways": ["mx1"]})
    server.settle()
    server.clock.now += 599
    server.settle()
    assert server.told == []
    server.clock.now += 1
    server.settle()
    assert [(a.detector, a.state) for a in server.told] == [("gateway_silent", "open")]
    assert server.health().degraded == ("mx1 is silent",)
    server.write(*attack("203.0.113.5", server.clock.now, count=1))
    server.settle()
    assert [a.state for a in server.told] == ["open", "withdrawn"]
    assert server.health() == Health()


class Fence(Gateway):
    """A gateway that may be broken."""

    broken = ""

    def enforce(self, decisions: Sequence[Decision]) -> bool:
        if self.broken:
            raise GatewayError(self.broken)
        return True


@pytest.fixture
def fence(monkeypatch: pytest.MonkeyPatch) -> type[Fence]:
    monkeypatch.setitem(GATEWAYS, "fence", Fence)
    monkeypatch.setattr(Fence, "broken", "")
    return Fence


def told_of_gateways(server: Server) -> GatewayState:
    [state] = server.store.gateways()
    return state


def test_what_the_gateways_do_is_kept_for_those_who_ask(server: Server, fence: type[Fence]) -> None:
    server.start(gateways={"fence": {}}, response={"panic": str(server.folder / "panic")})
    with Store(server.store.path) as other:
        other.put_decision(manual("203.0.113.9"), said(manual("203.0.113.9")))
    server.settle()
    state = told_of_gateways(server)
    assert (state.decisions, state.enforced, state.programs) == (1, 1, ["fence"])
    (server.folder / "panic").touch()
    wait_for(server.embedded._enforcement.lifted)
    server.settle()
    state = told_of_gateways(server)
    assert (state.lifted, state.decisions, state.enforced) == (True, 1, 0)


def test_a_gateway_that_fails_for_a_minute_is_an_alert_until_it_works(
    server: Server, fence: type[Fence], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "broken", "no permission")
    server.start(gateways={"fence": {}})
    wait_for(server.embedded._enforcement.troubles)
    server.settle()
    server.clock.now += 61
    server.settle()
    assert [(a.detector, a.shape, a.state) for a in server.told] == [
        ("gateway_behind", "failing", "open")
    ]
    assert "fence: no permission" in server.told[0].summary
    monkeypatch.setattr(fence, "broken", "")
    wait_for(server.embedded._enforcement.done)
    server.clock.now += 1
    server.settle()
    assert [a.state for a in server.told] == ["open", "withdrawn"]


def test_what_a_gateway_did_is_in_the_trail(server: Server) -> None:
    server.start()
    one = manual("203.0.113.9")
    server.embedded.record([entry("done", one, at=NOON, by="mailwarden", detail="kicked")])
    server.settle()
    assert [(e.what, e.detail) for e in server.store.audit()] == [("done", "kicked")]


def test_a_detector_on_trial_calls_nobody(server: Server) -> None:
    sinks = {"jsonl": {"path": str(server.folder / "alerts.jsonl")}}
    server.start(
        sinks=sinks,
        site={"honeypots": ["name7@example.org"]},
        detectors={"auth_dictionary": {"stage": "observe"}},
    )
    server.write(*attack("203.0.113.5"))
    server.settle()
    [kept] = [a for a in server.store.alerts() if a.detector == "auth_dictionary"]
    assert kept.stage == "observe"
    assert server.told == []
    assert server.store.owed("jsonl", 10) == []
    [decided] = server.store.decisions(NOON)
    assert not decided.enforced


def manual(address: str, seconds: float = 60.0) -> Decision:
    target = Target("network", address)
    return Decision(
        id=decision_id(target, "drop"),
        target=target,
        action="drop",
        origin="manual",
        since=NOON,
        until=NOON + seconds,
        enforced=True,
    )


def in_force(server: Server) -> list[str]:
    return [d.target.value for d in server.embedded._blocklist.in_force(server.clock.now)]


def test_what_a_person_decides_holds_at_once_and_ends_by_itself(server: Server) -> None:
    server.start()
    with Store(server.store.path) as other:
        other.put_decision(manual("203.0.113.9"), said(manual("203.0.113.9")))
    server.settle()
    assert in_force(server) == ["203.0.113.9"]
    with Store(server.store.path) as other:
        other.put_decision(manual("203.0.113.10"), said(manual("203.0.113.10")))
        other.remove_decision(manual("203.0.113.9").id, said(manual("203.0.113.9")))
    server.settle()
    assert in_force(server) == ["203.0.113.10"]
    server.clock.now += 61
    server.settle()
    assert list(server.embedded._blocklist) == []


def test_an_account_that_is_pardoned_has_a_day_of_grace(server: Server) -> None:
    server.start()
    server.write(*attack("203.0.113.5", count=1))
    server.settle()
    account = Target("account", "anna@example.org")
    with Store(server.store.path) as other:
        spared = pardon(account, seconds=600, reason="hers", now=NOON)
        other.put_decision(spared, said(spared))
    server.settle()
    server.settle()
    record = server.embedded._shard.records["m:anna@example.org"]
    assert record.states["account_burst"].grace > NOON + 80000


def test_what_could_not_be_written_yet_stays_in_force(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start(site={"honeypots": ["name7@example.org"]})
    with monkeypatch.context() as patch:
        fail(server, patch)
        server.write(*attack("203.0.113.5"))
        server.settle()
        with Store(server.store.path) as other:
            other.put_decision(manual("203.0.113.9"), said(manual("203.0.113.9")))
        server.settle()
        assert sorted(in_force(server)) == ["203.0.113.5", "203.0.113.9"]
    server.settle()
    assert {d.target.value for d in server.store.decisions(NOON)} == {"203.0.113.5", "203.0.113.9"}


def test_decisions_in_force_are_taken_up_after_a_restart(server: Server) -> None:
    server.store.put_decision(manual("203.0.113.9"), said(manual("203.0.113.9")))
    server.start()
    assert in_force(server) == ["203.0.113.9"]


def test_a_store_that_cannot_be_read_for_a_while_is_asked_again(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server.start()

    def refused(*_: object) -> int:
        raise StoreError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(server.store, "revised", refused)
        patch.setattr(server.store, "retire", refused)
        server.embedded._next_hour = 0.0
        server.settle()
    assert "looking for decisions" in caplog.text
    assert "forgetting old alerts" in caplog.text
    with Store(server.store.path) as other:
        other.put_decision(manual("203.0.113.9"), said(manual("203.0.113.9")))
    server.settle()
    assert in_force(server) == ["203.0.113.9"]


def test_a_reload_keeps_the_memory_and_takes_up_the_rest(server: Server) -> None:
    other = server.folder / "other.log"
    other.touch()
    server.start()
    server.write(*attack("203.0.113.5", count=3))
    server.settle()
    server.embedded.reload(server.config(logs={"files": [str(server.log), str(other)]}))
    server.write(*attack("203.0.113.5")[3:])
    server.settle()
    assert subjects(server.told) == {"203.0.113.5"}
    assert server.told[-1].first == NOON
    other.write_text("\n".join(attack("203.0.113.6", NOON + 5)) + "\n")
    server.settle()
    assert subjects(server.told) == {"203.0.113.5", "203.0.113.6"}
    server.embedded.reload(server.config())
    assert [s.name for s in server.embedded._follow.sources] == [str(server.log)]


def test_a_reload_takes_up_what_a_domain_has_of_its_own(server: Server) -> None:
    desk = server.folder / "desk.jsonl"
    settings: dict[str, object] = {
        "site": {"domains": ["example.org", "example.net"]},
        "sinks": {"desk": {"kind": "jsonl", "path": str(desk)}},
    }
    chosen = {"sinks": ["desk"], "stage": "alert"}
    server.start(domains={"example.net": chosen}, **settings)
    server.write(*attack("203.0.113.5"))
    server.settle()
    assert subjects(server.told) == {"203.0.113.5"}
    wait_for(lambda: all(d.idle() for d in server.embedded._deliveries))
    assert not desk.exists()
    server.embedded.reload(server.config(domains={"example.org": chosen}, **settings))
    server.write(*attack("203.0.113.6", NOON + 5))
    server.settle()
    wait_for(lambda: all(d.idle() for d in server.embedded._deliveries))
    assert "203.0.113.6" in desk.read_text()
    assert "203.0.113.5" not in desk.read_text()


def test_lines_of_other_programs_are_counted_across_a_reload(server: Server) -> None:
    before = metrics.NOBODY._value.get()
    server.start()
    server.write(
        "2026-01-01T12:00:00+00:00 mx1 cron: one", "2026-01-01T12:00:00+00:00 mx1 ntpd: two"
    )
    server.settle()
    server.embedded.reload(server.config())
    server.write("2026-01-01T12:00:01+00:00 mx1 cron: three")
    server.settle()
    assert metrics.NOBODY._value.get() - before == 3


def test_a_joiner_that_cannot_be_read_is_begun_anew(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.store.commit(Changes(memory={JOINER: b"\xff\xff"}), NOON)
    server.start()
    assert "joins lines anew" in caplog.text
    server.write(*attack("203.0.113.5"))
    server.settle()
    assert server.told


def test_quiet_records_are_packed_and_found_again(server: Server) -> None:
    embedded = server.start()
    server.write(*attack("203.0.113.5", count=3))
    server.settle()
    server.clock.now += 900
    server.write(*attack("203.0.113.77", NOON + 900, count=1))
    embedded._next_minute = 0.0
    server.settle()
    embedded._next_minute = 0.0
    server.settle()
    assert "c:203.0.113.5" in embedded._shard.frozen
    server.write(*attack("203.0.113.5", NOON + 901))
    server.settle()
    assert "203.0.113.5" in subjects(server.told)


def test_once_reads_to_the_end_and_ends(server: Server) -> None:
    server.write(*attack("203.0.113.5"))
    path = server.folder / "alerts.jsonl"
    embedded = server.start(
        logs={"files": [str(server.log)], "history": True}, sinks={"jsonl": {"path": str(path)}}
    )
    embedded.run(server, once=True)
    assert "203.0.113.5" in path.read_text()


def test_once_does_not_wait_for_a_sink_that_is_down(server: Server) -> None:
    server.write(*attack("203.0.113.5"))
    embedded = server.start(
        logs={"files": [str(server.log)], "history": True},
        sinks={"jsonl": {"path": str(server.folder / "none" / "alerts.jsonl")}},
    )
    embedded.run(server, once=True)
    assert server.store.owed("jsonl", 10)
    assert any("sink jsonl" in reason for reason in server.health().degraded)


def test_it_turns_until_it_is_told_to_stop_and_reloads_in_between(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = server.start()
    server.reloads.append(server.config(site={"gateways": ["mx9"]}))
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        server.stops = len(pauses) == 5

    monkeypatch.setattr("agents.single.embedded.time.sleep", pause)
    embedded.run(server)
    assert embedded.config.settings.site.gateways == ("mx9",)
    assert pauses == sorted(pauses)
    assert pauses[-1] <= 0.1


def test_history_that_is_broken_off_is_read_anew(server: Server) -> None:
    logs = {"files": [str(server.log)], "history": True}
    server.write(*attack("203.0.113.5"))
    server.stops = True
    server.start(logs=logs).run(server)
    server.embedded.close()
    assert server.store.positions() == {}
    assert server.store.alerts() == []
    server.stops = False
    server.start(logs=logs).run(server, once=True)
    assert subjects(server.store.alerts()) == {"203.0.113.5"}


def test_what_a_sink_is_owed_beyond_memory_is_told_from_the_store(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.single.delivery.HELD", 2)
    path = server.folder / "alerts.jsonl"
    server.start(sinks={"jsonl": {"path": str(path)}})
    server.write(*(line for n in range(6) for line in attack(f"203.0.{n}.5", NOON + n * 5)))
    server.clock.now += 60

    def all_there() -> bool:
        server.settle()
        return path.exists() and all(f"203.0.{n}.5" in path.read_text() for n in range(6))

    wait_for(all_there)


def test_a_checkpoint_keeps_only_so_much_for_a_store_that_stays_away(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.single.checkpoint.KEPT", 5)
    config = server.start().config
    checkpoint = Checkpoint(server.store, build_shard(config))
    checkpoint.add([], [manual(f"203.0.113.{n}") for n in range(9)], [])
    assert checkpoint.needed()
    assert checkpoint.commit({}, {}, NOON)
    assert len(server.store.decisions(NOON)) == 5
    assert not checkpoint.needed()


def test_a_source_that_is_no_longer_followed_loses_its_place(server: Server) -> None:
    config = server.start().config
    checkpoint = Checkpoint(server.store, build_shard(config))
    checkpoint.commit({"a": b"1", "b": b"2"}, {}, NOON)
    checkpoint.commit({"b": b"2"}, {}, NOON)
    assert server.store.positions().keys() == {"b"}


def test_nothing_is_written_while_nothing_happens(server: Server) -> None:
    server.start()
    server.settle()
    before = os.stat(f"{server.store.path}-wal").st_mtime_ns
    with sqlite3.connect(server.store.path) as db:
        version = db.execute("PRAGMA data_version").fetchone()
        server.settle()
        assert db.execute("PRAGMA data_version").fetchone() == version
    db.close()
    assert os.stat(f"{server.store.path}-wal").st_mtime_ns == before


def test_records_are_remembered_over_a_restart(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.start()
    server.write(*attack("203.0.113.5", count=3))
    server.settle()
    server.embedded.close()
    server.write(*attack("203.0.113.5")[3:])
    server.start()
    server.settle()
    assert server.told[-1].first == NOON
    (evidence,) = [e for e in server.told[-1].evidence if e.sign == "accounts"] or [None]
    assert evidence is None or evidence.count == 30
