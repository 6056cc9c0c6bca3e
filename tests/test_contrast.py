"""Counts of the side that finds nothing, noted when the other finds something."""

import pytest

from agents import configuration, contrast
from agents.configuration import build_shard
from agents.contrast import Contrast
from schemas.events import Auth
from schemas.settings import Settings

NAMES = ("anna", "ben", "carl", "dora", "emil", "fred", "gina", "hans", "ida", "jan")


def both(accounts: int, clients: tuple[str, ...] = ("192.0.2.66",)) -> Contrast:
    """Two shards that have seen the same dictionary; one asks for more accounts."""
    settings = Settings(detectors={"auth_dictionary": {"accounts": accounts, "wide": 99}})
    shards = [build_shard(configuration.build(each)) for each in (Settings(), settings)]
    noted = Contrast(*shards)
    for second, name in enumerate(NAMES):
        for client in clients:
            event = Auth(
                at=1772445600.0 + second,
                client=client,
                account=f"{name}@example.org",
                outcome="failed",
            )
            for shard in shards:
                shard.fold(event)
            noted(event)
        if second % 3 == 0:
            for shard in shards:
                shard.take()
    return noted


def test_the_counts_of_the_silent_side_are_kept_at_their_highest() -> None:
    ours, theirs = both(accounts=20).counts
    assert ours == {}
    (counts,) = theirs.values()
    assert (counts["accounts"].count, counts["accounts"].threshold) == (8, 20)  # when it was told


def test_a_side_that_finds_it_later_has_nothing_to_explain() -> None:
    assert both(accounts=9).counts == ({}, {})


def test_no_more_findings_are_noted_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrast, "NOTED", 1)
    assert len(both(20, ("192.0.2.66", "198.51.100.7")).counts[1]) == 1
