"""A block list as it lies in memory, so that a process that starts has it at once.

To check, pack and place a decision takes ten microseconds, and a hundred thousand of them a
second. An image was checked when it was made, by rules that it names: a list with the same rules
takes it in whole, and any other its decisions one by one.
"""

from array import array
from collections.abc import Iterator, Mapping

from msgspec import Struct

from schemas.findings import Decision
from streams.packed import unpack

Held = bytes | tuple[bytes, ...]
"""Packed decisions: nearly always one, and looked at seldom (streams/packed.py)."""

Place = int | str
"""Where a target is found: a network as one number, what has a name by kind and value."""


class Image(Struct, frozen=True, array_like=True):
    """`pages` are the starts of minutes, in Unix seconds, each with the numbers of the places
    where a lease ends in it (an array of C's unsigned int); `named` are the places of ids that
    do not say where that is. The number of an IPv6 network is longer than msgpack's: it is a text
    here."""

    rules: bytes
    places: list[Place]
    held: list[bytes | tuple[bytes, ...]]
    pages: list[tuple[float, bytes]]
    named: dict[str, int]

    def decisions(self) -> Iterator[Decision]:
        return (unpack(one) for here in self.held for one in every(here))


def every(held: Held) -> tuple[bytes, ...]:
    return held if type(held) is tuple else (held,)  # type: ignore[return-value]


def draw(
    rules: bytes,
    held: Mapping[Place, Held],
    pages: Iterator[tuple[float, list[Place]]],
    named: Mapping[str, Place],
) -> Image:
    """The image of these parts of a block list."""
    numbers = {place: number for number, place in enumerate(held)}
    return Image(
        rules,
        [_written(place) for place in held],
        list(held.values()),
        [
            (start, array("I", [numbers[one] for one in places if one in numbers]).tobytes())
            for start, places in pages
        ],
        {name: numbers[place] for name, place in named.items()},
    )


def places(image: Image) -> list[Place]:
    """Those of an image, as the list knows them. Raises ValueError where one is none."""
    return [
        int(one[1:], 16) if isinstance(one, str) and one[:1] == "#" else one for one in image.places
    ]


def _written(place: Place) -> Place:
    return f"#{place:x}" if type(place) is int and place >> 63 else place
