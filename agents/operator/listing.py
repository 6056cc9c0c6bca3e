"""Lists that can be read at any width of the terminal: what identifies somebody is never cut.

A column is *whole* (as wide as its widest value), *folded* (goes on in the next line where it is
long) or *cut* (takes what is left, and ends with … at a word).
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text

NARROW = 120  # columns; below it, times and ids are short
ROOM = 20  # columns in which a cut value says something
FOLDED = 15  # columns that a folded value has at least: an IPv4 address


class Column(Struct, frozen=True):
    name: str
    kind: Literal["whole", "folded", "cut"] = "whole"


def listing(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> Table:
    """A table for a terminal of `width` columns, with one folded and one cut column at most."""
    for gap in (2, 1):
        widths = _widths(columns, rows, width - gap * (len(columns) - 1))
        least = {"whole": 0, "folded": NARROW, "cut": ROOM}
        if all(
            widths[i] >= min(_wanted(rows, i), least[column.kind])
            for i, column in enumerate(columns)
        ):
            break  # else a narrower gap gives them some more
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, gap, 0, 0))
    for column, size in zip(columns, widths, strict=True):
        folded = column.kind == "folded"
        table.add_column(
            column.name, width=size, no_wrap=not folded, overflow="fold" if folded else "ellipsis"
        )
    for row in rows:
        table.add_row(
            *(
                Text(shortened(text.plain, size), text.style) if column.kind == "cut" else text
                for column, size, text in zip(columns, widths, row, strict=True)
            )
        )
    return table


def shortened(text: str, width: int) -> str:
    """As many words of a text as there is room for, and … for the others. Of a first word that
    fits alone the … is spared."""
    if cell_len(text) <= width:
        return text
    words = text.split()
    while len(words) > 1:
        words.pop()
        said = " ".join(words)
        if cell_len(said) < width:
            return f"{said.rstrip(',;:')}…"
    alone = words[0].rstrip(",;:") if words else ""
    return alone if cell_len(alone) <= width else f"{set_cell_size(alone, width - 1)}…"


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], room: int) -> list[int]:
    widths = [max(cell_len(c.name), _wanted(rows, i)) for i, c in enumerate(columns)]
    for kind, least in (("cut", None), ("folded", FOLDED)):
        for index, column in enumerate(columns):
            if column.kind == kind and sum(widths) > room:
                left = room - (sum(widths) - widths[index])
                widths[index] = max(left, cell_len(column.name) if least is None else least)
    return widths


def _wanted(rows: Sequence[Sequence[Text]], index: int) -> int:
    return max((row[index].cell_len for row in rows), default=0)
