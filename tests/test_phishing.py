"""The list of addresses that phishers collect answers at."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents import phishing
from agents.commands.phishing import command
from agents.configuration import build
from agents.phishing import PhishingList, addresses
from schemas.settings import PhishingSettings, Settings, SettingsError


class Others(ThreadingHTTPServer):
    """A list that others keep."""

    text = b"Collector@Example.net,A,20260101\n"
    status = 200
    asked: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/list"


class Answer(BaseHTTPRequestHandler):
    server: Others

    def do_GET(self) -> None:
        tag = f'"{len(self.server.text)}"'
        seen = self.headers.get("If-None-Match", "")
        self.server.asked.append(seen)
        same = seen == tag
        self.send_response(304 if same else self.server.status)
        self.send_header("ETag", tag)
        self.end_headers()
        if not same:
            self.wfile.write(self.server.text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def others() -> Iterator[Others]:
    server = Others(("127.0.0.1", 0), Answer)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_list_has_an_address_a_line_and_remarks() -> None:
    text = "# ours\nA@Example.net,A,20260101\n b@example.net # bank\nno address\n\nc+x@example.net"
    assert addresses(text) == {"a@example.net", "b@example.net", "c@example.net"}


def test_what_others_publish_is_fetched_once_and_kept(others: Others, tmp_path: Path) -> None:
    kept = tmp_path / "state" / "kept"
    settings = PhishingSettings(url=others.url)
    found = PhishingList(settings, kept)
    assert len(found) == 0
    found.look()
    found.look()
    assert "collector@example.net" in found
    assert others.asked == ["", f'"{len(others.text)}"']
    assert "collector@example.net" in PhishingList(settings, kept)


def test_a_server_that_is_away_or_wrong_makes_us_forget_nothing(
    others: Others,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = PhishingList(PhishingSettings(url=others.url), tmp_path / "kept")
    found.look()
    others.text, others.status = b"x@example.net\n", 500
    found.look()
    found.look()
    others.status = 200
    monkeypatch.setattr(phishing, "LARGEST", 3)
    found.look()
    assert "collector@example.net" in found
    assert "x@example.net" not in found
    said = [record.getMessage().partition(";")[0] for record in caplog.records]
    assert said == [
        "phishing.url: 127.0.0.1: it answered 500",
        "phishing.url: 127.0.0.1: the list is larger than 3 bytes",
    ]


def test_a_file_is_looked_at_again_until_it_is_closed(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("a@example.net\n")
    found = PhishingList(PhishingSettings(file=str(own), interval=0.005), tmp_path / "kept")
    found.watch()
    own.write_text("b@example.net\n")
    seen = threading.Event()
    for _ in range(2000):
        if "b@example.net" in found:
            break
        seen.wait(0.005)
    assert "b@example.net" in found
    assert "a@example.net" not in found
    found.close()
    own.unlink()
    own.mkdir()
    found.look()
    assert "b@example.net" in found


def test_without_a_list_nobody_watches(tmp_path: Path) -> None:
    before = threading.active_count()
    PhishingList(PhishingSettings(), tmp_path / "kept").watch()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        (PhishingSettings(file="/"), "phishing.file: /: Is a directory"),
        (PhishingSettings(url="ftp://x"), "phishing.url: expected http://... or https://..."),
        (PhishingSettings(interval=0), "phishing.interval: expected a number of seconds above 0"),
    ],
)
def test_wrong_settings_name_their_key(settings: PhishingSettings, wrong: str) -> None:
    with pytest.raises(SettingsError) as found:
        build(Settings(phishing=settings))
    assert wrong in str(found.value)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "mailwarden.toml"
    (tmp_path / "own").write_text("old@example.net,A,20260101\n# a remark\n")
    path.write_text(f'[phishing]\nfile = "{tmp_path}/own"\n')
    return path


def call(settings: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [arguments[0], "-c", str(settings), *arguments[1:]])


def test_a_person_adds_and_removes_addresses(settings: Path, tmp_path: Path) -> None:
    done = call(settings, "add", "New@Example.net", "--remark", "bank, of\n3 May #1")
    assert done.exit_code == 0
    lines = (tmp_path / "own").read_text().splitlines()
    assert lines[:2] == ["old@example.net,A,20260101", "# a remark"]
    assert lines[2].startswith("new@example.net,20")
    assert lines[2].endswith(",bank; of 3 May 1")
    assert call(settings, "add", "new@example.net").exit_code == 0
    assert call(settings, "list").output == "new@example.net\nold@example.net\n"
    assert call(settings, "remove", "OLD@example.net").exit_code == 0
    assert call(settings, "list").output == "new@example.net\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("remove", "nobody@example.net"), "is not on the list"),
        (("add", "nobody"), "'nobody' is no address of mail"),
        (("add", "a@example.net,b@example.net"), "is no address of mail"),
    ],
)
def test_what_cannot_be_done_is_said(settings: Path, arguments: tuple[str, str], said: str) -> None:
    done = call(settings, *arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_a_list_must_be_named_and_is_made_by_the_first_address(
    settings: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = tmp_path / "own"
    own.unlink()
    found = PhishingList(PhishingSettings(file=str(own)), tmp_path / "kept")
    found.watch()
    found.close()
    assert "is not there yet" in caplog.text
    assert call(settings, "list").output == ""
    assert call(settings, "add", "a@example.net").exit_code == 0
    assert call(settings, "list").output == "a@example.net\n"
    settings.write_text("")
    assert "name the file of the list" in call(settings, "list").output


def test_a_list_that_cannot_be_read_is_said(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("agents.commands.phishing.phishing.read", refuse)
    done = call(settings, "list")
    assert done.exit_code == 2
    assert "Permission denied" in done.output


def test_a_list_that_cannot_be_written_is_said(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(phishing.atomic, "replace", refuse)
    done = call(settings, "add", "a@example.net")
    assert done.exit_code == 1
    assert "Permission denied" in done.output
