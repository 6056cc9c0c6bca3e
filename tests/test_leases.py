import math

from streams.leases import Leases


def test_what_ends_is_named_in_order_and_once() -> None:
    ends = {"a": [130.0], "b": [10.0], "c": [125.0]}
    leases = Leases[str](lambda place: ends.get(place, []))
    for place, (until,) in ends.items():
        leases.add(until, place)
    assert leases.first() == 10.0
    assert leases.due(9.0) == []
    assert leases.due(200.0) == ["b", "c", "a"]
    assert leases.due(200.0) == []
    assert leases.first() == math.inf


def test_what_was_replaced_is_passed_over() -> None:
    leases = Leases[str](lambda _: [300.0])
    leases.add(10.0, "a")
    leases.add(300.0, "a")
    assert leases.first() == 300.0
