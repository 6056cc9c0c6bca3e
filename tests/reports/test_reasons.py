"""The class of a failure, by the words of servers and providers."""

import string
import time
from pathlib import Path

import pytest

from streams.reports import reasons, replies

REPLIES = Path(__file__).with_name("replies.txt")


def said() -> list[tuple[str, str]]:
    rows = (line for line in REPLIES.read_text().splitlines() if not line.startswith("#"))
    return [(name.strip(), words.strip()) for name, _, words in (r.partition("|") for r in rows)]


@pytest.mark.parametrize(("name", "words"), said())
def test_what_servers_say(name: str, words: str) -> None:
    reply = replies.read(words)
    assert reasons.classify(reply.code, reply.status, words) == name


def test_every_class_is_described_and_tried() -> None:
    described = {word for word in reasons.__doc__.split() if word in reasons.NAMES}
    assert described == reasons.NAMES
    assert {name for name, _ in said()} == reasons.NAMES - {"other"}


@pytest.mark.parametrize(
    "words",
    [
        "550 5.1.1 <disk.full@example.com>: no such user",
        "550 5.1.1 User unknown; see https://example.com/why?spam=virus",
        "550 no such user (spam@blacklist.example)",
    ],
)
def test_addresses_and_links_say_nothing_where_words_do(words: str) -> None:
    reply = replies.read(words)
    assert reasons.classify(reply.code, reply.status, words) == "user_unknown"


@pytest.mark.parametrize("unit", ["user ", "mailbox over ", "a@", "<", "x" * 80 + " ", "550 "])
def test_hostile_words_cost_little(unit: str) -> None:
    text = unit * (8192 // len(unit)) + string.ascii_letters
    begun = time.perf_counter()
    reasons.by_words(text)
    replies.read(text)
    replies.essence(text)
    assert time.perf_counter() - begun < 0.05
