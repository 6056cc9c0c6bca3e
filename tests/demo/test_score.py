"""Findings held against the truth: found, missed, and whom it was wrong to accuse."""

from typing import Any

import pytest

from agents.demo.score import accused, score
from agents.demo.truth import Attack, Expected, Innocent, Truth
from schemas.findings import Alert, Subject

AT = 1772445600.0
GUESSER, THIEF, OFFICE, VICTIM = "192.0.2.66", "192.0.2.67", "198.51.100.1", "mara@example.org"

TRUTH = Truth(
    [
        Attack(
            name="guesses",
            story="",
            first=AT,
            clients=(GUESSER,),
            targets=(VICTIM,),
            expects=(Expected("auth_dictionary", GUESSER),),
        ),
        Attack(
            name="burst",
            story="",
            first=AT,
            clients=(THIEF,),
            accounts=("leo@example.org",),
            expects=(Expected("account_burst", "leo@example.org"),),
        ),
    ],
    [
        Innocent(name="office", story="", clients=(OFFICE,)),
        Innocent(name="invoices", story="", accounts=("billing@example.org",)),
    ],
)


def alert(detector: str, kind: Any, value: str, **more: Any) -> Alert:
    fields: dict[str, Any] = {
        "id": f"{detector}{value}",
        "detector": detector,
        "shape": "",
        "severity": "high",
        "subject": Subject(kind, value),
        "first": AT,
        "last": AT,
        "at": AT,
        "summary": "",
    }
    return Alert(**(fields | more))


CAUGHT = [
    alert("auth_dictionary", "client", GUESSER, clients=[GUESSER]),
    alert("account_burst", "account", "leo@example.org", accounts=["leo@example.org"]),
]


def test_all_is_well_when_each_attack_is_found_and_nobody_else_accused() -> None:
    result = score(TRUTH, CAUGHT)
    assert (result.found, result.wronged) == (2, 0)
    assert [caught.alerts for caught in result.attacks] == [CAUGHT[:1], CAUGHT[1:]]
    assert result.notes == result.stray == []


def test_what_was_not_said_is_missing() -> None:
    result = score(TRUTH, CAUGHT[:1])
    assert result.found == 1
    assert result.attacks[1].missing == [Expected("account_burst", "leo@example.org")]


@pytest.mark.parametrize("weak", [{"severity": "info"}, {"state": "withdrawn"}])
def test_information_and_withdrawn_findings_find_nothing(weak: dict[str, str]) -> None:
    again = alert("account_burst", "account", "leo@example.org", **weak)
    assert score(TRUTH, [CAUGHT[0], again]).found == 1


def test_a_finding_of_another_day_is_not_this_attack() -> None:
    late = alert("auth_dictionary", "client", GUESSER, first=AT + 90_000, clients=[GUESSER])
    result = score(TRUTH, [late])
    assert result.found == 0
    assert result.stray == [late]


def test_an_innocent_client_that_is_accused_is_counted() -> None:
    wrong = alert("auth_dictionary", "client", OFFICE, clients=[OFFICE])
    result = score(TRUTH, [*CAUGHT, wrong])
    assert result.wronged == 1
    assert {i.name: a for i, a in result.accused}["office"] == [wrong]
    assert result.stray == []


def test_an_innocent_account_that_is_accused_is_counted() -> None:
    wrong = alert(
        "account_burst", "account", "billing@example.org", accounts=["billing@example.org"]
    )
    assert score(TRUTH, [*CAUGHT, wrong]).wronged == 1


def test_an_innocent_who_is_accused_beside_the_guilty_is_counted() -> None:
    both = alert("auth_dictionary", "client", GUESSER, clients=[GUESSER, OFFICE])
    result = score(TRUTH, [both, CAUGHT[1]])
    assert result.found == 2
    assert result.wronged == 1


def test_somebody_of_no_story_who_is_accused_is_stray() -> None:
    wrong = alert("auth_dictionary", "client", "203.0.113.9", clients=["203.0.113.9"])
    result = score(TRUTH, [*CAUGHT, wrong])
    assert result.stray == [wrong]
    assert result.wronged == 1


def test_a_victim_is_not_accused() -> None:
    about = alert("auth_distributed", "account", VICTIM, targets=[VICTIM], clients=[GUESSER])
    assert accused(about) == {GUESSER}
    result = score(TRUTH, [*CAUGHT, about])
    assert result.wronged == 0
    assert about in result.attacks[0].alerts


def test_information_about_somebody_is_a_note() -> None:
    note = alert("stale_client", "client", "203.0.113.9", severity="info")
    result = score(TRUTH, [*CAUGHT, note])
    assert result.notes == [note]
    assert result.wronged == 0
