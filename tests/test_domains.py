"""Settings of a domain hold for those below it."""

import pytest

from agents.domains import inherited

TABLE = {"example.org": 1, "shop.example.org": 2}


@pytest.mark.parametrize(
    ("domain", "found"),
    [
        ("example.org", 1),
        ("shop.example.org", 2),
        ("eu.shop.example.org", 2),
        ("mail.example.org", 1),
        ("notexample.org", None),
        ("org", None),
        ("", None),
    ],
)
def test_the_nearest_domain_above_counts(domain: str, found: int | None) -> None:
    assert inherited(TABLE, domain) == found
