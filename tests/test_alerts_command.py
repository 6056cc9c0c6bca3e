import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from agents.commands import options
from agents.commands.alerts import command
from agents.single.store import Changes, Store
from schemas import wire
from schemas.findings import Alert, Evidence, Sample, Severity, Subject

NOW = 1_700_000_000.0
Run = Callable[..., Result]


def alert(name: str, age: float = 60.0, severity: Severity = "high", **more: Any) -> Alert:
    fields: dict[str, Any] = {
        "detector": "auth_dictionary",
        "shape": "dictionary",
        "subject": Subject("client", "192.0.2.1"),
        "summary": "tried 12 accounts",
        "decision": "drop 192.0.2.1 for 10 min",
        "rule": "auth_dictionary",
        "window": 600.0,
    }
    at = NOW - age
    return Alert(id=name, severity=severity, first=at, last=at, at=at, **(fields | more))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "mailwarden.db")


@pytest.fixture
def run(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Run:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(f'[storage]\npath = "{tmp_path}/mailwarden.db"\n')
    monkeypatch.setattr("time.time", lambda: NOW)
    monkeypatch.setenv("COLUMNS", "120")

    def call(name: str, *arguments: str, eyes: bool = False) -> Result:
        monkeypatch.setattr(options, "for_eyes", lambda as_json: eyes and not as_json)
        return CliRunner().invoke(command, [name, "-c", str(settings), *arguments])

    return call


def tell(store: Store, *alerts: Alert) -> None:
    store.commit(Changes(alerts=list(alerts)), NOW)


def ids(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [json.loads(line)["id"] for line in result.stdout.splitlines()]


def test_the_newest_come_first(run: Run, store: Store) -> None:
    tell(store, alert("a1", 30), alert("a2", 10), alert("a3", 20))
    assert ids(run("list")) == ["a2", "a3", "a1"]
    assert ids(run("list", "--limit", "2")) == ["a2", "a3"]


def test_alerts_of_the_last_week_unless_told_otherwise(run: Run, store: Store) -> None:
    tell(store, alert("a1", 8 * 86400), alert("a2", 6 * 86400), alert("a3", 60))
    assert ids(run("list")) == ["a3", "a2"]
    assert ids(run("list", "--since", "1h")) == ["a3"]
    assert ids(run("list", "--since", "2023-01-01")) == ["a3", "a2", "a1"]


def test_milder_ones_can_be_left_out_and_do_not_use_up_the_limit(run: Run, store: Store) -> None:
    tell(store, alert("a1", 30, "critical"), alert("a2", 10, "info"), alert("a3", 20, "medium"))
    assert ids(run("list", "--least", "medium")) == ["a3", "a1"]
    assert ids(run("list", "--least", "high", "--limit", "1")) == ["a1"]


def test_a_line_is_the_whole_alert(run: Run, store: Store) -> None:
    tell(store, alert("a1"))
    assert wire.decode_alert(run("list").stdout_bytes) == alert("a1")
    assert wire.decode_alert(run("show", "a1").stdout_bytes) == alert("a1")
    assert wire.decode_alert(run("show", "a1", "--json", eyes=True).stdout_bytes) == alert("a1")


def test_a_person_sees_a_table(run: Run, store: Store) -> None:
    tell(store, alert("a1"), alert("a2", state="withdrawn", age=90))
    header, *rows = [line.split() for line in run("list", eyes=True).stdout.splitlines()]
    assert header == ["ID", "SEVERITY", "LAST", "(UTC)", "WHAT", "WHO", "DECIDED"]
    assert rows[0] == [
        *("a1", "high", "2023-11-14", "22:12:20", "auth_dictionary", "192.0.2.1"),
        *("drop", "for", "10", "min"),
    ]
    assert rows[1][-1] == "withdrawn"


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_whom_it_is_about_is_readable_on_any_terminal(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    long = "a.person.with.a.long.name@subsidiary.example.org"
    tell(
        store,
        alert("5f0c1e9a7b3d2c48", 30, "critical", subject=Subject("client", "198.51.100.200")),
        alert("a2", 40, subject=Subject("client", "2001:db8:1234:5678::/64")),
        alert("a3", 50, subject=Subject("account", long), detector="backscatter_received"),
    )
    text = run("list", eyes=True).stdout
    lines = text.splitlines()
    assert all(len(line) <= columns for line in lines)
    header, *rows = lines
    assert header.split() == ["ID", "SEVERITY", "LAST", "(UTC)", "WHAT", "WHO", "DECIDED"]
    begin, end = header.index("WHO"), header.index("DECIDED")
    who = "".join(row[begin:end].strip() for row in rows)
    assert who == f"198.51.100.2002001:db8:1234:5678::/64{long}"
    assert text.count("critical") == 1
    assert text.count("high") == 2
    assert "drop" in rows[0][end:]
    moment = "2023-11-14 22:12:50" if columns == 140 else "Nov 14 22:12"
    assert rows[0].split("critical")[1].strip().startswith(moment)
    assert run("show", rows[0].split()[0]).exit_code == 0


def test_an_empty_list_is_said_to_people_and_empty_for_programs(run: Run) -> None:
    assert run("list", eyes=True).stdout == "Nothing was found.\n"
    assert run("list").stdout == ""


def test_one_alert_is_shown_whole(run: Run, store: Store) -> None:
    tell(
        store,
        alert(
            "5f0c1e9a7b3d2c48",
            technique="T1110.001",
            clients=["192.0.2.1"],
            clients_count=1,
            targets=["a@example.org", "b@example.org"],
            targets_count=12,
            evidence=[Evidence("accounts", 12, 5)],
            checks=["never succeeded here", "no shared network"],
            domains=["example.org"],
            undo="mailwarden decisions remove network:192.0.2.1",
            blind_to="one guess per address",
            samples=[
                Sample(NOW - 60, '{"account":"x\\u001b[31m"}', "/var/log/mail.log:12"),
                Sample(NOW - 59, "{}"),
            ],
        ),
    )
    result = run("show", "5f0c", eyes=True)
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    for said in (
        "HIGH auth_dictionary dictionary 192.0.2.1",
        "accounts 12 ≥ 5",
        "→ drop 192.0.2.1 for 10 min",
        "alert 5f0c1e9a7b3d2c48, revision 1, open",
        "rule auth_dictionary version 1, window 10 min",
        "technique T1110.001",
        "clients 192.0.2.1",
        "targets a@example.org, b@example.org and 10 more",
        "domains example.org",
        "checked never succeeded here; no shared network",
        "blind to one guess per address",
        "undo mailwarden decisions remove network:192.0.2.1",
        "Nov 14 22:12:20 event account=x?[31m /var/log/mail.log:12",
        "Nov 14 22:12:21 event",
    ):
        assert said in text, said
    assert "\x1b[31m" not in result.stdout


@pytest.mark.parametrize(
    ("first", "events", "said"),
    [
        (NOW - 60, 2, "  events that it rests on"),
        (NOW - 60, 0, "  events that it rests on"),
        (NOW - 60, 9, "the first 2 of the 9 events that it rests on"),
        (NOW - 90, 3, "2 of the 3 events that it rests on; the first of them were not kept"),
    ],
)
def test_which_events_are_shown_is_said(
    run: Run, store: Store, first: float, events: int, said: str
) -> None:
    samples = [Sample(NOW - 60, "{}"), Sample(NOW - 59, "{}")]
    told = alert("a1", samples=samples, events=events)
    tell(store, structs.replace(told, first=first))
    assert said in run("show", "a1", eyes=True).stdout


def test_lists_of_which_only_an_estimate_is_known_say_so(run: Run, store: Store) -> None:
    rough = Evidence("accounts", 178, 5, estimated=True)
    tell(store, alert("a1", targets=["a@example.org"], targets_count=178, evidence=[rough]))
    text = " ".join(run("show", "a1", eyes=True).stdout.split())
    assert "accounts about 178 ≥ 5" in text
    assert "targets a@example.org and about 177 more" in text


def test_an_alert_without_lines_or_lists_is_short(run: Run, store: Store) -> None:
    tell(store, alert("a1"))
    text = run("show", "a1", eyes=True).stdout
    assert "that it rests on" not in text
    assert "clients" not in text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("b", "b: there is no such alert"),
        ("a", "a: 2 alerts begin so"),
        ("", ": 2 alerts begin so"),
    ],
)
def test_an_id_must_name_one_alert(run: Run, store: Store, asked: str, said: str) -> None:
    tell(store, alert("a1"), alert("a2"))
    result = run("show", asked)
    assert result.exit_code == 1
    assert said in result.output
