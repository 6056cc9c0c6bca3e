from types import SimpleNamespace
from typing import Any

import pytest

from agents.worker.client import connected


def app(coordinator: Any) -> Any:
    consumer = SimpleNamespace(_coordinator=coordinator)
    return SimpleNamespace(consumer=SimpleNamespace(_thread=SimpleNamespace(_consumer=consumer)))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (app(SimpleNamespace(coordinator_id=0)), True),
        (app(SimpleNamespace(coordinator_id=None)), False),
        (app(None), False),
        (SimpleNamespace(consumer=SimpleNamespace(_thread=None)), False),
        (SimpleNamespace(consumer=None), False),
    ],
)
def test_brokers_hear_us_while_the_group_has_its_coordinator(found: Any, expected: bool) -> None:
    assert connected(found) is expected
