"""Mails that come in, in place of lines: by LMTP, or in a maildir.

An intake gives its mails' events to the loop of its process, and hears from it when they are
safe; only then does it answer for a mail, or put it away. What it was given and had not put away
is known by its position, which becomes safe together with the events: whatever happens, a mail
is not told twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from schemas.events import Fact


class Intake(Protocol):
    """Where mails come in."""

    @property
    def name(self) -> str:
        """Names it in metrics and in the store."""

    @property
    def trouble(self) -> str:
        """Why nothing can come in just now, in words; empty where it can."""

    @property
    def behind(self) -> bool:
        """Whether more is known to wait than was taken."""

    def take(self) -> tuple[int, list[Fact]]:
        """(mails, their events) of what has come since the last call; never waits or raises."""

    def position(self) -> bytes:
        """What was taken and not put away; given to its constructor, it is not told again."""

    def safe(self) -> None:
        """All that was taken until now is safe, and so is its position."""

    def close(self) -> None: ...


class Intakes:
    """All that one process has. Without any it costs nothing."""

    def __init__(self, intakes: Sequence[Intake] = ()) -> None:
        self._intakes = tuple(intakes)
        self._taken = False  # something that is not safe yet

    def take(self) -> Iterable[tuple[str, int, list[Fact]]]:
        """(name, mails, events) of each intake to which mails have come."""
        for intake in self._intakes:
            mails, events = intake.take()
            if mails:
                self._taken = True
                yield intake.name, mails, events

    @property
    def behind(self) -> bool:
        return any(intake.behind for intake in self._intakes)

    def positions(self) -> Mapping[str, bytes]:
        return {f"intake {intake.name}": intake.position() for intake in self._intakes}

    def safe(self) -> None:
        if self._taken:
            self._taken = False
            for intake in self._intakes:
                intake.safe()

    def troubles(self) -> dict[str, str]:
        return {intake.name: intake.trouble for intake in self._intakes if intake.trouble}

    def close(self) -> None:
        for intake in self._intakes:
            intake.close()
