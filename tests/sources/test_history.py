import bz2
import gzip
import lzma
import os
from pathlib import Path

import pytest
import zstandard

from streams.sources.archived import Archived
from streams.sources.history import history
from streams.sources.logfile import HEAD, LogFile

TEXT = b"".join(b"22 09:%02d line\n" % minute for minute in range(60))


def lines(path: Path) -> list[bytes]:
    return [line for _, line in history(path)]


def test_all_older_parts_the_oldest_first(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_bytes(b"f\n")
    (tmp_path / "mail.log.1").write_bytes(b"e\n")
    (tmp_path / "mail.log.2.gz").write_bytes(gzip.compress(b"d\n"))
    (tmp_path / "mail.log.3.bz2").write_bytes(bz2.compress(b"c\n"))
    (tmp_path / "mail.log.4.xz").write_bytes(lzma.compress(b"b\n"))
    (tmp_path / "mail.log.5.zst").write_bytes(zstandard.compress(b"a\n"))
    assert lines(log) == [b"a", b"b", b"c", b"d", b"e"]


def test_files_that_are_read_already_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "mail.log.1").write_bytes(b"a\n")
    found = (tmp_path / "mail.log.1").stat()
    assert list(history(tmp_path / "mail.log", [(found.st_dev, found.st_ino)])) == []


@pytest.mark.parametrize(
    "broken", [b"no gzip", gzip.compress(TEXT)[:-12], gzip.compress(TEXT)[:40] + b"\xff" * 80]
)
def test_a_damaged_part_gives_what_can_be_read_and_hides_no_other(
    tmp_path: Path, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mail.log.2.gz").write_bytes(broken)
    (tmp_path / "mail.log.1").write_bytes(b"b\n")
    assert lines(tmp_path / "mail.log")[-1] == b"b"
    assert "mail.log.2.gz reason=" in caplog.text


def test_a_part_that_vanishes_before_its_turn_is_told_and_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, line in ((1, b"b\n"), (2, b"a\n")):
        (tmp_path / f"mail.log.{number}").write_bytes(line)
    found = history(tmp_path / "mail.log")
    assert next(found) == (0, b"a")
    (tmp_path / "mail.log.1").unlink()
    assert list(found) == []
    assert "an older part is gone" in caplog.text


def test_rotation_while_it_is_read_changes_nothing(tmp_path: Path) -> None:
    log, first, second, third = (tmp_path / f"mail.log{end}" for end in ("", ".1", ".2", ".3.gz"))
    log.write_bytes(b"d of the present file\n")
    first.write_bytes(b"c of the part before it\n")
    second.write_bytes(b"a of the oldest part\nb of the oldest part\n")
    found = history(log)
    lines = [next(found)[1]]
    third.write_bytes(gzip.compress(second.read_bytes()))
    second.write_bytes(first.read_bytes())
    first.unlink()
    log.rename(first)
    lines += [line for _, line in found]
    assert [line[:1] for line in lines] == [b"a", b"b", b"c"]


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "mail.log.2.gz"
    path.write_bytes(gzip.compress(TEXT))
    return path


def test_an_archive_begins_like_the_file_that_it_was_made_of(tmp_path: Path, packed: Path) -> None:
    plain = tmp_path / "mail.log"
    plain.write_bytes(TEXT)
    place = LogFile(plain).place
    assert place.head_length == HEAD
    assert Archived(packed).begins_like(place)
    assert not Archived(packed).is_at(place)


def test_an_archive_is_read_from_an_offset_and_bit_by_bit(packed: Path) -> None:
    archive = Archived(packed)
    archive.seek(14)
    assert list(archive.lines(20)) == [(14, b"22 09:01 line"), (28, b"22 09:02 line")]
    assert archive.behind
    place = archive.place
    again = Archived(packed)
    assert again.is_at(place)
    again.seek(place.offset)
    assert len(list(again.lines(1 << 20))) == 57
    assert not again.behind
    assert list(again.last_line()) == []
    again.close()
    assert list(again.lines(1)) == []


def test_an_archive_that_is_damaged_ends_where_it_cannot_be_read_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mail.log.2.gz"
    path.write_bytes(gzip.compress(os.urandom(50_000).replace(b"\n", b"") + b"\n" + TEXT)[:-20])
    archive = Archived(path)
    list(archive.lines(1 << 20))
    assert not archive.behind
    assert "unreadable" in caplog.text
