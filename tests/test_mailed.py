from pathlib import Path

import pytest

from streams import mailed
from streams.mailed import Mailed
from tests.sinks.alerts import alert


def test_the_next_process_knows_what_was_mailed(tmp_path: Path) -> None:
    path = tmp_path / "sinks" / "desk.mailed.json"
    first = Mailed(path)
    first.note_single(alert("a1", "high", revision=2))
    first.note_digest([alert("a2", revision=3)])
    second = Mailed(path)
    assert second.single("a1") == (2, "high")
    assert second.single("a2") is None
    assert [second.told(alert("a1", revision=n)) for n in (1, 2, 3)] == [True, True, False]
    assert [second.told(alert("a2", revision=n)) for n in (3, 4)] == [True, False]
    assert path.stat().st_mode & 0o777 == 0o600


def test_without_a_path_nothing_is_written(tmp_path: Path) -> None:
    only = Mailed(None)
    only.note_single(alert("a1"))
    assert only.told(alert("a1"))
    assert list(tmp_path.iterdir()) == []


def test_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailed, "KEPT", 2)
    memory = Mailed(tmp_path / "m")
    for name in ("a1", "a2", "a1", "a3"):
        memory.note_single(alert(name))
        memory.note_digest([alert(name)])
    again = Mailed(tmp_path / "m")
    assert [name for name in ("a1", "a2", "a3") if again.single(name)] == ["a1", "a3"]
    assert list(again._known.digest) == ["a1", "a3"]


def test_a_file_that_cannot_be_used_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "m"
    path.write_text("{")
    assert Mailed(path).single("a1") is None
    assert "state unusable" in caplog.text
    caplog.clear()
    blocked = tmp_path / "file"
    blocked.touch()
    memory = Mailed(blocked / "m")
    caplog.clear()
    memory.note_single(alert("a1"))
    memory.note_single(alert("a2"))
    assert caplog.text.count("state unusable") == 1
    assert memory.told(alert("a2"))
