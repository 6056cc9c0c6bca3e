"""`mailwarden parse --format dsn`: mails of files, mailboxes and directories."""

import gzip
import json
import mailbox
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.commands import cli

MAILS = Path(__file__).parent / "reports" / "mails"
NOW = "2026-03-03T00:00:00Z"

Parse = Callable[..., Result]


@pytest.fixture
def parse() -> Parse:
    def run(*files: object, stdin: bytes = b"", options: tuple[str, ...] = ()) -> Result:
        arguments = ["parse", "--format", "dsn", "--now", NOW, *options, *map(str, files)]
        return CliRunner().invoke(cli, arguments, input=stdin)

    return run


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def recipients(result: Result) -> list[str]:
    return [row["failed_recipient"] for row in rows(result)]


def test_a_mail(parse: Parse) -> None:
    result = parse(MAILS / "postfix.eml", options=("--host", "mx1"))
    assert result.exit_code == 0
    first, second = rows(result)
    assert first["type"] == "bounce"
    assert (first["gateway"], first["source"], first["code"]) == ("mx1", "intake", 550)
    assert first["about"] == "original@example.com"
    assert second["status"] == "deferred"
    assert "1 mail: 2 events, 0 without a report" in result.stderr


def test_a_directory_and_its_folders(parse: Parse, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b.eml").write_bytes((MAILS / "exim.eml").read_bytes())
    (tmp_path / "a" / "c.eml").write_bytes((MAILS / "qmail.eml").read_bytes())
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / ".hidden").write_bytes((MAILS / "exim.eml").read_bytes())
    result = parse(tmp_path)
    assert recipients(result) == ["kim@example.org", "kim@example.org", "lee@example.org"]


def test_a_maildir(parse: Parse, tmp_path: Path) -> None:
    box = mailbox.Maildir(tmp_path / "box")
    for name in ("exim", "vacation", "gmx"):
        box.add((MAILS / f"{name}.eml").read_bytes())
    (tmp_path / "box" / "tmp" / "half").write_bytes(b"Subject: half")
    result = parse(tmp_path / "box")
    assert recipients(result) == ["kim@example.org"] * 2
    assert "3 mails: 2 events, 1 without a report" in result.stderr


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_mailbox(parse: Parse, tmp_path: Path, end: str) -> None:
    path = tmp_path / "box"
    box = mailbox.mbox(path)
    for name in ("exim", "vacation", "qmail"):
        box.add((MAILS / f"{name}.eml").read_bytes())
    box.close()
    path.write_bytes(path.read_bytes().replace(b"\n", end.encode()))
    result = parse(path)
    assert recipients(result) == ["kim@example.org", "kim@example.org", "lee@example.org"]
    assert "3 mails:" in result.stderr


def test_standard_input_and_packed_files(parse: Parse, tmp_path: Path) -> None:
    packed = tmp_path / "mail.gz"
    packed.write_bytes(gzip.compress((MAILS / "exim.eml").read_bytes()))
    result = parse("-", packed, stdin=(MAILS / "gmx.eml").read_bytes())
    assert recipients(result) == ["kim@example.org"] * 2


def test_what_cannot_be_read_is_told_and_stops_nothing(parse: Parse, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress((MAILS / "exim.eml").read_bytes() * 99)[:-20])
    result = parse(tmp_path / "missing", broken, MAILS / "gmx.eml")
    assert result.exit_code == 2
    assert f"{tmp_path}/missing: No such file" in result.stderr
    assert "broken.gz: cannot be unpacked further" in result.stderr
    assert recipients(result)[-1] == "kim@example.org"


def test_a_table_for_people(parse: Parse) -> None:
    result = parse(MAILS / "exim.eml", options=("--table",))
    assert "bounce" in result.stdout
    assert "192.0.2.25" in result.stdout
