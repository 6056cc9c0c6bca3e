import msgspec

from agents.ledger import PER_VALUE, SIZES, WEEK, Ledger

NOW = 100 * WEEK + 1000.0


def filled(many: int, at: float = NOW) -> Ledger:
    ledger = Ledger()
    for number in range(many):
        ledger.note(f"<{number}@example.org>", at)
    return ledger


def test_what_was_sent_is_found_and_hardly_anything_else() -> None:
    ledger = filled(1000)
    assert all(ledger.holds(f"<{number}@example.org>") for number in range(1000))
    wrong = sum(ledger.holds(f"<{number}@example.net>") for number in range(5000))
    assert wrong < 0.03 * 5000


def test_it_is_small_for_who_sends_little() -> None:
    assert len(msgspec.msgpack.encode(filled(18))) < 80
    assert len(msgspec.msgpack.encode(filled(10_000))) < sum(SIZES) + 100


def test_last_week_is_remembered_and_the_week_before_is_not() -> None:
    ledger = filled(3)
    ledger.note("next", NOW + WEEK)
    assert ledger.holds("<1@example.org>")
    ledger.note("after", NOW + 2 * WEEK)
    assert ledger.holds("next")
    assert not ledger.holds("<1@example.org>")
    ledger.note("later", NOW + 4 * WEEK)
    assert not ledger.holds("after")


def test_it_is_complete_after_a_week_unless_there_was_no_room() -> None:
    ledger = filled(1)
    assert not ledger.complete(NOW + WEEK - 1)
    assert ledger.complete(NOW + WEEK)
    assert not Ledger().complete(NOW)
    full = filled(sum(8 * size // PER_VALUE for size in SIZES) + 1)
    assert not full.complete(NOW + WEEK)
    assert full.complete(NOW + 2 * WEEK + 1)


def test_a_late_value_is_noted_as_well() -> None:
    ledger = filled(1)
    ledger.note("late", NOW - WEEK)
    assert ledger.holds("late")
    assert ledger.begun == NOW - WEEK
