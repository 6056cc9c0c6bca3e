"""How bad it is, in the words and exit statuses of monitoring plugins (Monitoring Plugins
Development Guidelines): what runs here runs under any monitoring. No IO."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Grade = Literal["ok", "unknown", "warning", "critical"]
GRADES: tuple[Grade, ...] = ("ok", "unknown", "warning", "critical")
"""From good to bad: what is not known hides nothing that is."""
EXITS: dict[Grade, int] = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}


class Graded(Struct, frozen=True):
    """Something that was found out about a server, and what to do about it."""

    check: str
    grade: Grade
    text: str
    cure: str = ""


def worst(found: Iterable[Graded]) -> Grade:
    """The worst grade of all; nothing found is nothing known."""
    grades = {each.grade for each in found}
    return max(grades, key=GRADES.index, default="unknown")
