"""What counts as worse than before."""

from typing import Any

import msgspec

from load.judgement import Judgement, Row
from load.regression import worse


def _measured(found: int = 2, hits: int = 0, clients: int = 3) -> Judgement:
    row = Row("spray", "easy", "a spray", clients=clients, found=found)
    return Judgement("a-1", 10, [row], hits={"a traveller": hits} if hits else {})


def _kept(result: Judgement) -> dict[str, Any]:
    return {"mixes": [msgspec.to_builtins(result)]}


def test_the_same_is_not_worse() -> None:
    assert worse(_kept(_measured()), [_measured()]) == []


def test_less_found_is_worse() -> None:
    assert worse(_kept(_measured()), [_measured(found=1)]) == [
        "a-1: a spray: sources found 1, before 2"
    ]


def test_more_found_is_not() -> None:
    assert worse(_kept(_measured()), [_measured(found=3)]) == []


def test_one_more_innocent_is_worse() -> None:
    assert worse(_kept(_measured()), [_measured(hits=1)]) == [
        "a-1: a traveller: 1 innocents hit, before 0"
    ]


def test_an_attack_of_another_size_cannot_be_compared() -> None:
    assert worse(_kept(_measured()), [_measured(found=1, clients=1)]) == []


def test_a_new_mix_has_no_before() -> None:
    assert worse({"mixes": []}, [_measured(found=0, hits=9)]) == []


def test_a_story_that_is_told_twice_is_added_up() -> None:
    """Of two rows of one story it does not matter which is found better."""
    both = [Row("spray", "easy", "a spray", clients=3, found=found) for found in (3, 1)]
    before, after = Judgement("a-1", 10, both), Judgement("a-1", 10, both[::-1])
    assert worse(_kept(before), [after]) == []
