"""A delisting that a person has asked for: asked, gone, back again."""

from agents.listed.standing import Standing
from tests.detectors.stories import HOUR, START
from tests.listed.test_standing import answer

US = "mx1.example.org"


def test_it_is_asked_for_gone_and_back_again() -> None:
    standing = Standing()
    (listed,) = standing.hear(US, answer(), START)
    (asked,) = standing.asked(listed.id, "anna", START + HOUR)
    assert (asked.id, asked.shape, asked.state, asked.revision) == (listed.id, "asked", "open", 2)
    assert asked.summary.endswith(
        "is listed by list.example; anna has asked to be taken off, after 1 h"
    )
    standing = Standing(standing.pack())
    assert standing.asked(listed.id, "ben", START + 2 * HOUR) == [], "it was asked already"
    assert standing.hear(US, answer(), START + 2 * HOUR) == []
    (gone,) = standing.hear(US, answer("not listed"), START + 3 * HOUR)
    assert gone.summary.endswith("listed no longer: list.example, after 3 h, 2 h after anna asked")
    (again,) = standing.hear(US, answer(), START + 4 * HOUR)
    assert again.shape == "listed again"
    assert standing.asked(again.id, "anna", START + HOUR) == [], "a word from before"
    assert len(standing.asked(again.id, "", START + 5 * HOUR)) == 1


def test_a_word_about_what_is_not_listed_is_none() -> None:
    standing = Standing()
    assert standing.asked("an id", "anna", START) == []
    (listed,) = standing.hear(US, answer(), START)
    assert standing.asked("another", "anna", START) == []
    standing.hear(US, answer("not listed"), START)
    assert standing.asked(listed.id, "anna", START) == []
