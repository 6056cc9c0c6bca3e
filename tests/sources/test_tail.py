"""Nothing lost and nothing twice, whatever is done to the file and to us."""

import bz2
import gzip
import logging
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.sources import tail
from streams.sources.logfile import CHUNK, LONGEST
from streams.sources.tail import MISSING, Tail


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "mail.log"


def write(path: Path, *lines: bytes) -> None:
    with path.open("ab") as file:
        file.writelines(line + b"\n" for line in lines)


def read(source: Tail) -> list[bytes]:
    return [line for _, line in source.lines()]


def test_what_is_there_at_the_first_start_is_left_alone(log: Path) -> None:
    write(log, b"old")
    source = Tail(log)
    assert read(source) == []
    write(log, b"new")
    assert list(source.lines()) == [(4, b"new")]


def test_what_is_there_is_read_when_that_is_asked_for(log: Path) -> None:
    write(log, b"old", b"older")
    assert list(Tail(log, begin=True).lines()) == [(0, b"old"), (4, b"older")]


def test_a_file_that_appears_later_is_read_from_its_beginning(log: Path) -> None:
    source = Tail(log)
    assert read(source) == []
    assert source.trouble == MISSING
    write(log, b"first")
    assert read(source) == [b"first"]
    assert not source.trouble


