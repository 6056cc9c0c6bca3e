"""The progress bar: on a terminal only, and honest about what it does not know."""

import gzip
from pathlib import Path

import pytest

from agents.commands.progress import following


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "mail.log"
    path.write_bytes(b"x" * 1000)
    return path


def test_without_a_terminal_nobody_is_told(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with following([log]) as progress:
        assert progress is None


def test_on_a_terminal_the_bytes_of_all_files_count(
    log: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with following([log, log]) as progress:
        assert progress is not None
        progress("a", 700)
        progress("b", 700)
        progress("b", 900)
    shown = capfd.readouterr()
    assert "1.6/2.0 kB" in shown.err
    assert shown.out == ""


def test_what_a_compressed_file_holds_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mail.log.gz"
    path.write_bytes(gzip.compress(b"x" * 9000))
    monkeypatch.setenv("FORCE_COLOR", "1")
    with following([path]) as progress:
        assert progress is not None
        progress(str(path), 9000)
    assert "9.0/?" in capfd.readouterr().err
