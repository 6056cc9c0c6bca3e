import os
import stat
from pathlib import Path

import pytest

from streams import atomic


def test_a_new_file_has_the_mode_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "table"
    atomic.replace(path, "one\n")
    assert path.read_text() == "one\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    secret = tmp_path / "secret"
    atomic.replace(secret, "two\n", 0o600)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_mode_and_owner_of_the_old_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text("one\n")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 1, 2)
    before = path.stat()
    atomic.replace(path, "two\n")
    after = path.stat()
    assert path.read_text() == "two\n"
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert after.st_ino != before.st_ino


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("one\n")
    link.symlink_to(real)
    atomic.replace(link, "two\n")
    assert link.is_symlink()
    assert real.read_text() == "two\n"


def test_a_failure_leaves_the_file_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table"
    path.write_text("one\n")

    def fail(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        atomic.replace(path, "two\n")
    assert path.read_text() == "one\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        atomic.replace(tmp_path / "no" / "table", "one\n")
