"""Who tries a new decision first. The canaries enforce it at once, everybody else after a while in
which nobody was wronged: a decision that a person takes back, or pardons anybody from, meanwhile
is only observed here until it ends.

That a person says so is all that is known of innocents: what was refused is not logged by those
who were. A person's own decisions wait for nobody, nor does a longer lease of what is enforced.
"""

import math
import zlib
from collections.abc import Iterable

import msgspec

from schemas import net
from schemas.findings import Decision, Target
from schemas.settings import ResponseSettings


class Canary:
    """`name` is this gateway's."""

    def __init__(self, settings: ResponseSettings, name: str) -> None:
        share, named = settings.canary, settings.canary_gateways
        self.first = name in named if named else zlib.crc32(name.encode()) < share * 2**32
        self.waits = bool(share or named) and not self.first
        self._seconds = settings.canary_seconds
        self._held: dict[str, tuple[float, Decision]] = {}  # when it is due; never: inf

    def here(self, decision: Decision, before: Decision | None, now: float) -> Decision:
        """The decision as it counts here now. `before` is what is in force under its id."""
        waits = self.waits and _tried(decision) and now < decision.since + self._seconds
        return _observed(decision) if waits and not _holds(before, now) else decision

    def note(self, decision: Decision, here: Decision) -> None:
        """A decision was taken in, as `here`."""
        if here.enforced == decision.enforced:
            self._held.pop(decision.id, None)
        else:
            self._held[decision.id] = (decision.since + self._seconds, decision)
        if decision.origin == "pardon":
            self._wronged(decision)

    def due(self, now: float) -> list[Decision]:
        """What nobody complained of, as it is to be enforced from now on."""
        names = [name for name, (due, _) in self._held.items() if due <= now]
        return [self._held.pop(name)[1] for name in names]

    def _wronged(self, pardon: Decision) -> None:
        """Somebody is pardoned: what hits them is not enforced here."""
        for name, (_, decision) in self._held.items():
            if decision.since <= pardon.since and _touch(decision.target, pardon.target):
                self._held[name] = (math.inf, decision)

    def review(self, decisions: Iterable[Decision]) -> list[Decision]:
        """After a start: those that somebody was pardoned from, as they count here."""
        if not self.waits:
            return []
        found = list(decisions)
        pardons = [one for one in found if one.origin == "pardon"]
        hit = [
            one
            for one in found
            if _tried(one) and any(_wrongs(one, pardon, self._seconds) for pardon in pardons)
        ]
        for decision in hit:
            self._held[decision.id] = (math.inf, decision)
        return [_observed(decision) for decision in hit]

    def forget(self, name: str) -> None:
        """A decision is gone."""
        self._held.pop(name, None)

    def made(self) -> dict[str, Decision]:
        """Decisions as they were made, by id, of those that count otherwise here."""
        return {name: decision for name, (_, decision) in self._held.items()}


def _tried(decision: Decision) -> bool:
    return decision.enforced and decision.origin == "automatic" and not decision.needs


def _holds(before: Decision | None, now: float) -> bool:
    return before is not None and before.enforced and before.until > now


def _wrongs(decision: Decision, pardon: Decision, seconds: float) -> bool:
    """Whether somebody was pardoned from a decision while it was tried."""
    in_time = decision.since <= pardon.since < decision.since + seconds
    return in_time and _touch(decision.target, pardon.target)


def _touch(one: Target, other: Target) -> bool:
    """Whether two targets have somebody in common."""
    if one == other:
        return True
    here, there = _network(one), _network(other)
    if here and there:
        both = one.kind == other.kind == "client_account"
        same = one.value.partition(" ")[2] == other.value.partition(" ")[2]
        return net.Networks([here]).overlapping(there) and (same or not both)
    names = {target.value.rpartition(" ")[2] for target in (one, other)}
    return {one.kind, other.kind} == {"account", "client_account"} and len(names) == 1


def _network(target: Target) -> str:
    return target.value.partition(" ")[0] if target.kind in ("network", "client_account") else ""


def _observed(decision: Decision) -> Decision:
    return msgspec.structs.replace(decision, enforced=False)
