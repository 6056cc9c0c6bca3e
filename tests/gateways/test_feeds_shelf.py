import pytest

from streams.gateways.feeds import shelf
from streams.gateways.feeds.formats.stix import AUTHOR
from streams.gateways.feeds.item import Item, items
from streams.gateways.feeds.settings import ListSettings
from streams.gateways.feeds.shelf import Shelf
from tests.gateways.test_feeds_taxii import NOW, block


def listed(*values: str) -> list[Item]:
    return items([block(value) for value in values], ListSettings(format="stix"))


def test_no_two_are_of_one_time() -> None:
    made = Shelf(NOW)
    made.update(1, lambda: listed("192.0.2.1", "192.0.2.2", "192.0.2.3"), NOW)
    times = [entry.added for entry in made.after(0)]
    assert times == sorted(set(times))
    assert len(times) == 4
    assert [entry.name for entry in made.after(times[2])] == [list(made.after(0))[3].name]


def test_a_clock_that_is_set_back_hides_nothing() -> None:
    made = Shelf(NOW)
    made.update(1, lambda: listed("192.0.2.1"), NOW)
    [*_, last] = made.after(0)
    made.update(2, lambda: listed("192.0.2.1", "192.0.2.2"), NOW - 1000)
    assert len(list(made.after(last.added))) == 1


def test_a_known_generation_is_not_looked_at() -> None:
    made = Shelf(NOW)
    made.update(1, lambda: listed("192.0.2.1"), NOW)
    made.update(1, lambda: pytest.fail("asked"), NOW)


def test_those_that_were_taken_back_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "REVOKED", 2)
    made = Shelf(NOW)
    made.update(1, lambda: listed(*(f"192.0.2.{n}" for n in range(5))), NOW)
    made.update(2, list, NOW + 1)
    left = [entry for entry in made.after(0) if entry.name != AUTHOR]
    assert len(left) == 2
    assert all(entry.revoked for entry in left)
    made.update(3, list, NOW + 4000)
    assert [entry.name for entry in made.after(0)] == [AUTHOR]
