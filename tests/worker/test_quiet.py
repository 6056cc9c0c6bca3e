import logging
from collections.abc import Iterator

import pytest

from agents.worker.quiet import PAUSE, WORDINGS, Quiet, quieten


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())


@pytest.fixture
def heard() -> Iterator[Heard]:
    """What comes through of two loggers, one of them chatty."""
    handler = Heard()
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    logging.getLogger("chatty").setLevel(logging.NOTSET)


def record(wording: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord("chatty.part", logging.ERROR, "", 0, wording, values, None)


def test_a_chatty_library_says_each_wording_once_whatever_its_values(heard: Heard) -> None:
    quieten([heard], "chatty")
    for port in (1, 2, 3):
        logging.getLogger("chatty.part").error("cannot connect to %d", port)
        logging.getLogger("chatty.part").info("tried %d", port)
        logging.getLogger("ours").error("says %d", port)
    assert heard.words == ["cannot connect to 1", "says 1", "says 2", "says 3"]


def test_after_a_while_it_is_said_again() -> None:
    now = 0.0
    quiet = Quiet(lambda: now)
    assert quiet.filter(record("no broker"))
    now = PAUSE - 1
    assert not quiet.filter(record("no broker"))
    now = PAUSE
    assert quiet.filter(record("no broker"))


def test_wordings_are_bounded() -> None:
    quiet = Quiet(lambda: 0.0)
    for number in range(WORDINGS + 1):
        assert quiet.filter(record(f"wording {number}"))
    assert len(quiet._said) == 1
