"""What a gateway is: one way of enforcing decisions. The list is in streams/gateways/__init__.py.

A gateway is always given *all* decisions in force, never a difference, so that a retry, a
restart or a lost message can do no harm. What it enforces ends when its caller leaves it out of
the list, so the caller asks the block list anew when a lease ends.

A gateway that is a server (streams/serving.py) answers about one client at a time, and asks the
block list itself: its answer is never older than the last decision.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Literal, Protocol

from msgspec import Struct

from schemas.audit import Audit
from schemas.events import Fact
from schemas.findings import Decision
from schemas.settings import Section
from streams.packed import enforced


class GatewayError(Exception):
    """A gateway could not do what it was told; the same call is tried again later."""


class Site(Protocol):
    """What a gateway may ask and tell while it runs. From any thread."""

    @property
    def host(self) -> str:
        """The name of this machine, as log lines that name none have it."""

    @property
    def phishing(self) -> frozenset[str]:
        """Addresses that phishers collect answers at, none of them ours; the same object until
        they change. Empty while nothing is to be enforced."""

    def ruling(
        self,
        address: str = "",
        account: str = "",
        *,
        mailboxes: Iterable[str] = (),
        domains: Iterable[str] = (),
        ours: str = "",
    ) -> Decision | None:
        """The decision in force now that rules these (streams/blocklist.py `lookup`). `account`
        may have any spelling."""

    def record(self, entries: Sequence[Audit]) -> None:
        """What the gateway did to people, for the trail of changes. Never waits."""

    def publish(self, events: Sequence[Fact]) -> None:
        """Events that the gateway saw, for the detectors. Never waits: what is too much is
        dropped, and counted."""


Grade = Literal["ok", "warning", "failed", "unknown"]
"""unknown: it cannot be told from here."""


class Note(Struct, frozen=True):
    """What a gateway found out about what its decisions really reach."""

    grade: Grade
    text: str
    remedy: tuple[str, ...] = ()  # the lines to add or commands to run

    @property
    def good(self) -> bool:
        return self.grade == "ok"


class GatewaySettings(Section, frozen=True):
    """``[gateways.NAME]``: what all gateways have."""

    enabled: bool = True  # switched off, it lifts what it enforced and takes nothing more


class Gateway:
    """One way of enforcing decisions, with the settings of one section.

    A subclass defines `Settings` (a frozen struct) and `enforce`.
    """

    Settings: ClassVar[type[GatewaySettings]] = GatewaySettings
    blind_to: ClassVar[str] = ""  # what passes it by

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "",
        lifted: Callable[[], bool] = lambda: False,
    ) -> None:
        """`lifted` says whether the kill switch is pulled: then nothing is enforced."""
        self.settings = settings
        self.name = name or type(self).__name__.lower()
        self._lifted = lifted
        self._given: Sequence[Decision] | None = None  # as enforced; None: not yet, or unfinished

    def apply(self, decisions: Sequence[Decision]) -> bool:
        """Enforce exactly these; True when it is done, False while work is left.

        Cheap when nothing has changed: call it about once a second, so that the kill switch and
        what was left undone (a bounded rate of reloads) are seen to. Decisions that are only
        observed are passed over. Raises GatewayError where it failed; call again then, too.
        """
        stop = not self.settings.enabled or self._lifted()
        wanted: Sequence[Decision] = [] if stop else enforced(decisions)
        if wanted == self._given:
            return True
        self._given = None
        if not self.enforce(wanted):
            return False
        self._given = wanted
        return True

    def connect(self, site: Site) -> None:
        """Before the first `apply`: whom to ask and to tell."""

    def close(self) -> None:
        """After the last one. What is enforced stays where it outlives this process."""

    def enforce(self, decisions: Sequence[Decision]) -> bool:
        """Make the outside world like `decisions`; whether all of it is done. Idempotent."""
        raise NotImplementedError

    def reaches(self, decision: Decision) -> bool:
        """Whether this gateway can carry out a decision of this target and action."""
        raise NotImplementedError

    def needs(self) -> list[Note]:
        """Look at this machine: whether what `enforce` needs is there. Changes nothing."""
        return []

    def review(self) -> list[Note]:
        """Look at the outside world: whether what `enforce` does there has any effect. Changes
        nothing."""
        raise NotImplementedError
