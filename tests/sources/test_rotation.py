from pathlib import Path

import pytest

from streams.sources.rotation import is_rotated, rotated


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def names(path: Path) -> list[str]:
    return [part.name for part in rotated(path)]


def test_numbered_parts_come_the_highest_first(tmp_path: Path) -> None:
    touch(tmp_path, "mail.log", "mail.log.1", "mail.log.2.gz", "mail.log.10.gz")
    assert names(tmp_path / "mail.log") == ["mail.log.10.gz", "mail.log.2.gz", "mail.log.1"]


def test_dated_parts_come_by_date(tmp_path: Path) -> None:
    touch(tmp_path, "maillog-20260201", "maillog-20260101.xz", "maillog-20260201-1767225600")
    assert names(tmp_path / "maillog") == [
        "maillog-20260101.xz",
        "maillog-20260201",
        "maillog-20260201-1767225600",
    ]


def test_dates_before_the_extension_are_known(tmp_path: Path) -> None:
    touch(tmp_path, "mail.log", "mail-20260201.log", "mail-20260101.log.zst")
    assert names(tmp_path / "mail.log") == ["mail-20260101.log.zst", "mail-20260201.log"]


def test_dates_come_before_numbers(tmp_path: Path) -> None:
    touch(tmp_path, "mail.log.1", "mail.log-2026-01-01")
    assert names(tmp_path / "mail.log") == ["mail.log-2026-01-01", "mail.log.1"]


def test_a_part_that_is_being_compressed_counts_once(tmp_path: Path) -> None:
    touch(tmp_path, "mail.log.1", "mail.log.1.gz", "mail.log.2.bz2")
    assert names(tmp_path / "mail.log") == ["mail.log.2.bz2", "mail.log.1"]


@pytest.mark.parametrize(
    "name", ["mail.log", "mail.log.bak", "mail.log.gz", "mail.logger.1", "other.log.1", "mail.err"]
)
def test_other_files_are_no_parts(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    assert names(tmp_path / "mail.log") == []


def test_a_missing_folder_has_no_parts(tmp_path: Path) -> None:
    assert rotated(tmp_path / "none" / "mail.log") == []


@pytest.mark.parametrize(
    "name",
    ["mail.log.1", "mail.log.2.gz", "mail.log-20260101", "mail-20260101.log", "mail.log.1.xz"],
)
def test_names_that_rotation_gives(name: str) -> None:
    assert is_rotated(Path(name))


@pytest.mark.parametrize("name", ["mail.log", "maillog", "dovecot-info.log", "mx1.log", "mail"])
def test_names_that_rotation_does_not_give(name: str) -> None:
    assert not is_rotated(Path(name))
