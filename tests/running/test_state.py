import json
import logging
import sys
from pathlib import Path

import pytest

from agents.running import logs, state
from schemas.settings import Settings, StorageSettings
from streams.said import said


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(state, "SYSTEM", tmp_path / "var")


def test_systemds_directory_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/mailwarden:/var/lib/other")
    monkeypatch.setenv("XDG_STATE_HOME", "/home/state")
    assert state.directory() == Path("/var/lib/mailwarden")


def test_then_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", "/home/state")
    assert state.directory() == Path("/home/state/mailwarden")


def test_then_the_services_where_it_is_there_for_us(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    assert state.directory() == tmp_path / "var"


def test_else_one_in_the_home(tmp_path: Path) -> None:
    assert state.directory() == tmp_path / ".local/state/mailwarden"


def test_everything_lies_beside_the_store(tmp_path: Path) -> None:
    settings = Settings(storage=StorageSettings(path="/srv/mw/state.db"))
    assert state.store(settings) == Path("/srv/mw/state.db")
    assert state.dead_letters(settings) == Path("/srv/mw/dead.jsonl")
    assert state.alerts(settings) == Path("/srv/mw/alerts.jsonl")
    assert state.store(Settings()) == tmp_path / ".local/state/mailwarden/mailwarden.db"
    named = Settings(storage=StorageSettings(dead="/srv/dead"))
    assert state.dead_letters(named) == Path("/srv/dead")


@pytest.fixture
def _as_before() -> object:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


@pytest.mark.usefixtures("_as_before")
def test_logs_are_json_where_nobody_looks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    logs.configure()
    logging.getLogger("x").info("read lines=%d", 3, extra={"fields": {"source": 'a"b\n'}})
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("x").exception("failed")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["message"] == "read lines=3"
    assert (first["level"], first["logger"], first["source"]) == ("info", "x", 'a"b\n')
    assert "ValueError: broken" in second["exception"]


@pytest.mark.usefixtures("_as_before")
def test_an_event_and_its_fields_are_fields_of_the_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    logs.configure()
    logging.getLogger("x").error(said("reload failed", reason='no "key"', tries=3))
    told = json.loads(capsys.readouterr().err)
    assert (told["message"], told["reason"], told["tries"]) == ("reload failed", 'no "key"', 3)


@pytest.mark.usefixtures("_as_before")
def test_logs_are_readable_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    logs.configure()
    logging.getLogger("x").warning("reads on")
    assert capsys.readouterr().err.endswith(" WARNING reads on\n")


def test_a_place_that_is_not_there_yet_is_writable_if_the_nearest_folder_is(
    tmp_path: Path,
) -> None:
    assert state.unwritable(tmp_path / "a/b/mailwarden.db") == ""
    assert list(tmp_path.iterdir()) == []
    assert "nothing can be written to /proc: " in state.unwritable(Path("/proc/x/y.db"))


def test_a_file_that_is_there_must_be_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mailwarden.db"
    path.touch()
    assert state.unwritable(path) == ""
    assert state.unwritable(tmp_path) == "is a directory"
    monkeypatch.setattr("os.access", lambda *_: False)
    assert state.unwritable(path) == "may not be written by this user"
