"""Files that gateways write, and the commands that make others read them."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from schemas.findings import Decision, Target
from streams.gateway import GatewayError, GatewaySettings, Note
from streams.reloading import Reload
from streams.writing import Writing, asked

Until = Callable[[Callable[[], object]], None]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Program:
    """Notes that it was called; ends as the test says, and when it says so."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "program"
        self.calls = folder / "calls"
        self.calls.touch()
        self.status = folder / "status"
        self.status.write_text("0")
        self.slow = folder / "slow"
        self.go = folder / "go"
        os.mkfifo(self.go)
        self.path.write_text(
            f'#!/bin/sh\necho "$*" >> {self.calls}\n'
            f"[ -e {self.slow} ] && read _ < {self.go}\n"
            f'[ -e {folder}/words ] && cat {folder}/words >&2\nexit "$(cat {self.status})"\n'
        )
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)

    @property
    def count(self) -> int:
        return len(self.calls.read_text().splitlines())


class Lists(Writing):
    """One line for each decision; `told` files have a reader that must be told."""

    def __init__(self, paths: Sequence[Path], reloads: dict[Path, Reload]) -> None:
        super().__init__(GatewaySettings(), "lists")
        self.paths = paths
        self.reloads = reloads

    def render(self, decisions: Sequence[Decision]) -> dict[str, str]:
        text = "".join(f"{decision.target.value}\n" for decision in decisions)
        return {str(path): text for path in self.paths}

    def reload(self, path: str) -> Reload | None:
        return self.reloads.get(Path(path), super().reload(path))


def decided(value: str = "192.0.2.1") -> Decision:
    return Decision(
        id=value, target=Target("network", value), action="drop", until=9e9, enforced=True
    )


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reload(program: Program, clock: Clock) -> Iterator[Reload]:
    made = Reload([str(program.path), "now"], 5.0, clock)
    yield made
    made.wait()


def settle(reload: Reload) -> bool:
    reload.wait()
    return reload.settled()


def test_what_an_earlier_life_wrote_is_read_at_the_start(reload: Reload, program: Program) -> None:
    assert not reload.settled()
    assert settle(reload)
    assert reload.settled()
    assert program.calls.read_text() == "now\n"


def test_runs_keep_a_distance(reload: Reload, program: Program, clock: Clock) -> None:
    reload.settled()
    assert settle(reload)
    reload.demand()
    clock.now += 4.9
    assert not reload.settled()
    assert program.count == 1
    clock.now += 0.1
    assert not reload.settled()
    assert settle(reload)
    assert program.count == 2


def test_what_is_written_during_a_run_is_read_by_the_next(
    reload: Reload, program: Program, clock: Clock, until: Until
) -> None:
    program.slow.touch()
    reload.settled()
    until(lambda: program.count == 1)
    reload.demand()
    program.slow.unlink()
    program.go.write_text("go on\n")
    assert not settle(reload)
    clock.now += 5
    reload.settled()
    assert settle(reload)
    assert program.count == 2


def test_a_run_that_fails_is_told_and_tried_again(
    reload: Reload, program: Program, clock: Clock
) -> None:
    program.status.write_text("3")
    reload.settled()
    with pytest.raises(GatewayError, match="program now: exit status 3"):
        settle(reload)
    program.path.with_name("words").write_text("it broke\nand so on\n")
    clock.now += 5
    reload.settled()
    with pytest.raises(GatewayError, match=r"program now: it broke$"):
        settle(reload)
    program.status.write_text("0")
    assert not reload.settled()
    clock.now += 5
    reload.settled()
    assert settle(reload)


def test_a_run_without_end_is_ended(
    reload: Reload, program: Program, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.slow.touch()
    monkeypatch.setattr("streams.reloading.PATIENCE", 0.5)
    assert not reload.settled()
    with pytest.raises(GatewayError, match="program now: no end within"):
        until(reload.settled)


def test_a_program_that_is_not_there_is_an_error_that_names_it() -> None:
    missing = Reload(["/none/program"], 0.0)
    missing.wait()
    for _ in range(2):
        assert not missing.settled()
        with pytest.raises(GatewayError, match="/none/program: No such file"):
            settle(missing)


def test_a_file_that_is_read_live_is_only_written(tmp_path: Path) -> None:
    path = tmp_path / "list"
    gateway = Lists([path], {})
    assert gateway.apply([decided()])
    assert path.read_text() == "192.0.2.1\n"
    before = path.stat().st_ino
    assert gateway.apply([decided()])
    assert path.stat().st_ino == before


@pytest.mark.parametrize("damage", ["changed", "removed", "replaced"])
def test_a_file_that_somebody_changed_is_written_again(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "list"
    gateway = Lists([path], {})
    gateway.apply([decided()])
    if damage == "changed":
        path.write_text("all are welcome\n")
    elif damage == "removed":
        path.unlink()
    else:
        (tmp_path / "other").write_text("192.0.2.1\n")
        (tmp_path / "other").rename(path)
    before = path.exists() and path.stat().st_ino
    gateway.apply([decided()])
    assert path.read_text() == "192.0.2.1\n"
    assert path.stat().st_ino != before


def test_only_what_has_changed_is_told(
    tmp_path: Path, reload: Reload, program: Program, clock: Clock
) -> None:
    told, live = tmp_path / "told", tmp_path / "live"
    gateway = Lists([told, live], {told: reload})
    assert not gateway.apply([decided()])
    reload.wait()
    assert gateway.apply([decided()])
    gateway._given = None
    assert gateway.apply([decided()])
    clock.now += 5
    assert not gateway.apply([])
    reload.wait()
    assert gateway.apply([])
    assert program.count == 2


def test_one_file_that_cannot_be_written_keeps_no_other_back(
    tmp_path: Path, reload: Reload, program: Program
) -> None:
    bad, good = tmp_path / "no" / "list", tmp_path / "list"
    missing = Reload(["/none/program"], 0.0)
    gateway = Lists([bad, good], {bad: missing, good: reload})
    with pytest.raises(GatewayError, match=r"no/list: No such file or directory$"):
        gateway.apply([decided()])
    assert good.read_text() == "192.0.2.1\n"
    reload.wait()
    assert program.count == 1
    bad.parent.mkdir()
    assert not gateway.apply([decided()])
    missing.wait()
    with pytest.raises(GatewayError, match=r"^/none/program: No such file"):
        gateway.apply([decided()])


def test_it_needs_its_files_and_the_commands_that_have_them_read(
    tmp_path: Path, reload: Reload, program: Program
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    both = Lists([one, other], {one: reload, other: reload})
    assert both.needs() == [
        Note("ok", f"{one} and {other}: can be written"),
        Note("ok", f"{program.path} (tells of changes) can be run"),
    ]
    assert not one.exists()
    assert program.count == 0
    missing = Reload(["/none/program"], 0.0)
    files, command = Lists([tmp_path / "no" / "list"], {tmp_path / "no" / "list": missing}).needs()
    assert "there is no directory" in files.text
    assert command.grade == "failed"


def test_a_program_says_what_its_configuration_is() -> None:
    assert asked(["echo", "all", "is", "well"]) == "all is well\n"
    for command, why in (
        (["/none/conf"], "No such file"),
        (["false"], "exit status 1"),
        (["sh", "-c", "echo warning >&2; echo it broke >&2; exit 3"], "it broke$"),
    ):
        words = f"{command[0]} cannot be asked what is used: .*{why}"
        with pytest.raises(GatewayError, match=words):
            asked(command)


@pytest.fixture
def until() -> Until:
    import time

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "it did not come about within 30 s"

    return wait
