"""The demo's page when things go wrong: what was missed and who was wronged is said first."""

from io import StringIO
from typing import Any

from rich.console import Console

from agents import configuration
from agents.demo import page
from agents.demo.score import score
from agents.demo.silence import Watch
from agents.demo.traffic import Plan
from agents.demo.truth import Attack, Expected, Innocent, Truth
from schemas.findings import Alert, Subject
from schemas.settings import Settings

AT = 1772445600.0
TRUTH = Truth(
    [
        Attack(
            name="guesses",
            story="many of them",
            first=AT,
            clients=("192.0.2.66",),
            expects=(Expected("auth_dictionary", "192.0.2.66"),),
        )
    ],
    [Innocent(name="the office", story="behind one address", clients=("198.51.100.1",))],
)
CONFIG = configuration.build(Settings())
BY_NAME = {detector.name: detector for detector in CONFIG.detectors}


def accusing(client: str) -> Alert:
    return Alert(
        id=client,
        detector="auth_dictionary",
        shape="dictionary",
        severity="high",
        subject=Subject("client", client),
        first=AT,
        last=AT,
        at=AT,
        summary="it guessed",
        clients=[client],
    )


def shown(*parts: Any) -> str:
    console = Console(file=StringIO(), width=100, color_system=None)
    for part in parts:
        console.print(part)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_missed_attack_is_marked_with_what_was_not_found() -> None:
    text = shown(page.attacks(score(TRUTH, []), []))
    assert "✗ guesses" in text
    assert "not found: auth_dictionary of 192.0.2.66" in text


def test_a_wronged_innocent_is_marked_with_what_accuses_it() -> None:
    result = score(TRUTH, [accusing("198.51.100.1")])
    text = shown(page.silence(result, Watch(TRUTH.innocents, CONFIG.site), BY_NAME, CONFIG.site))
    assert "✗" in text
    assert "accused by auth_dictionary" in text


def test_whoever_is_accused_without_a_story_is_shown() -> None:
    result = score(TRUTH, [accusing("203.0.113.9")])
    text = shown(page.stray(result, []))
    assert "Accused without cause" in text
    assert "203.0.113.9" in text


def test_sections_without_content_are_left_out() -> None:
    result = score(TRUTH, [accusing("192.0.2.66")])
    assert page.stray(result, []) is None
    assert page.notes(result, []) is None


def test_the_heading_names_the_days() -> None:
    assert "Monday, 2 March 2026 at a company of 72 people" in shown(page.heading(Plan(), 72, 10))
    several = shown(page.heading(Plan(days=3), 72, 10))
    assert "Monday, 2 March 2026 and 2 more days at a company" in several
