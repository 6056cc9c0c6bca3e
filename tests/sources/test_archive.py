import bz2
import gzip
import io
import lzma
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard

from streams.sources.archive import LONGEST, open_lines

LINES = b"one\ntwo\r\n\nlast"
EXPECTED = [(0, b"one"), (4, b"two\r"), (9, b""), (10, b"last")]

PACKED = {
    "mail.log": LINES,
    "mail.log.1": LINES,
    "mail.log.gz": gzip.compress(LINES),
    "mail.log.bz2": bz2.compress(LINES),
    "mail.log.xz": lzma.compress(LINES),
    "mail.log.zst": zstandard.compress(LINES),
}


@pytest.mark.parametrize("name", PACKED)
def test_lines_come_with_their_offsets_however_they_are_packed(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(PACKED[name])
    assert list(open_lines(path)) == EXPECTED


@pytest.mark.parametrize("name", ["mail.gz", "mail.bz2", "mail.xz", "mail.zst"])
def test_a_file_that_is_not_what_its_name_says_is_an_os_error(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"this is plain text, and long enough for any header to be looked for")
    with pytest.raises(OSError, match="unpacked"):
        list(open_lines(path))


def test_what_came_before_a_cut_is_good(tmp_path):
    path = tmp_path / "mail.gz"
    path.write_bytes(gzip.compress(b"one\n" * 10_000)[:-12])
    found = []
    with pytest.raises(OSError, match="unpacked"):
        found.extend(open_lines(path))
    lines = open_lines(path)
    assert next(lines) == (0, b"one")


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(open_lines(tmp_path / "nothing"))


def test_a_line_without_end_is_cut_and_the_next_one_has_its_place(tmp_path):
    path = tmp_path / "mail.log"
    path.write_bytes(b"x" * (3 * LONGEST + 5) + b"\nnext\n")
    assert list(open_lines(path)) == [(0, b"x" * LONGEST), (3 * LONGEST + 6, b"next")]


@pytest.mark.parametrize("name", PACKED)
def test_without_a_name_that_tells_the_first_bytes_do(tmp_path, monkeypatch, name):
    path = tmp_path / "old"
    path.write_bytes(PACKED[name])
    assert list(open_lines(path)) == EXPECTED
    stdin = SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(PACKED[name])))
    monkeypatch.setattr("sys.stdin", stdin)
    assert list(open_lines(Path("-"))) == EXPECTED
    assert not stdin.buffer.closed


def test_a_cut_archive_on_standard_input_is_told(monkeypatch):
    packed = gzip.compress(b"one\n" * 10_000)[:-12]
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(packed))))
    with pytest.raises(OSError, match="unpacked"):
        list(open_lines(Path("-")))
