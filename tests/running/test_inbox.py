from agents.running.inbox import Inbox
from schemas.events import Auth, Fact
from streams import metrics


def tries(*times: float) -> list[Fact]:
    return [Auth(at=at, client="192.0.2.1") for at in times]


def test_what_was_put_is_taken_in_its_order() -> None:
    inbox = Inbox()
    inbox.put(tries(1, 2))
    inbox.put(tries(3))
    assert inbox.take(2) == tries(1, 2)
    assert inbox.take() == tries(3)
    assert inbox.take() == []


def test_what_could_not_be_passed_on_is_taken_again_first() -> None:
    inbox = Inbox()
    inbox.put(tries(1, 2, 3))
    inbox.put_back(inbox.take(2))
    assert inbox.take() == tries(1, 2, 3)


def test_what_comes_while_it_is_full_is_dropped_and_counted() -> None:
    inbox = Inbox(room=2)
    before = metrics.REPORTS_DROPPED._value.get()
    inbox.put(tries(1))
    inbox.put(tries(2, 3))
    assert inbox.take() == tries(1)
    assert metrics.REPORTS_DROPPED._value.get() - before == 2
