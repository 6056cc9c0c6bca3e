import msgspec

from agents.worker.letters import Letters
from agents.worker.messages import Dead


def letter(at: float) -> Dead:
    return Dead("broken", "mail.facts/3:17", "{", at)


def test_a_letter_is_keyed_by_where_it_came_from() -> None:
    letters = Letters()
    letters.add([letter(0.0)])
    ((key, value),) = letters.take()
    assert key == b"mail.facts/3"
    assert msgspec.json.decode(value, type=Dead) == letter(0.0)
    assert letters.take() == []


def test_beyond_the_limit_of_a_minute_letters_are_only_counted() -> None:
    letters = Letters(a_minute=2)
    letters.add([letter(0.0), letter(1.0), letter(59.0), letter(60.0)])
    assert (len(letters.take()), letters.found, letters.dropped) == (3, 4, 1)
