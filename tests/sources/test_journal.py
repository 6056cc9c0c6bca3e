"""The journal, through a journalctl of our own making: a real process, a real pipe."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.sources import journal
from streams.sources.journal import LONGEST, Journal

PROGRAM = """
import json, sys, pathlib
folder = pathlib.Path(sys.argv[1])
with (folder / "called").open("a") as called:
    called.write(json.dumps(sys.argv[2:]) + chr(10))
script = folder / "script"
sys.stdout.buffer.write(script.read_bytes() if script.exists() else b"")
sys.stdout.flush()
if not (folder / "ends").exists():
    sys.stdin = open("/dev/null")
    import signal
    signal.pause()
"""


class Fake:
    """A journal in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = (sys.executable, "-c", PROGRAM, str(folder))

    def holds(self, *lines: bytes) -> None:
        (self.folder / "script").write_bytes(b"".join(line + b"\n" for line in lines))

    def ends(self) -> None:
        (self.folder / "ends").touch()

    def calls(self) -> list[list[str]]:
        called = self.folder / "called"
        return [json.loads(line) for line in called.read_text().splitlines()]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


def entry(cursor: str, message: str = "hello") -> bytes:
    return json.dumps({"__CURSOR": cursor, "MESSAGE": message}).encode()


def read_until(source: Journal, enough: Callable[[list[bytes]], object]) -> list[bytes]:
    lines: list[bytes] = []
    until = time.monotonic() + 10
    while not enough(lines):
        assert time.monotonic() < until
        for offset, line in source.lines():
            assert offset == -1
            lines.append(line)
    return lines


def test_a_first_start_begins_now(fake: Fake) -> None:
    fake.holds(entry("s=1"))
    before = int(time.time())
    source = Journal(program=fake.program)
    assert read_until(source, len) == [entry("s=1")]
    source.close()
    (arguments,) = fake.calls()
    since = next(a for a in arguments if a.startswith("--since=@"))
    assert int(since.removeprefix("--since=@")) >= before
    assert "SYSLOG_FACILITY=2" in arguments


def test_a_first_start_with_history_begins_with_the_oldest(fake: Fake) -> None:
    fake.holds(entry("s=1"))
    source = Journal(begin=True, program=fake.program)
    read_until(source, len)
    source.close()
    assert "--since=@0" in fake.calls()[0]


def test_after_a_restart_it_goes_on_behind_the_last_entry(fake: Fake) -> None:
    fake.holds(entry("s=1"), entry("s=2;i=7"))
    source = Journal(program=fake.program)
    read_until(source, lambda lines: len(lines) == 2)
    position = source.position()
    source.close()
    fake.holds(entry("s=3"))
    again = Journal(position, program=fake.program)
    read_until(again, len)
    again.close()
    assert "--after-cursor=s=2;i=7" in fake.calls()[1]


def test_a_start_before_any_entry_keeps_its_beginning(fake: Fake) -> None:
    source = Journal(program=fake.program)
    position = source.position()
    source.close()
    again = Journal(position, program=fake.program)
    assert again.position() == position
    again.close()


def test_when_it_ends_it_says_why_and_starts_anew(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal, "PATIENCE", (0.0, 0.0))
    fake.holds(entry("s=1"), b"No journal files were opened due to insufficient permissions.")
    fake.ends()
    source = Journal(program=fake.program)
    read_until(source, lambda _: source.trouble)
    assert source.trouble.startswith("No journal files")
    fake.holds(entry("s=2"))
    read_until(source, lambda lines: entry("s=2") in lines)
    source.close()
    assert "--after-cursor=s=1" in fake.calls()[1]
    assert "unreadable" in caplog.text


def test_a_silent_end_is_told_too(fake: Fake) -> None:
    fake.ends()
    source = Journal(program=fake.program)
    read_until(source, lambda _: source.trouble)
    assert source.trouble == "journalctl ended with 0"
    assert list(source.lines()) == []


def test_each_failure_makes_it_wait_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(journal.time, "monotonic", lambda: now)
    starts = []
    source = Journal(program=("/no/such/program",))
    monkeypatch.setattr(source, "_start", lambda: starts.append(now))
    assert source.trouble == "/no/such/program: No such file or directory"
    list(source.lines())
    assert starts == []
    now += 1.0
    list(source.lines())
    assert starts == [1001.0]


def test_a_missing_program_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    source = Journal(program=("/no/such/program",))
    source._again = 0.0
    list(source.lines())
    assert len(caplog.records) == 1
    source.close()


def test_an_overlong_entry_is_passed_over(fake: Fake) -> None:
    fake.holds(entry("s=1", "x" * (LONGEST + 10)), entry("s=2"))
    source = Journal(program=fake.program)
    assert read_until(source, len) == [entry("s=2")]
    source.close()


def test_a_turn_reads_no_more_than_it_may(fake: Fake) -> None:
    fake.holds(*[entry(f"s={n}", "x" * 1000) for n in range(1000)])
    source = Journal(program=fake.program)
    lines: list[bytes] = []
    until = time.monotonic() + 10
    while len(lines) < 1000:
        assert time.monotonic() < until
        turn = [line for _, line in source.lines(limit=1)]
        assert len(turn) < 300
        lines += turn
    source.close()
