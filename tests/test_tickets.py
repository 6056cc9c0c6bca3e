from pathlib import Path

import pytest

from streams import tickets
from streams.tickets import Ticket, Tickets


def test_the_next_process_knows_the_tickets(tmp_path: Path) -> None:
    path = tmp_path / "sinks" / "jira.tickets.json"
    Tickets(path).put("i1", Ticket("SOC-1", "high", {"a1": "open"}, heard=5.0, count=1))
    found = Tickets(path).get("i1")
    assert found == Ticket("SOC-1", "high", {"a1": "open"}, heard=5.0, count=1)
    assert path.stat().st_mode & 0o777 == 0o600


def test_open_ones_are_those_that_are_not_closed(tmp_path: Path) -> None:
    known = Tickets(None)
    known.put("i1", Ticket("SOC-1", "high"))
    known.put("i2", Ticket("SOC-2", "high", closed=True))
    assert list(known.open()) == ["i1"]
    known.forget("i1")
    known.forget("i9")
    assert known.open() == {}
    assert list(tmp_path.iterdir()) == []


def test_both_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tickets, "KEPT", 3)
    monkeypatch.setattr(tickets, "ALERTS", 2)
    known = Tickets(None)
    for number in range(5):
        known.put(f"i{number}", Ticket("x", "high", {f"a{n}": "open" for n in range(4)}, count=4))
    assert [f"i{n}" for n in range(5) if known.get(f"i{n}")] == ["i2", "i3", "i4"]
    newest = known.get("i4")
    assert newest is not None
    assert (list(newest.alerts), newest.count) == (["a2", "a3"], 4)


def test_a_file_that_cannot_be_used_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "t"
    path.write_text("[]")
    assert Tickets(path).open() == {}
    assert "state unusable" in caplog.text
    caplog.clear()
    (tmp_path / "file").touch()
    known = Tickets(tmp_path / "file" / "t")
    caplog.clear()
    known.put("i1", Ticket("x", "high"))
    known.put("i2", Ticket("x", "high"))
    assert caplog.text.count("state unusable") == 1
