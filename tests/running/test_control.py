"""What signals ask of a running program."""

import os
import signal
from collections.abc import Iterator

import pytest

from agents import configuration
from agents.configuration import Config
from agents.running.control import Control
from schemas.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Gives the test program its own handlers back."""
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in signals]
    yield
    for number, handler in zip(signals, before, strict=True):
        signal.signal(number, handler)


def load() -> Config:
    return configuration.build(Settings())


def wrong() -> Config:
    raise SettingsError("mailwarden.toml: kafka.group: expected a string")


def test_without_a_signal_nothing_is_asked() -> None:
    control = Control(load)
    assert not control.stopped()
    assert control.reloaded() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_asked_to_end(number: signal.Signals) -> None:
    control = Control(load)
    os.kill(os.getpid(), number)
    assert control.stopped()


def test_a_hangup_asks_for_the_settings_once() -> None:
    control = Control(load)
    os.kill(os.getpid(), signal.SIGHUP)
    assert control.reloaded() is not None
    assert control.reloaded() is None
    assert not control.stopped()


def test_wrong_settings_are_told_and_the_old_ones_stay(caplog: pytest.LogCaptureFixture) -> None:
    control = Control(wrong)
    os.kill(os.getpid(), signal.SIGHUP)
    assert control.reloaded() is None
    assert "kafka.group: expected a string" in caplog.text
