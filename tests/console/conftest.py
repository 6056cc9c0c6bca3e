from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.harness import Place, configured, open_to_all, serving_place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with users."""
    with serving_place(tmp_path) as found:
        yield found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Place]:
    """A console without users, for this machine."""
    with serving_place(tmp_path, configured(tmp_path, open_to_all())) as found:
        yield found
