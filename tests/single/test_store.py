import os
import sqlite3
import stat
from pathlib import Path

import pytest
from msgspec import structs

from agents.single.store import APPLICATION, VERSION, Changes, Store, StoreError, Told
from schemas.audit import Audit, entry
from schemas.audit import decided as said
from schemas.findings import DAY, Alert, Decision, Subject, Target, decision_id

NOW = 1_767_225_600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "mailwarden.db"


@pytest.fixture
def store(path: Path) -> Store:
    return Store(path)


def alert(name: str = "a1", revision: int = 1, last: float = NOW) -> Alert:
    return Alert(
        id=name,
        detector="auth_dictionary",
        shape="dictionary",
        severity="medium",
        subject=Subject("client", "192.0.2.1"),
        first=last - 60,
        last=last,
        at=last,
        summary=f"revision {revision}",
        revision=revision,
    )


def decision(
    address: str = "192.0.2.1",
    origin: str = "automatic",
    until: float = NOW + 600,
    since: float = NOW,
) -> Decision:
    target = Target("network", address)
    return Decision(
        id=decision_id(target, "drop"),
        target=target,
        action="drop",
        origin=origin,  # type: ignore[arg-type]
        since=since,
        until=until,
    )


def test_a_new_store_is_for_its_owner_alone(store: Store, path: Path) -> None:
    store.commit(Changes(positions={"a": b"1"}), NOW)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_was_committed_is_there_for_the_next_process(store: Store, path: Path) -> None:
    store.commit(
        Changes(
            positions={"mail.log": b"here", "gone": b"x"},
            memory={"joiner": b"joined"},
            records={"c:192.0.2.1": b"one", "c:192.0.2.2": b"two"},
            alerts=[alert()],
            decisions=[decision()],
        ),
        NOW,
    )
    store.commit(Changes(positions={"gone": None}, records={"c:192.0.2.2": None}), NOW)
    store.close()
    with Store(path) as again:
        assert again.positions() == {"mail.log": b"here"}
        assert again.memory("joiner") == b"joined"
        assert again.memory("unknown") == b""
        assert list(again.records()) == [("c:192.0.2.1", b"one")]
        assert again.alerts() == [alert()]
        assert again.decisions(NOW) == [decision()]


def test_a_commit_is_made_whole_or_not_at_all(store: Store) -> None:
    broken = Changes(positions={"mail.log": b"here"}, records={"c:x": object()})  # type: ignore[dict-item]
    with pytest.raises(StoreError):
        store.commit(broken, NOW)
    assert store.positions() == {}
    store.commit(Changes(positions={"mail.log": b"here"}), NOW)
    assert store.positions() == {"mail.log": b"here"}


def test_alerts_come_the_newest_first_and_as_many_as_wanted(store: Store) -> None:
    store.commit(Changes(alerts=[alert(f"a{n}", last=NOW + n) for n in range(5)]), NOW)
    assert [a.id for a in store.alerts(limit=2)] == ["a4", "a3"]
    assert [a.id for a in store.alerts(since=NOW + 3)] == ["a4", "a3"]


def test_an_alert_is_kept_in_its_newest_revision(store: Store) -> None:
    store.commit(Changes(alerts=[alert(revision=2)]), NOW)
    store.commit(Changes(alerts=[alert(revision=1)]), NOW)
    assert store.alert("a1") == alert(revision=2)
    store.commit(Changes(alerts=[alert(revision=3)]), NOW)
    assert store.alert("a1") == alert(revision=3)
    assert store.alert("unknown") is None


def test_a_decision_that_has_ended_is_not_in_force(store: Store) -> None:
    store.commit(Changes(decisions=[decision(until=NOW + 600)]), NOW)
    assert store.decisions(NOW + 599)
    assert not store.decisions(NOW + 600)


def test_a_persons_decision_stands_until_it_ends(store: Store) -> None:
    manual = decision(origin="manual", until=NOW + 3600)
    store.put_decision(manual, said(manual))
    store.commit(Changes(decisions=[decision()]), NOW)
    assert store.decisions(NOW) == [manual]
    later = decision(since=NOW + 3600, until=NOW + 4200)
    store.commit(Changes(decisions=[later]), NOW + 3600)
    assert store.decisions(NOW + 3600) == [later]


def test_a_new_automatic_decision_takes_the_place_of_the_old_one(store: Store) -> None:
    store.commit(Changes(decisions=[decision()]), NOW)
    longer = decision(until=NOW + 1200)
    store.commit(Changes(decisions=[longer]), NOW)
    assert store.decisions(NOW) == [longer]


