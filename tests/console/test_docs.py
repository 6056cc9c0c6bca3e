"""docs/console.md: what is shown there can be used as it stands."""

import re
from pathlib import Path

import pytest

from agents import configuration
from agents.console.access.checked import checked
from agents.console.operations import OPERATIONS
from agents.console.pages.table import PAGES
from schemas.settings import ConsoleSettings
from tests.console.harness import HASH

TEXT = (Path(__file__).parents[2] / "docs" / "console.md").read_text()
BLOCKS = re.findall(r"^```toml.*?\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r'"\$argon2id[^"]*"')


@pytest.mark.parametrize("block", BLOCKS)
def test_the_shown_settings_are_right(block: str, tmp_path: Path) -> None:
    file = tmp_path / "mailwarden.toml"
    file.write_text(SHOWN.sub(f'"{HASH}"', block))
    found = configuration.load(file).settings.console
    assert found is not None
    checked(found)


def test_each_page_of_the_navigation_has_its_key() -> None:
    for page in PAGES:
        if page.key:
            assert f"| {page.title} | `{page.key}` |" in TEXT


def test_the_numbers_are_those_of_the_code() -> None:
    from agents.console.access.attempts import OF_CLIENT, OF_NAME, WINDOW
    from agents.console.picture import ALERTS
    from agents.incidents.assembling import INCIDENTS

    assert (OF_CLIENT, OF_NAME, WINDOW) == (10, 100, 300.0)
    assert f"newest {ALERTS:,} alerts" in TEXT
    assert f"newest {INCIDENTS:,} incidents" in TEXT
    assert ConsoleSettings().idle == 8 * 3600
    assert {one.role for one in OPERATIONS} == {"viewer", "analyst", "admin"}
