"""What every program that keeps running is given: who ends and reloads it, what it reads."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from agents.configuration import Config

if TYPE_CHECKING:
    from streams.sources.follow import Follow

Opener = Callable[[Config, dict[str, bytes]], "Follow"]
"""Opens the sources that a configuration names, at the positions of an earlier process."""


class Control(Protocol):
    """What is asked of a running loop."""

    def stopped(self) -> bool:
        """Whether to end."""

    def reloaded(self) -> Config | None:
        """A configuration to go on with, each once."""
