"""No mutant of a detector may survive its stories."""

import sys
from collections.abc import Iterator

import pytest

from tests.detectors.mutate import Mutant, broken, detectors, mutants, survives

# Mutants that are no change: detector, what was, what it became, and why nothing differs.
EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "account_burst",
        "count < climb[-1][1]",
        "count <= climb[-1][1]",
    ): "as many as before has returned already",
}

# Those of a detector in one process, which has to learn only once what its stories come to.
MUTANTS = [mutant for detector in detectors() for mutant in mutants(detector)]
CASES = [
    pytest.param(each, id=str(each), marks=pytest.mark.xdist_group(f"mutants of {each.detector}"))
    for each in MUTANTS
]


@pytest.fixture(autouse=True)
def untraced() -> Iterator[None]:
    """Mutants cover nothing that their detector's own stories do not cover, and a tracer makes
    them five times slower."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


@pytest.mark.parametrize("mutant", CASES)
def test_a_story_notices(mutant: Mutant) -> None:
    known = (mutant.detector, mutant.was, mutant.now) in EQUIVALENT
    assert survives(mutant) == known


def test_what_is_called_equivalent_exists() -> None:
    found = {(mutant.detector, mutant.was, mutant.now) for mutant in MUTANTS}
    assert EQUIVALENT.keys() <= found


def test_every_kind_of_change_is_made() -> None:
    changes = {(mutant.was, mutant.now) for mutant in mutants("stale_client")}
    assert ("event.outcome == 'ok'", "event.outcome != 'ok'") in changes
    assert {("10", "9"), ("10", "11"), ("86400.0", "43200.0"), ("86400.0", "172800.0")} <= changes
    assert any(" and " in was and " or " in now for was, now in changes)


def test_the_stories_hold_for_the_detectors_as_they_are() -> None:
    assert {name: broken(name) for name in detectors()} == {name: [] for name in detectors()}
