import signal
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner

from agents.commands import gateway
from agents.commands.worker import command
from agents.configuration import build
from agents.worker import main
from agents.worker.partition import Topic
from schemas.settings import (
    HttpSettings,
    KafkaSettings,
    ResponseSettings,
    Settings,
    SettingsError,
)


class BegunAnewError(BaseException):
    """Instead of execv, which does not return."""


handlers: dict[Any, Any] = {}


class Shell:
    """faust.Worker, with an end of our choice."""

    end: BaseException = SystemExit(0)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def execute_from_commandline(self) -> NoReturn:
        raise self.end


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Shell]:
    def begin_anew(reason: str) -> NoReturn:
        raise BegunAnewError(reason)

    monkeypatch.setattr(Shell, "end", SystemExit(0))
    monkeypatch.setattr(main, "begin_anew", begin_anew)
    monkeypatch.setattr(main.broker, "ready", lambda settings: Topic("id", 8))
    monkeypatch.setattr(main.faust, "Worker", Shell)
    monkeypatch.setattr(main.gc, "set_threshold", lambda *_: None)
    monkeypatch.setattr(main.signal, "signal", handlers.__setitem__)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    return Shell


def run(listen: str = "") -> None:
    config = build(Settings(kafka=KafkaSettings(), http=HttpSettings(listen=listen)))
    main.run(config, lambda: config)


def test_a_worker_that_ends_in_order_is_done(shell: type[Shell]) -> None:
    run("127.0.0.1:0")


def test_faust_makes_its_folders_beside_the_state(shell: type[Shell], tmp_path: Path) -> None:
    run()
    assert (tmp_path / "worker").is_dir()


def test_a_state_directory_that_cannot_be_made_is_a_wrong_setting(
    shell: type[Shell], tmp_path: Path
) -> None:
    (tmp_path / "worker").write_text("a file", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"storage\.path: cannot make .*worker: File exists"):
        run()


def test_sigterm_ends_a_worker_that_waits_for_its_broker(shell: type[Shell]) -> None:
    run()
    with pytest.raises(SystemExit) as ended:
        handlers[signal.SIGTERM](signal.SIGTERM, None)
    assert ended.value.code == 0


@pytest.mark.parametrize(
    ("end", "reason"),
    [(SystemExit(1), "it ended with an error"), (RuntimeError("no send"), "it failed")],
)
def test_a_worker_that_fails_begins_anew(
    shell: type[Shell], end: BaseException, reason: str
) -> None:
    shell.end = end
    with pytest.raises(BegunAnewError, match=reason):
        run()


def test_a_port_that_another_worker_has_is_only_a_warning(
    shell: type[Shell], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run(f"127.0.0.1:{taken.getsockname()[1]}")
    assert "http.listen: cannot serve at 127.0.0.1" in caplog.text


def test_to_begin_anew_is_to_run_the_same_command_in_the_same_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[Any] = []
    monkeypatch.setattr(main, "time", SimpleNamespace(sleep=called.append))
    monkeypatch.setattr(main.os, "execv", lambda *given: called.append(given))
    main.begin_anew("it failed")
    assert called == [main.PAUSE, (sys.executable, sys.orig_argv)]


def test_topics_that_do_not_fit_end_the_command_with_2_and_the_file(
    shell: type[Shell], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def ready(settings: KafkaSettings) -> Topic:
        raise SettingsError("there is no topic mail.facts")

    monkeypatch.setattr(main.broker, "ready", ready)
    settings = tmp_path / "mailwarden.toml"
    settings.write_text("", encoding="utf-8")
    done = CliRunner().invoke(command, ["-c", str(settings)])
    assert done.exit_code == 2
    assert f"{settings}: there is no topic mail.facts" in done.output


def test_leases_that_the_topic_would_forget_are_a_wrong_setting(shell: type[Shell]) -> None:
    settings = Settings(response=ResponseSettings(longest=8 * 86400.0))
    with pytest.raises(SettingsError, match=r"response\.longest: on Kafka .* 7 days at most"):
        main.run(build(settings), lambda: build(settings))


def test_a_key_that_cannot_be_read_ends_the_command_with_2(
    shell: type[Shell], tmp_path: Path
) -> None:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(f'[response]\nsigning_key_file = "{tmp_path}/none"\n', encoding="utf-8")
    for named in (command, gateway.command):
        done = CliRunner().invoke(named, ["-c", str(settings)])
        assert done.exit_code == 2
        assert f"response.signing_key_file: {tmp_path}/none: No such file" in done.output


def test_a_wrong_setting_ends_the_command_with_2(tmp_path: Path) -> None:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text("[kafka]\nbroker = 'localhost'\n", encoding="utf-8")
    done = CliRunner().invoke(command, ["-c", str(settings)])
    assert done.exit_code == 2
    assert "kafka.broker: no such setting" in done.output


def test_a_worker_whose_last_flush_no_broker_takes_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(main.os, "_exit", codes.append)
    monkeypatch.setattr(main.logging, "shutdown", lambda: None)
    main.end()
    assert codes == [0]
    assert "ended without a last flush" in caplog.text
