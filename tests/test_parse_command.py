import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.commands import cli

ROOT = Path(__file__).parent.parent
FIRST = b"Mar  4 08:01:07 mx1 postfix/smtpd[411]: connect from mail.example.com[192.0.2.7]\n"
SECOND = b"Mar  4 08:01:09 mx1 postfix/smtpd[411]: disconnect from mail.example.com[192.0.2.7]\n"


def parse(*arguments, **more):
    result = CliRunner().invoke(cli, ["parse", *map(str, arguments)], **more)
    return result, [json.loads(line) for line in result.stdout.splitlines() if line[0] == "{"]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "mail.log"
    path.write_bytes(FIRST + SECOND)
    return path


def test_one_event_a_line_with_all_its_fields(log):
    result, events = parse("--year", "2025", "--zone", "UTC", log)
    assert result.exit_code == 0
    assert [event["outcome"] for event in events] == ["opened", "closed"]
    assert events[0] == {
        "type": "connection",
        "at": 1741075267.0,
        "gateway": "mx1",
        "source": "log",
        "offset": 0,
        "client": "192.0.2.7",
        "name": "mail.example.com",
        "helo": "",
        "outcome": "opened",
        "reason": "",
    }
    assert "2 lines: 2 events, 0 lines of unknown programs, 0 unreadable" in result.stderr


def test_files_are_read_in_the_order_given_and_unpacked(log, tmp_path):
    packed = tmp_path / "old.log.gz"
    packed.write_bytes(gzip.compress(FIRST.replace(b"192.0.2.7", b"192.0.2.8")))
    _, events = parse(packed, log)
    assert [event["client"] for event in events] == ["192.0.2.8", "192.0.2.7", "192.0.2.7"]


def test_a_dash_is_standard_input():
    result, events = parse("--host", "here", "-", input=FIRST.replace(b" mx1", b""))
    assert (result.exit_code, events[0]["gateway"], events[0]["offset"]) == (0, "here", 0)


def test_a_missing_file_is_told_and_the_others_are_still_read(log, tmp_path):
    result, events = parse(tmp_path / "none.log", log)
    assert result.exit_code == 2
    assert "none.log: No such file or directory" in result.stderr
    assert len(events) == 2


def test_a_broken_archive_is_told(tmp_path):
    path = tmp_path / "mail.xz"
    path.write_bytes(b"no archive")
    result, _ = parse(path)
    assert result.exit_code == 2
    assert "cannot be unpacked further" in result.stderr


def test_unreadable_lines_are_shown_a_few_and_counted_all(tmp_path):
    path = tmp_path / "mail.log"
    path.write_bytes(b"Mar  4 08:01:07 mx1 postfix/smtpd[411]: connect from \x1b[31m\n" * 50)
    result, events = parse(path)
    assert (result.exit_code, events) == (0, [])
    assert result.stderr.count("no client") == 20
    assert "further unreadable lines are only counted" in result.stderr
    assert "50 unreadable" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--format", "nonsense", "x"], "postfix"),
        (["--zone", "Nowhere/Town", "x"], "IANA"),
        (["--now", "soon", "x"], "ISO 8601"),
        (["--year", "banana", "x"], "--year"),
        ([], "FILE"),
    ],
)
def test_a_wrong_option_says_what_was_expected(arguments, word):
    result, _ = parse(*arguments)
    assert result.exit_code == 2
    assert word in result.stderr


def test_a_forced_format_leaves_other_lines_alone(log):
    result, events = parse("--format", "dovecot", log)
    assert events == []
    assert "2 lines of unknown programs" in result.stderr


def test_now_decides_the_year(log):
    for now, year in (("2025-03-04T00:00:00", 2025), ("2025-03-01", 2024), ("1741132800", 2025)):
        _, events = parse("--now", now, "--zone", "UTC", log)
        assert events[0]["at"] == {2025: 1741075267.0, 2024: 1709539267.0}[year]


def test_a_table_fits_the_narrow_terminal_and_cuts_nothing(tmp_path):
    path = tmp_path / "mail.log"
    path.write_text(
        "Mar  4 08:01:09 mx1 dovecot: imap-login: Disconnected (auth failed, 3 attempts in 9 secs):"
        " user=<a.person.with.a.long.name@subsidiary.example.org>, method=PLAIN,"
        " rip=2001:db8:1234:5678:9abc:def0:1234:5678, lip=198.51.100.1, session=<s>\n"
    )
    result, _ = parse("--table", "--year", "2025", path, env={"COLUMNS": "80"})
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    flat = "".join(result.stdout.split())
    assert "client=2001:db8:1234:5678:9abc:def0:1234:5678" in flat
    assert "account=a.person.with.a.long.name@subsidiary.example.org" in flat
    assert "count=3" in flat
    assert "1 line: 1 event, 0 lines of unknown programs, 0 unreadable" in result.stderr


def test_a_table_for_people(tmp_path):
    path = tmp_path / "mail.log"
    line = FIRST.replace(
        b"connect from mail.example.com[192.0.2.7]",
        b"warning: unknown[192.0.2.7]: SASL PLAIN authentication failed: x, sasl_username=[red]x",
    )
    path.write_bytes(line)
    result, _ = parse("--table", "--year", "2025", path, env={"COLUMNS": "160"})
    assert "192.0.2.7" in result.stdout
    assert "account=[red]x" in result.stdout


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    path = tmp_path / "mail.log"
    path.write_bytes(FIRST * 20_000)
    program = [sys.executable, str(ROOT / "mailwarden.py"), "parse", str(path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.readline()
        running.stdout.close()
        said = running.stderr.read()
        running.wait(60)
    assert (running.returncode, said) == (0, b"")


def test_a_packed_log_on_standard_input_is_unpacked(tmp_path):
    program = [sys.executable, str(ROOT / "mailwarden.py"), "parse", "--year", "2025", "-"]
    packed = gzip.compress(FIRST)
    result = subprocess.run(program, input=packed, capture_output=True, check=True, cwd=tmp_path)
    assert b'"client":"192.0.2.7"' in result.stdout
    assert b"1 line: 1 event" in result.stderr
