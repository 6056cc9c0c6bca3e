import json
import os
import stat
from pathlib import Path

import pytest

from agents.running.letters import DeadLetters
from streams.reader import DeadLine

LETTER = DeadLine("no time in it", "mail.log", 42, "a line\x00 of ours")


def test_a_letter_is_a_line_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "dead.jsonl"
    letters = DeadLetters(path)
    letters(LETTER)
    letters.close()
    assert json.loads(path.read_text()) == {
        "reason": "no time in it",
        "source": "mail.log",
        "offset": 42,
        "line": "a line\x00 of ours",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_next_process_adds_to_them(tmp_path: Path) -> None:
    for _ in range(2):
        letters = DeadLetters(tmp_path / "dead.jsonl")
        letters(LETTER)
        letters.close()
        letters.close()
    assert len((tmp_path / "dead.jsonl").read_text().splitlines()) == 2


def test_however_many_there_are_two_files_are_kept(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "dead.jsonl", largest=1000)
    for _ in range(100):
        letters(LETTER)
    letters.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["dead.jsonl", "dead.jsonl.1"]
    assert all(0 < file.stat().st_size <= 1000 for file in files)


def test_a_full_disk_loses_letters_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    letters = DeadLetters(tmp_path / "dead.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        letters(LETTER)
        letters(LETTER)
    assert caplog.text.count("No space left on device") == 1
    letters(LETTER)
    letters.close()
    assert len((tmp_path / "dead.jsonl").read_text().splitlines()) == 1
