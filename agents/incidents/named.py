"""Names up to a bound, and the count of all of them."""

from collections.abc import Iterable

from msgspec import Struct

NAMED = 100


class Named(Struct, frozen=True):
    names: list[str]
    count: int


def named(values: Iterable[str], stated: int = 0, most: int = NAMED) -> Named:
    """The first `most` different values. The count is that of all of them, or `stated`, the largest
    that one alert states of names it does not list: at least so many there are."""
    found = dict.fromkeys(value for value in values if value)
    return Named(list(found)[:most], max(len(found), stated))
