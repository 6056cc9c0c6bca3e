"""What a format is: how a list is written for one kind of program."""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from streams.gateways.feeds.item import Item

HEADER = "# Written by mailwarden from the decisions in force.\n"


class Format(Struct, frozen=True):
    """`write` gives the text in parts; of what it cannot write down it leaves out the item."""

    write: Callable[[Sequence[Item]], Iterator[str]]
    file: str  # the name of its standard list
    kind: str = "text/plain; charset=utf-8"
    header: str = HEADER  # "" where the format knows no comments
    networks_only: bool = True
