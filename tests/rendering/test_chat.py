import pytest

from schemas.findings import Evidence, Subject
from streams.rendering import chat, words
from tests.sinks.alerts import alert, evil


def test_a_message_says_what_happened_and_what_to_do() -> None:
    one = alert(
        "a1", incident="i1", decision="reject for 600 s", undo="mailwarden decisions remove x"
    )
    assert chat.title(one) == "[mailwarden] high: auth dictionary: 192.0.2.1"
    assert chat.text(one).splitlines() == [
        "192.0.2.1: 15 wrong passwords at 15 accounts",
        "seen: 2023-11-14T22:13:20.500Z to 2023-11-14T22:14:20.000Z",
        "evidence: accounts 15 ≥ 5",
        "decided: reject for 600 s",
        "undo: mailwarden decisions remove x",
        "incident: mailwarden incidents show i1",
        "more: mailwarden alerts show a1",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("anna@example.org", "anna@example.org"),
        ("decisions remove account:anna@example.org:lock", None),
        ("@here", "@\u200bhere"),
        ("x@everyone y", "x@\u200beveryone y"),
        ("hello @boss", "hello @\u200bboss"),
        ("(@Channel)", "(@\u200bChannel)"),
        ("<!channel> <@U123> <at>id</at>", "‹!channel› ‹@\u200bU123› ‹at›id‹/at›"),
        ("[log in](https://h.example)", "[log in] (https[:]//h.example)"),
    ],
)
def test_nobody_is_called_and_nothing_is_a_link(text: str, shown: str | None) -> None:
    assert chat.harmless(text) == (text if shown is None else shown)


def test_what_an_attacker_wrote_stays_in_its_line() -> None:
    nasty = "@here <!channel> https://h.example\n[x](y)"
    for one in (evil(), alert(summary=nasty, subject=Subject("account", nasty), accounts=[nasty])):
        said = chat.title(one) + "\n" + chat.text(one)
        assert "<" not in said
        assert "://" not in said
        assert "](" not in said
        assert "@here" not in said
        assert len(said.splitlines()) <= 9
        assert all(c.isprintable() or c in "\n\u200b" for c in said)


def test_a_count_that_is_below_its_threshold_is_told_as_that() -> None:
    counts = [Evidence("accounts", 1, 5), Evidence("failures", 30, 10), Evidence("seconds", 4, 0)]
    assert words.evidence(alert(evidence=counts)) == "accounts 1 < 5, failures 30 ≥ 10, seconds 4"
