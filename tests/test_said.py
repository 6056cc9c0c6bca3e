"""Messages of the log: words for people, fields for programs."""

from pathlib import Path

import pytest

from streams.said import said


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        (0.5, "0.5"),
        (Path("/var/log/mail.log"), "/var/log/mail.log"),
        ("two words", '"two words"'),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('no "key"', '"no \\"key\\""'),
        ("back\\slash here", '"back\\\\slash here"'),
        ("\x1b[2J", "?[2J"),
        (None, "None"),
    ],
)
def test_a_field_is_one_word_for_eyes(value: object, shown: str) -> None:
    assert str(said("it failed", reason=value)) == f"it failed reason={shown}"


def test_fields_keep_numbers_and_the_order_in_which_they_were_told() -> None:
    told = said("read", lines=3, path=Path("/x"), event="auth")
    assert told.fields == {"lines": 3, "path": "/x", "event": "auth"}
    assert str(told) == "read lines=3 path=/x event=auth"
