"""What is set for a domain holds for those below it that have nothing of their own."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def inherited(table: Mapping[str, T], domain: str) -> T | None:
    """The entry of a domain, else that of the nearest domain above it."""
    while domain and domain not in table:
        domain = domain.partition(".")[2]
    return table.get(domain)