def test_a_running_process_notices_what_a_person_decides_in_another(
    store: Store, path: Path
) -> None:
    before = store.revised()
    with Store(path) as other:
        other.put_decision(decision(origin="manual"), said(decision()))
        put = store.revised()
        assert other.remove_decision(decision().id, said(decision()))
        assert not other.remove_decision(decision().id, said(decision()))
    assert before < put < store.revised()
    assert store.decisions(NOW) == []


def test_what_the_process_decides_itself_is_no_revision(store: Store) -> None:
    before = store.revised()
    store.commit(Changes(decisions=[decision()]), NOW)
    assert store.revised() == before


def test_a_sink_is_owed_an_alert_until_it_was_told(store: Store) -> None:
    owed = [Told("siem", "a1", 1), Told("siem", "a2", 1), Told("chat", "a1", 1)]
    store.commit(Changes(alerts=[alert("a1"), alert("a2", last=NOW - 1)], owed=owed), NOW)
    assert [a.id for a in store.owed("siem", 10)] == ["a2", "a1"]
    assert [a.id for a in store.owed("siem", 1)] == ["a2"]
    store.commit(Changes(told=[Told("siem", "a1", 1)]), NOW)
    assert [a.id for a in store.owed("siem", 10)] == ["a2"]
    assert [a.id for a in store.owed("chat", 10)] == ["a1"]


def test_a_newer_revision_is_owed_though_the_older_one_was_told(store: Store) -> None:
    store.commit(Changes(alerts=[alert()], owed=[Told("siem", "a1", 1)]), NOW)
    store.commit(
        Changes(
            alerts=[alert(revision=2)],
            owed=[Told("siem", "a1", 2)],
            told=[Told("siem", "a1", 1)],
        ),
        NOW,
    )
    assert store.owed("siem", 10) == [alert(revision=2)]


def test_sinks_that_are_no_more_are_owed_nothing(store: Store) -> None:
    store.commit(Changes(alerts=[alert()], owed=[Told("old", "a1", 1), Told("new", "a1", 1)]), NOW)
    store.forget_sinks(["new"])
    assert store.owed("old", 10) == []
    assert store.owed("new", 10) == [alert()]


def test_old_alerts_and_decisions_are_forgotten(store: Store) -> None:
    old = NOW - 91 * DAY
    store.commit(
        Changes(
            alerts=[alert("old"), alert("owed")],
            owed=[Told("siem", "owed", 1)],
            decisions=[decision("192.0.2.1", until=old), decision("192.0.2.2")],
        ),
        old,
    )
    store.commit(Changes(alerts=[alert("of an old log", last=old)]), NOW)
    store.retire(NOW, keep_days=90, audit_days=90)
    assert {a.id for a in store.alerts()} == {"owed", "of an old log"}
    assert [d.target.value for d in store.decisions(0.0)] == ["192.0.2.2"]


def test_two_processes_do_not_detect_on_one_store(store: Store, path: Path) -> None:
    store.own()
    other = Store(path)
    with pytest.raises(StoreError, match="another mailwarden runs on it"):
        other.own()
    other.close()
    store.close()
    with Store(path) as third:
        third.own()


def test_a_newer_version_is_left_alone(store: Store, path: Path) -> None:
    store.close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(StoreError, match="newer mailwarden"):
        Store(path)


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE t (x)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"],
)
def test_another_programs_file_is_left_alone(path: Path, statement: str) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()
    with pytest.raises(StoreError, match="another program"):
        Store(path)


def test_what_is_no_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are my notes, kept here for ten years\n" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store(path)
    assert path.read_bytes().startswith(b"these are my notes")


def test_damage_is_told_when_a_process_claims_the_store(store: Store, path: Path) -> None:
    records: dict[str, bytes | None] = {f"c:{n}": os.urandom(900) for n in range(500)}
    store.commit(Changes(records=records), NOW)
    store.close()
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 8192)
    with Store(path) as damaged, pytest.raises(StoreError, match=r"mailwarden\.db: "):
        damaged.own()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"Not a directory|File exists"):
        Store(tmp_path / "file" / "mailwarden.db")


