"""docs/formats.md is what the parsers and their cases make of it."""

from pathlib import Path

from streams.parsers import PARSERS
from tools import formats

PAGE = Path(__file__).parent.parent / "docs" / "formats.md"


def test_the_page_is_not_stale():
    assert PAGE.read_text() == formats.text(), "python -m tools.formats > docs/formats.md"


def test_every_format_tells_something_of_its_cases():
    for name in PARSERS:
        assert formats.seen(name).tells, name
        assert formats.seen(name).tags, name