def test_a_missing_file_is_told_once(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = Tail(log)
    read(source)
    read(source)
    assert len(caplog.records) == 1


def test_a_line_is_passed_on_when_it_is_complete(log: Path) -> None:
    source = Tail(log)
    log.write_bytes(b"one\ntw")
    assert read(source) == [b"one"]
    assert read(source) == []
    write(log, b"o")
    assert list(source.lines()) == [(4, b"two")]


def test_a_first_start_in_the_middle_of_a_line_waits_for_the_whole_of_it(log: Path) -> None:
    log.write_bytes(b"one\ntw")
    source = Tail(log)
    write(log, b"o")
    assert list(source.lines()) == [(4, b"two")]


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(log: Path) -> None:
    write(log, b"a")
    source = Tail(log)
    write(log, b"b")
    log.rename(log.with_name("mail.log.1"))
    write(log, b"d")
    write(log.with_name("mail.log.1"), b"c")
    assert read(source) == [b"b", b"c", b"d"]


def test_the_writer_may_keep_the_renamed_file_open_for_a_while(log: Path) -> None:
    write(log, b"a")
    source = Tail(log)
    log.rename(log.with_name("mail.log.1"))
    write(log, b"c")
    assert read(source) == [b"c"]
    write(log.with_name("mail.log.1"), b"b")
    write(log, b"d")
    assert read(source) == [b"b", b"d"]


def test_a_renamed_file_is_given_up_when_it_is_quiet(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(tail.time, "monotonic", lambda: now)
    write(log, b"a")
    source = Tail(log)
    with log.open("ab") as file:
        file.write(b"no end of line")
    log.rename(log.with_name("mail.log.1"))
    write(log, b"c")
    read(source)
    assert len(source.files()) == 2
    read(source)
    now += tail.LINGER - 0.1
    assert read(source) == []
    assert len(source.files()) == 2
    now += 0.2
    assert read(source) == [b"no end of line"]
    assert len(source.files()) == 1


def test_a_quiet_renamed_file_that_speaks_again_stays(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(tail.time, "monotonic", lambda: now)
    write(log, b"a")
    source = Tail(log)
    log.rename(log.with_name("mail.log.1"))
    write(log, b"c")
    read(source)
    read(source)
    now += tail.LINGER - 1
    write(log.with_name("mail.log.1"), b"b")
    assert read(source) == [b"b"]
    now += tail.LINGER - 1
    assert read(source) == []
    assert len(source.files()) == 2


def test_between_renaming_and_the_new_file_the_old_one_is_read_on(log: Path) -> None:
    write(log, b"a")
    source = Tail(log)
    log.rename(log.with_name("mail.log.1"))
    write(log.with_name("mail.log.1"), b"b")
    assert read(source) == [b"b"]
    assert not source.trouble
    write(log, b"c")
    assert read(source) == [b"c"]


def test_a_truncated_file_is_read_from_its_beginning(log: Path) -> None:
    write(log, b"some long line")
    source = Tail(log)
    log.write_bytes(b"")
    write(log, b"new")
    assert read(source) == [b"new"]


def test_what_copytruncate_took_away_unread_is_read_in_the_copy(log: Path) -> None:
    write(log, b"Nov 22 09:00:00 a")
    source = Tail(log)
    write(log, b"Nov 22 09:00:01 b")
    log.with_name("mail.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    write(log, b"Nov 22 09:00:02 c")
    assert read(source) == [b"Nov 22 09:00:01 b", b"Nov 22 09:00:02 c"]


def test_a_copy_in_which_all_was_read_gives_nothing_twice(log: Path) -> None:
    write(log, b"Nov 22 09:00:00 a", b"Nov 22 09:00:01 b")
    source = Tail(log)
    log.with_name("mail.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    assert read(source) == []
    write(log, b"Nov 22 09:00:02 c")
    assert read(source) == [b"Nov 22 09:00:02 c"]


def test_a_truncated_file_that_has_outgrown_its_old_length_is_noticed(log: Path) -> None:
    write(log, b"Nov 22 09:00:00 a")
    source = Tail(log)
    os.truncate(log, 0)
    write(log, b"Nov 22 09:00:02 c", b"Nov 22 09:00:03 d", b"Nov 22 09:00:04 e")
    assert read(source) == [b"Nov 22 09:00:02 c", b"Nov 22 09:00:03 d", b"Nov 22 09:00:04 e"]


def test_after_a_restart_it_goes_on_where_it_stopped(log: Path) -> None:
    write(log, b"a")
    source = Tail(log, begin=True)
    log.write_bytes(log.read_bytes() + b"b\nhalf")
    read(source)
    position = source.position()
    source.close()
    write(log, b" and half", b"c")
    assert list(Tail(log, position).lines()) == [(4, b"half and half"), (18, b"c")]


def test_a_position_taken_before_anything_was_read_holds(log: Path) -> None:
    write(log, b"a")
    position = Tail(log).position()
    write(log, b"b")
    assert read(Tail(log, position)) == [b"b"]


def test_an_empty_file_is_known_by_its_inode(log: Path) -> None:
    log.touch()
    position = Tail(log).position()
    write(log, b"a")
    assert read(Tail(log, position)) == [b"a"]


def test_a_file_that_was_missing_is_read_in_full_after_a_restart(log: Path) -> None:
    position = Tail(log).position()
    write(log, b"a")
    assert read(Tail(log, position)) == [b"a"]


def position_of(log: Path) -> bytes:
    source = Tail(log, begin=True)
    read(source)
    position = source.position()
    source.close()
    return position


def test_rotated_while_it_did_not_run(log: Path) -> None:
    write(log, b"22 09:00 a")
    position = position_of(log)
    write(log, b"22 09:01 b")
    log.rename(log.with_name("mail.log.1"))
    write(log, b"22 09:02 c")
    assert read(Tail(log, position)) == [b"22 09:01 b", b"22 09:02 c"]


def test_rotated_three_times_while_it_did_not_run(log: Path) -> None:
    write(log, b"22 09:00 a")
    position = position_of(log)
    write(log, b"22 09:01 b")
    log.with_name("mail.log.3.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.with_name("mail.log.2.bz2").write_bytes(bz2.compress(b"22 09:02 c\n22 09:03 d\n"))
    log.with_name("mail.log.1").write_bytes(b"22 09:04 e\n")
    log.unlink()
    write(log, b"22 09:05 f")
    expected = [b"22 09:01 b", b"22 09:02 c", b"22 09:03 d", b"22 09:04 e", b"22 09:05 f"]
    assert read(Tail(log, position)) == expected


def test_rotated_three_times_between_two_looks(log: Path) -> None:
    write(log, b"a")
    source = Tail(log)
    for line in (b"b", b"c", b"d"):
        write(log, line)
        shift(log)
        log.rename(log.with_name("mail.log.1"))
    write(log, b"e")
    assert read(source) == [b"b", b"c", b"d", b"e"]


def test_a_part_that_may_not_be_read_is_passed_over(
    log: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(log, b"a")
    position = position_of(log)
    shift(log)
    log.rename(log.with_name("mail.log.2"))
    write(log.with_name("mail.log.1"), b"b")
    write(log, b"c")
    refuse(monkeypatch, log.with_name("mail.log.1"))
    assert read(Tail(log, position)) == [b"c"]
    assert "source unreadable" in caplog.text


def test_a_long_read_of_an_older_part_is_gone_on_with_after_a_restart(log: Path) -> None:
    write(log, b"first")
    position = position_of(log)
    write(log, *[b"old" * 33] * 10_000)
    log.with_name("mail.log.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    write(log, b"new")
    lines: list[bytes] = []
    for _ in range(20):
        source = Tail(log, position)
        lines += [line for _, line in source.lines(CHUNK)]
        position = source.position()
        source.close()
    assert lines == [b"old" * 33] * 10_000 + [b"new"]


def test_a_restart_while_a_renamed_file_is_still_written_to(log: Path) -> None:
    write(log, b"22 09:00 a")
    source = Tail(log)
    log.rename(log.with_name("mail.log.1"))
    write(log, b"22 09:02 c")
    assert read(source) == [b"22 09:02 c"]
    position = source.position()
    write(log.with_name("mail.log.1"), b"22 09:01 b")
    log.with_name("mail.log.1").rename(log.with_name("mail.log.2"))
    log.rename(log.with_name("mail.log.1"))
    write(log.with_name("mail.log.1"), b"22 09:03 d")
    write(log, b"22 09:04 e")
    assert read(Tail(log, position)) == [b"22 09:01 b", b"22 09:03 d", b"22 09:04 e"]


def test_copied_and_truncated_while_it_did_not_run(log: Path) -> None:
    write(log, b"22 09:00 a")
    position = position_of(log)
    write(log, b"22 09:01 b")
    log.with_name("mail.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    write(log, b"c")
    assert read(Tail(log, position)) == [b"22 09:01 b", b"c"]


def test_a_new_file_with_the_old_ones_inode_is_no_longer_it(log: Path) -> None:
    write(log, b"22 09:00 a")
    position = position_of(log)
    log.write_bytes(b"23 09:00 other\n")
    assert read(Tail(log, position)) == [b"23 09:00 other"]


def test_a_file_put_back_from_a_backup_goes_on(log: Path, tmp_path: Path) -> None:
    write(log, b"22 09:00 a")
    position = position_of(log)
    text = log.read_bytes()
    (tmp_path / "keeps the inode busy").hardlink_to(log)
    log.unlink()
    log.write_bytes(text + b"22 09:01 b\n")
    assert read(Tail(log, position)) == [b"22 09:01 b"]


def test_where_all_that_was_known_is_gone_the_present_file_is_read(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(log, b"22 09:00 a")
    position = position_of(log)
    log.write_bytes(b"23 1\n")
    with caplog.at_level(logging.WARNING):
        assert read(Tail(log, position)) == [b"23 1"]
    assert "gone" in caplog.text


def test_a_renamed_file_that_is_gone_after_a_restart_is_told(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(log, b"22 09:00 a")
    source = Tail(log)
    log.rename(log.with_name("mail.log.1"))
    write(log, b"22 09:02 c")
    read(source)
    position = source.position()
    log.with_name("mail.log.1").unlink()
    assert read(Tail(log, position)) == []
    assert "gone" in caplog.text


def test_a_folder_in_the_files_place_is_told(log: Path) -> None:
    log.mkdir()
    source = Tail(log)
    assert read(source) == []
    assert source.trouble == "not a regular file"


def refuse(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """As if we were not allowed to read it: the superuser always is."""
    real = os.open

    def denied(name: str | Path, *args: int, **more: int) -> int:
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real(name, *args, **more)

    monkeypatch.setattr(os, "open", denied)


def test_a_file_that_may_not_be_read_is_told_and_tried_again(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, b"old")
    with monkeypatch.context() as patch:
        refuse(patch, log)
        source = Tail(log)
        assert read(source) == []
        assert source.trouble.startswith("permission denied")
    assert read(source) == []
    write(log, b"new")
    assert read(source) == [b"new"]
    assert not source.trouble


def test_lines_that_come_while_a_file_may_not_be_read_are_read_when_it_may(
    log: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    write(log, b"old")
    with monkeypatch.context() as patch:
        refuse(patch, log)
        source = Tail(log)
        write(log, b"meanwhile")
        assert read(source) == []
    write(log, b"new")
    assert read(source) == [b"meanwhile", b"new"]
    assert f"source readable again source={log}" in caplog.text


def test_a_file_that_has_taken_the_place_of_one_we_may_not_read_is_read_from_its_beginning(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, b"old")
    with monkeypatch.context() as patch:
        refuse(patch, log)
        source = Tail(log)
        assert read(source) == []
    log.rename(log.with_suffix(".1"))
    write(log, b"new")
    assert read(source) == [b"new"]


def test_a_position_survives_a_file_that_may_not_be_read_for_a_while(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, b"a")
    position = position_of(log)
    write(log, b"b")
    with monkeypatch.context() as patch:
        refuse(patch, log)
        source = Tail(log, position)
        assert read(source) == []
        assert source.position() == position
    assert read(source) == [b"b"]


def test_a_new_file_that_may_not_be_read_yet_is_read_in_full_later(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, b"a")
    source = Tail(log)
    log.rename(log.with_name("mail.log.1"))
    write(log, b"c")
    with monkeypatch.context() as patch:
        refuse(patch, log)
        write(log.with_name("mail.log.1"), b"b")
        assert read(source) == [b"b"]
        assert source.trouble
    assert read(source) == [b"c"]


def test_a_device_that_fails_is_told(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(log, b"a")
    source = Tail(log)
    write(log, b"b")

    def failing(*_: int) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", failing)
        assert read(source) == []
        assert source.trouble == "Input/output error"


@pytest.mark.parametrize("length", [LONGEST, LONGEST + 1, CHUNK, 3 * CHUNK + 7, 1 << 20])
def test_a_long_line_is_cut_and_the_next_one_found(log: Path, length: int) -> None:
    source = Tail(log, begin=True)
    write(log, b"x" * length, b"next")
    assert list(source.lines()) == [(0, b"x" * min(length, LONGEST)), (length + 1, b"next")]


def test_a_long_line_that_comes_in_pieces_is_cut_alike(log: Path) -> None:
    source = Tail(log, begin=True)
    for _ in range(8):
        with log.open("ab") as file:
            file.write(b"x" * 50_000)
        assert read(source) == []
    write(log, b"", b"next")
    assert list(source.lines()) == [(0, b"x" * LONGEST), (400_001, b"next")]


def test_a_turn_reads_about_as_much_as_it_may(log: Path) -> None:
    source = Tail(log, begin=True)
    write(log, *[b"x" * 99] * 10_000)
    first = list(source.lines(CHUNK))
    assert len(first) == CHUNK // 100
    assert source.behind == 1_000_000 - CHUNK
    assert len(first) + len(read(source)) == 10_000
    assert source.behind == 0


def test_older_files_come_first_however_little_a_turn_reads(log: Path) -> None:
    write(log, b"first")
    source = Tail(log)
    write(log, *[b"old" * 33] * 10_000)
    log.rename(log.with_name("mail.log.1"))
    write(log, b"new")
    lines: list[bytes] = []
    while source.behind or not lines or lines[-1] != b"new":
        lines += [line for _, line in source.lines(CHUNK)]
    assert lines == [b"old" * 33] * 10_000 + [b"new"]


def test_it_is_gone_when_nobody_has_had_its_name_for_long(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(tail.time, "monotonic", lambda: now)
    write(log, b"a")
    source = Tail(log)
    log.unlink()
    read(source)
    assert not source.gone
    now += tail.GONE + 1
    assert source.gone
    write(log, b"b")
    assert read(source) == [b"b"]
    assert not source.gone


@pytest.mark.parametrize("seed", range(30))
def test_any_mixture_of_writing_rotating_and_restarting_loses_nothing_and_repeats_nothing(
    log: Path, seed: int
) -> None:
    dice = random.Random(seed)
    log.touch()
    number = 0
    source = Tail(log, begin=True)
    lines: list[bytes] = []
    for _ in range(150):
        match dice.choice(["write", "write", "write", "read", "read", "rename", "copy", "restart"]):
            case "write":
                for _ in range(dice.randrange(4)):
                    write(log, b"%06d a line of its own" % number)
                    number += 1
            case "read":
                lines += read(source)
            case "rename" if log.exists():
                shift(log)
                log.rename(log.with_name("mail.log.1"))
            case "copy" if log.exists():
                lines += read(source)  # else the race that copytruncate(8) warns of
                shift(log)
                log.with_name("mail.log.1").write_bytes(log.read_bytes())
                os.truncate(log, 0)
            case "restart":
                lines += read(source)
                position = source.position()
                source.close()
                source = Tail(log, position)
    write(log, b"%06d a line of its own" % number)
    lines += read(source) + read(source)
    source.close()
    assert lines == [b"%06d a line of its own" % at for at in range(number + 1)]


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("moment", range(30))
def test_rotated_at_any_moment_while_it_looks_around(
    log: Path, monkeypatch: pytest.MonkeyPatch, moment: int, *, running: bool
) -> None:
    def rotate(line: bytes) -> None:
        shift(log)
        log.rename(log.with_name("mail.log.1"))
        write(log, line)

    def interrupted(call: Callable[..., object]) -> Callable[..., object]:
        def interrupt(*arguments: object, **options: object) -> object:
            nonlocal moment
            moment -= 1
            if moment == -1:
                rotate(b"d in the latest file")
            return call(*arguments, **options)

        return interrupt

    write(log, b"a in the oldest file")
    source = Tail(log, begin=True)
    lines = read(source)
    write(log, b"b in the oldest file")
    rotate(b"c in the next file")
    position = source.position()
    with monkeypatch.context() as patch:
        for name in ("stat", "open", "listdir"):
            patch.setattr(os, name, interrupted(getattr(os, name)))
        if not running:
            source.close()
            source = Tail(log, position)
        lines += read(source)
        lines += read(source)
    if moment >= 0:
        rotate(b"d in the latest file")
    while source.behind:
        lines += read(source)
    lines += read(source)
    assert [line[:1] for line in lines] == [b"a", b"b", b"c", b"d"]


def shift(log: Path) -> None:
    """As logrotate: .1 becomes .2, and so on."""
    for at in range(60, 0, -1):
        part = log.with_name(f"mail.log.{at}")
        if part.exists():
            part.rename(log.with_name(f"mail.log.{at + 1}"))
