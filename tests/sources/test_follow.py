from pathlib import Path

import pytest

from streams.sources import follow, tail
from streams.sources.follow import Follow


def write(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def turn(sources: Follow) -> dict[str, list[bytes]]:
    found = {Path(name).name: [line for _, line in lines] for name, lines in sources.turn()}
    return {name: lines for name, lines in found.items() if lines}


@pytest.fixture
def always_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "LOOK", 0.0)


@pytest.mark.usefixtures("always_looking")
def test_a_pattern_gains_files(tmp_path: Path) -> None:
    write(tmp_path / "a.log", b"old\n")
    sources = Follow([str(tmp_path / "*.log")])
    assert turn(sources) == {}
    write(tmp_path / "a.log", b"1\n")
    write(tmp_path / "b.log", b"from its beginning\n")
    assert turn(sources) == {"a.log": [b"1"], "b.log": [b"from its beginning"]}
    sources.close()


@pytest.mark.usefixtures("always_looking")
def test_a_pattern_does_not_take_rotated_parts_for_new_files(tmp_path: Path) -> None:
    write(tmp_path / "mail.log", b"a\n")
    sources = Follow([str(tmp_path / "mail*")], begin=True)
    assert turn(sources) == {"mail.log": [b"a"]}
    (tmp_path / "mail.log").rename(tmp_path / "mail.log.1")
    assert turn(sources) == {}
    (tmp_path / "mail.log.1").rename(tmp_path / "mail-kept")
    assert turn(sources) == {}
    write(tmp_path / "mail-kept", b"b\n")
    assert turn(sources) == {"mail.log": [b"b"]}


def test_a_plain_name_is_followed_before_it_is_there(tmp_path: Path) -> None:
    sources = Follow([str(tmp_path / "mail.log")])
    assert sources.troubles() == {str(tmp_path / "mail.log"): "not there yet"}
    write(tmp_path / "mail.log", b"a\n")
    assert turn(sources) == {"mail.log": [b"a"]}
    assert sources.troubles() == {}


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    write(log, b"a\n")
    first = Follow([str(log)], begin=True)
    turn(first)
    positions = first.positions()
    first.close()
    write(log, b"b\n")
    assert turn(Follow([str(log)], positions=positions)) == {"mail.log": [b"b"]}


def test_history_comes_before_the_file_and_nothing_comes_twice(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    write(log.with_name("mail.log.1"), b"a\n")
    write(log, b"b\n")
    sources = Follow([str(log)], begin=True)
    log.rename(log.with_name("mail.log.0"))
    lines = [line for _, lines in sources.history() for _, line in lines]
    assert lines == [b"a", b"b"]
    assert turn(sources) == {}


def test_only_so_many_files_are_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follow, "MOST", 2)
    monkeypatch.setattr(follow, "LOOK", 0.0)
    for name in "abc":
        write(tmp_path / f"{name}.log", b"x\n")
    sources = Follow([str(tmp_path / "*.log")])
    turn(sources)
    assert len(sources.sources) == 2
    assert caplog.text.count("more than 2 files") == 1


@pytest.mark.usefixtures("always_looking")
def test_files_of_a_pattern_that_are_long_gone_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "GONE", -1.0)
    write(tmp_path / "a.log", b"x\n")
    sources = Follow([str(tmp_path / "*.log"), str(tmp_path / "named")])
    (tmp_path / "a.log").unlink()
    turn(sources)
    turn(sources)
    assert [source.name for source in sources.sources] == [str(tmp_path / "named")]
    assert list(sources.positions()) == [str(tmp_path / "named")]


def test_a_file_that_vanishes_while_it_is_looked_at_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow.glob, "glob", lambda _: [str(tmp_path / "gone.log")])
    sources = Follow([str(tmp_path / "*.log")])
    assert sources.troubles() == {str(tmp_path / "gone.log"): "not there yet"}
