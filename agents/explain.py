"""Why was nothing, or that much, found about one client or account? The counts of each detector
beside their thresholds, at their highest, as old logs are read again."""

from msgspec import Struct

from agents.shard import Shard
from schemas import keys, net
from schemas.events import Fact, Signal
from schemas.findings import Evidence
from schemas.keys import Key, Site

SIGNS = 200  # counts that are remembered


class Peak(Struct):
    """A count when it was nearest to its threshold."""

    key: Key
    detector: str
    sign: str
    count: float
    threshold: float
    unit: str
    at: float
    estimated: bool = False


class Watch:
    """Looks at the records of a subject after each event that concerns it."""

    def __init__(self, shard: Shard, subjects: tuple[Key, ...]) -> None:
        self.subjects = subjects
        self.events: dict[str, int] = {}  # that concern it, by type
        self._shard = shard
        self._peaks: dict[tuple[Key, str, str], Peak] = {}

    def __call__(self, event: Fact) -> None:
        shard = self._shard
        concerned = [key for key in keys.keys(event, shard.engine.site) if key in self.subjects]
        if concerned and type(event) is not Signal:
            self.events[event.type] = self.events.get(event.type, 0) + 1
        for key in concerned:
            for name, evidence in shard.weigh(key, event.at):
                for seen in evidence:
                    self._note(key, name, seen, event.at)

    def peaks(self) -> list[Peak]:
        """The counts that were not nothing, the nearest to their thresholds first; those for
        which one is enough come last, for they hardly tell more than that something was."""
        found = [peak for peak in self._peaks.values() if peak.count]
        return sorted(
            found, key=lambda one: (one.threshold <= 1, -one.count / max(one.threshold, 1e-9))
        )

    def _note(self, key: Key, name: str, seen: Evidence, at: float) -> None:
        slot = (key, name, seen.sign)
        before = self._peaks.get(slot)
        if before is not None and seen.count <= before.count:
            return
        if before is None and len(self._peaks) >= SIGNS:
            return
        self._peaks[slot] = Peak(
            key, name, seen.sign, seen.count, seen.threshold, seen.unit, at, seen.estimated
        )


def of_client(address: str) -> tuple[Key, ...]:
    """The subjects behind a client's address. Raises ValueError where it is none."""
    canonical = net.address(address)
    if not canonical:
        raise ValueError(f"{address!r} is no IP address")
    return (f"c:{net.client(canonical)}", f"n:{net.network(canonical)}")


def of_account(name: str, site: Site) -> tuple[Key, ...]:
    """The subject behind a login or an address."""
    return (f"m:{keys.mailbox(name, site.default_domain)}",)
