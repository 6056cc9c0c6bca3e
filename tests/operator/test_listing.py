"""What identifies somebody is never cut, however narrow the terminal."""

from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from agents.operator.listing import Column, listing, shortened

COLUMNS = (Column("WHO", "folded"), Column("STATE"), Column("REASON", "cut"))
ADDRESS = "2001:db8:1234:5678::/64"
MAIL = "a.person.with.a.long.name@subsidiary.example.org"


def drawn(width: int, *rows: tuple[str, str, str]) -> list[str]:
    console = Console(file=StringIO(), width=width, color_system=None)
    texts = [tuple(map(Text, row)) for row in rows]
    console.print(listing(COLUMNS, texts, width))
    lines: list[str] = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in lines)
    return [line.rstrip() for line in lines]


def test_where_there_is_room_nothing_is_shortened() -> None:
    assert drawn(60, (ADDRESS, "enforced", "guesses passwords")) == [
        "WHO                      STATE     REASON",
        "2001:db8:1234:5678::/64  enforced  guesses passwords",
    ]


def test_the_reason_gives_way_first_at_a_word() -> None:
    assert drawn(57, (ADDRESS, "enforced", "guesses the passwords of many"))[1] == (
        "2001:db8:1234:5678::/64  enforced  guesses the passwords…"
    )


def test_then_the_gaps_before_a_name_is_folded() -> None:
    assert drawn(46, (ADDRESS, "enforced", "guesses passwords"))[1] == (
        "2001:db8:1234:5678::/64 enforced guesses…"
    )
    assert drawn(39, (ADDRESS, "enforced", "guesses passwords"))[1] == (
        "2001:db8:1234:5678::/64 enforced guess…"
    )


def test_a_long_name_goes_on_in_the_next_line() -> None:
    header, *lines = drawn(40, (MAIL, "nobody can", "guesses"))
    assert header.split() == ["WHO", "STATE", "REASON"]
    assert "".join(line[:22].strip() for line in lines) == MAIL
    assert "nobody can guess…" in lines[0]


def test_on_the_narrowest_terminal_the_name_is_whole_and_the_others_are_not() -> None:
    _, *lines = drawn(20, ("198.51.100.123", "enforced", "guesses"))
    assert "".join(line.split()[0] for line in lines) == "198.51.100.123"


def test_a_list_of_nothing_is_its_header() -> None:
    assert drawn(40) == ["WHO  STATE  REASON"]


@pytest.mark.parametrize(
    ("text", "width", "words"),
    [
        ("drop for 10 min", 15, "drop for 10 min"),
        ("drop for 10 min, since before", 20, "drop for 10 min…"),
        ("drop for 10 min", 9, "drop for…"),
        ("drop for 10 min", 8, "drop…"),
        ("drop for 10 min", 4, "drop"),
        ("nothing: slow", 7, "nothing"),
        ("backscatter", 7, "backsc…"),
        ("漢字漢字", 5, "漢字…"),
        ("", 5, ""),
        ("   ", 2, ""),
    ],
)
def test_a_text_is_cut_at_a_word(text: str, width: int, words: str) -> None:
    assert shortened(text, width) == words
