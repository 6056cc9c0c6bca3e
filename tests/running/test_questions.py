"""The thread that asks for detectors, and what the process makes of its answers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.detector import Question
from agents.running import questions as tested
from agents.running.questions import Questions
from schemas.events import Signal
from streams import metrics
from tests.probing.dns import NameServer
from tests.single.test_embedded import NOON, Server
from tests.waiting import wait_for

CLIENT = "203.0.113.7"


@pytest.fixture
def names() -> Iterator[NameServer]:
    made = NameServer({})
    yield made
    made.close()


def question(client: str = CLIENT) -> Question:
    return Question(at=NOON, about=f"c:{client}", client=client)


def test_what_is_asked_is_answered_later(names: NameServer) -> None:
    asking = Questions((names.address,))
    try:
        assert asking.take() == []
        asking.ask([question(), question("203.0.113.8")])
        found: list[Signal] = []
        wait_for(lambda: found.extend(asking.take()) or len(found) == 2, "the answers")
        assert {(each.about, each.detail) for each in found} == {
            ("c:203.0.113.7", "missing"),
            ("c:203.0.113.8", "missing"),
        }
    finally:
        asking.close()


def test_what_there_is_no_room_for_is_dropped_and_counted(
    names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tested, "ROOM", 3)
    monkeypatch.setattr(tested, "AT_ONCE", 0)
    asking = Questions((names.address,))
    before = metrics.QUESTIONS_DROPPED._value.get()
    asking.ask(question() for _ in range(5))
    asking.close()
    assert metrics.QUESTIONS_DROPPED._value.get() - before == 2


def spam(count: int = 20) -> list[str]:
    """Refusals of a listed client that calls itself by no name: six points of seven."""
    return [
        f"{datetime.fromtimestamp(NOON + 70 * number, UTC).isoformat()} mx1 postfix/smtpd[7]:"
        f" NOQUEUE: reject: RCPT from unknown[{CLIENT}]: 554 5.7.1 Service unavailable; Client host"
        f" [{CLIENT}] blocked using zen.example; from=<a{number}@example.net>"
        f" to=<b@example.org> proto=ESMTP helo=<pc>"
        for number in range(count)
    ]


def test_a_running_process_asks_and_folds_the_answer(names: NameServer, tmp_path: Path) -> None:
    server = Server(tmp_path)
    detector = {"dns": True}
    server.start(detectors={"sender_reputation": detector}, listed={"resolvers": [names.address]})
    server.clock.now = NOON + 1500
    try:
        server.write(*spam())
        server.settle()
        assert [a for a in server.told if a.detector == "sender_reputation"] == []
        wait_for(
            lambda: (
                server.settle() or [a for a in server.told if a.detector == "sender_reputation"]
            ),
            "the alert that the answer completes",
        )
        (alert,) = [a for a in server.told if a.detector == "sender_reputation"]
        assert "no reverse name (+2)" in alert.summary
    finally:
        server.embedded.close()
        server.store.close()
