import pytest

from agents.single.store import Told
from agents.telling import ledger as ledgers
from agents.telling.ledger import Ledger

A, B = ("mail.alerts", 0), ("mail.alerts", 1)


def told(*names: tuple[str, int]) -> list[Told]:
    return [Told("siem", *name) for name in names]


def test_what_is_not_told_keeps_its_offset_open() -> None:
    ledger = Ledger()
    ledger.read(A, 5, "a1", 1)
    ledger.read(A, 6, "a2", 1)
    ledger.read(B, 9, "b1", 1)
    assert ledger.progress() == {A: 5, B: 9}
    ledger.told(told(("a2", 1), ("b1", 1)))
    assert ledger.progress() == {B: 10}  # a1 is older than a2
    ledger.told(told(("a1", 1)))
    assert ledger.progress() == {A: 7}
    assert ledger.progress() == {}
    assert len(ledger) == 0


def test_of_an_alert_the_newest_revision_must_be_told() -> None:
    ledger = Ledger()
    ledger.read(A, 0, "a1", 1)
    ledger.read(A, 1, "a1", 3)
    ledger.read(A, 2, "a1", 2)
    ledger.told(told(("a1", 2)))
    assert ledger.progress() == {A: 0}
    ledger.told(told(("a1", 3)))
    assert ledger.progress() == {A: 3}


def test_what_there_is_nothing_to_tell_of_is_done_with() -> None:
    ledger = Ledger()
    ledger.read(A, 0)
    ledger.read(A, 1, "a1", 1)
    ledger.read(A, 2)
    assert ledger.progress() == {A: 1}
    ledger.told(told(("a1", 1), ("unknown", 1)))
    assert ledger.progress() == {A: 3}


def test_a_thousand_revisions_of_what_waits_take_the_room_of_one() -> None:
    ledger = Ledger()
    for offset in range(1000):
        ledger.read(A, offset, "a1", offset + 1)
    assert len(ledger) == 1
    assert ledger.progress() == {A: 0}


def test_what_was_told_beyond_what_is_open_is_known_until_it_is_committed() -> None:
    ledger = Ledger()
    ledger.read(A, 5, "a1", 1)
    ledger.read(A, 6, "a2", 1)
    ledger.read(A, 7, "a2", 4)
    ledger.read(B, 0, "b1", 2)
    ledger.told(told(("a2", 4), ("b1", 2)))
    assert ledger.progress() == {A: 5, B: 1}
    assert ledger.beyond() == {"a2": 4}
    ledger.told(told(("a1", 1)))
    assert ledger.progress() == {A: 8}
    assert ledger.beyond() == {}


def test_only_so_many_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "KEPT", 3)
    ledger = Ledger()
    ledger.read(A, 0, "a", 1)
    for offset in range(1, 9):
        ledger.read(A, offset, f"a{offset}", 1)
        ledger.told(told((f"a{offset}", 1)))
    ledger.progress()
    assert list(ledger.beyond()) == ["a6", "a7", "a8"]


def test_a_partition_that_came_back_is_read_from_an_earlier_place() -> None:
    ledger = Ledger()
    ledger.read(A, 50, "a50", 1)
    ledger.read(A, 20, "a20", 1)
    assert ledger.progress() == {A: 20}
