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


def test_an_innocent_decided_against_is_worse() -> None:
    before, after = _measured(), _measured()
    after.decided_hits = {"a traveller": 1}
    assert worse(_kept(before), [after]) == [
        "a-1: a traveller: 1 innocents decided against, before 0"
    ]
    assert worse(_kept(after), [before]) == []
    old = _kept(before)
    del old["mixes"][0]["decided_hits"]
    assert worse(old, [after]) == []


def test_fewer_of_the_guilty_decided_against_is_worse() -> None:
    before, after = _measured(), _measured()
    before.guilty = after.guilty = 9
    before.decided_right, after.decided_right = 5, 4
    assert worse(_kept(before), [after]) == ["a-1: 4 of the guilty decided against, before 5"]
    after.guilty = 8
    assert worse(_kept(before), [after]) == []


def test_to_be_found_more_than_twice_as_late_is_worse() -> None:
    def later(seconds: float) -> list[str]:
        before, after = _kept(_measured()), _measured()
        before["mixes"][0]["attacks"][0]["median_seconds"] = 60.0
        after.attacks[0].waits = [seconds]
        return worse(before, [after])

    assert later(240.0) == []
    assert later(241.0) == ["a-1: a spray: found after 241 s, before 60 s"]