def test_a_store_that_is_locked_is_told_after_a_while(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.single.store.BUSY", 0.01)
    with Store(path) as impatient:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            impatient.commit(Changes(positions={"a": b"1"}), NOW)
        other.execute("ROLLBACK")
        other.close()
        impatient.commit(Changes(positions={"a": b"1"}), NOW)


def test_the_file_says_whose_it_is(store: Store, path: Path) -> None:
    store.close()
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    db.close()


# -- the trail of changes ---------------------------------------------------------------------


def test_every_change_of_a_decision_is_in_the_trail(store: Store) -> None:
    store.commit(Changes(decisions=[decision()]), NOW)
    manual = decision(origin="manual")
    store.put_decision(manual, entry("added", manual, at=NOW + 1, by="alice", reason="why"))
    store.remove_decision(manual.id, entry("removed", manual, at=NOW + 2, by="bob"))
    store.note(Audit(at=NOW + 3, what="panic", by="bob", reason="out"))
    store.commit(Changes(audit=[entry("done", manual, at=NOW + 4, by="mailwarden")]), NOW)
    trail = store.audit()
    assert [(one.what, one.by) for one in trail] == [
        ("done", "mailwarden"),
        ("panic", "bob"),
        ("removed", "bob"),
        ("added", "alice"),
        ("decided", "mailwarden"),
    ]
    assert [one.what for one in store.audit(limit=1)] == ["done"]
    assert [one.what for one in store.audit(since=NOW + 3)] == ["done", "panic"]


@pytest.mark.parametrize("statement", ["UPDATE audit SET at = 0", "DELETE FROM audit"])
def test_the_trail_is_never_altered(store: Store, statement: str) -> None:
    store.commit(Changes(decisions=[decision()]), NOW)
    with pytest.raises(sqlite3.IntegrityError, match="never altered"):
        store._db.execute(statement)
    assert len(store.audit()) == 1


def test_what_is_too_old_of_the_trail_is_forgotten_and_the_rest_stays_guarded(
    store: Store,
) -> None:
    for days in (1, 100):
        store.note(Audit(at=NOW - days * DAY, what="panic", by="bob", reason=f"{days}"))
    store.retire(NOW, keep_days=90, audit_days=30)
    assert [one.reason for one in store.audit()] == ["1"]
    with pytest.raises(sqlite3.IntegrityError):
        store._db.execute("DELETE FROM audit")


SINCE_VERSION_3 = ("standing", "turns", "cases")


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_an_earlier_version_gets_what_it_lacks(tmp_path: Path, version: int) -> None:
    path = tmp_path / "old.db"
    with Store(path) as made:
        made.commit(Changes(decisions=[decision()], alerts=[alert()]), NOW)
    with sqlite3.connect(path) as db:
        for table in SINCE_VERSION_3:
            db.execute(f"DROP TABLE {table}")
        if version == 1:
            db.execute("DROP TABLE audit")
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    with Store(path) as store:
        assert len(store.audit()) == version - 1
        worse = structs.replace(alert(revision=2), severity="high")
        store.commit(Changes(alerts=[worse]), NOW)
        assert store.alerts() == [worse]
        assert store.turns() == [], "what it was before is not known"
        worst = structs.replace(alert(revision=3), severity="critical")
        store.commit(Changes(alerts=[worst]), NOW)
        assert [turn.severity for turn in store.turns()] == ["high", "critical"]
        assert store.cases() == []
        assert store.decisions(NOW)
        store.note(Audit(at=NOW, what="panic", by="bob", reason="out"))
    with Store(path) as store:
        assert len(store.audit()) == version


def test_only_turns_of_an_alert_are_remembered_and_not_too_many(store: Store) -> None:
    for n in range(1, 200):
        one = structs.replace(alert(revision=n), severity="low" if n // 2 % 2 else "high")
        store.commit(Changes(alerts=[one]), NOW)
    turns = store.turns()
    assert len(turns) == 64
    assert (turns[-1].revision, turns[-1].severity) == (198, "low")
    assert turns[-2].severity == "high"
    store.retire(NOW + 91 * DAY, keep_days=90, audit_days=90)
    assert store.turns() == []


def test_a_case_is_kept_as_long_as_an_alert_of_its_incident(store: Store) -> None:
    entry = Audit(at=NOW, what="noted", by="carla", reason="called her", target="incident:a1")
    headed = structs.replace(alert("b1"), incident="h1")
    store.commit(Changes(alerts=[headed, alert("a1")]), NOW + 91 * DAY)
    for name in ("a1", "h1", "gone"):
        store.change_case(name, lambda case: structs.replace(case, at=NOW), entry)
    store.change_case("new", lambda case: structs.replace(case, at=NOW + 90 * DAY), entry)
    store.retire(NOW + 91 * DAY, keep_days=90, audit_days=90)
    assert [case.id for case in store.cases()] == ["a1", "h1", "new"]


def test_no_gateway_is_known_before_one_told_of_itself(store: Store) -> None:
    assert store.gateways() == []


def test_a_word_about_an_incident_is_seen_without_reading_all_of_them(tmp_path: Path) -> None:
    with Store(tmp_path / "mailwarden.db") as store:
        marks = [store.judged()]
        for at in (5.0, 6.0):
            entry = Audit(at=at, what="noted", by="dora", reason="x", target="incident:i1")
            store.change_case("i1", lambda case, at=at: structs.replace(case, at=at), entry)
            marks.append(store.judged())
    assert len(set(marks)) == 3
