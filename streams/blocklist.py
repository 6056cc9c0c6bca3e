"""The decisions in force: put in and taken out, outranked, expired, looked up. No IO, no clock.

Which of several decisions rules an address is said once, by `_rank`, and everything follows it:
what is enforced rules over what is only observed; a person's word (manual, pardon) over the
machine's; of persons' words the one on the smaller network, then the newer; of the machine's
the more severe one, then the one on the wider network. A pardon rules by doing nothing.
`in_force` gives the decisions in that order, so that a gateway whose table is read from the top
needs no more than to write them down.

Networks that we must never act against are asked about here once more, whatever was decided.

One thread changes a block list; `lookup` may be asked by others meanwhile. What it walks over is
replaced, never changed in place.
"""

import heapq
import math
from collections.abc import Iterable, Iterator

import msgspec

from schemas import net
from schemas.findings import ACTIONS, Decision, Target

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[Decision])

SEVERITY = {action: rank for rank, action in enumerate(ACTIONS)}

_Rank = tuple[bool, bool, int, float, int, str]
_Place = tuple[int, int, int] | tuple[str, str]
"""Where a target is found: (IP version, prefix length, prefix), or (kind, value)."""


class Blocklist:
    """Decisions by id. Bounded: beyond `limit` the machine's soonest to end goes, and is counted
    in `evicted`.

    `spared` are networks that no decision may touch; `widest` the shortest prefixes that the
    machine may decide about, by IP version.
    """

    def __init__(
        self,
        spared: net.Networks | None = None,
        widest: tuple[int, int] = (24, 48),
        limit: int = 200_000,
    ) -> None:
        self.evicted = 0
        self._spared = spared or net.Networks()
        self._widest = {4: widest[0], 6: widest[1]}
        self._limit = limit
        self._decisions: dict[str, Decision] = {}
        self._ranks: dict[str, _Rank] = {}
        self._places: dict[_Place, tuple[str, ...]] = {}
        self._lengths: dict[tuple[int, int], int] = {}  # (version, prefix length): places
        self._known_lengths: tuple[tuple[int, int], ...] = ()
        self._ends: list[tuple[float, str]] = []  # heap; entries of replaced decisions linger

    def __len__(self) -> int:
        return len(self._decisions)

    def __iter__(self) -> Iterator[Decision]:
        return iter(self._decisions.values())

    def put(self, decision: Decision) -> bool:
        """Take a decision in; False where it is refused: older than what is here under its id,
        about networks that are spared or too wide, or no target at all."""
        before = self._decisions.get(decision.id)
        if before is not None and _age(decision) < _age(before):
            return False
        place = self._place_if_allowed(decision)
        if place is None:
            return False
        if before is not None:
            self.remove(decision.id)
        elif len(self._decisions) >= self._limit:
            self._make_room()
        self._decisions[decision.id] = decision
        self._ranks[decision.id] = _rank(decision, place)
        here = self._places.get(place, ())
        self._places[place] = (*here, decision.id)
        if not here:
            self._count_length(place, 1)
        heapq.heappush(self._ends, (decision.until, decision.id))
        if len(self._ends) > 2 * len(self._decisions) + 1024:
            self._ends = [(d.until, d.id) for d in self._decisions.values()]
            heapq.heapify(self._ends)
        return True

    def remove(self, decision_id: str) -> bool:
        """Take a decision out; whether it was here."""
        decision = self._decisions.pop(decision_id, None)
        if decision is None:
            return False
        del self._ranks[decision_id]
        place = _place(decision.target)
        here = tuple(name for name in self._places[place] if name != decision_id)
        if here:
            self._places[place] = here
        else:
            del self._places[place]
            self._count_length(place, -1)
        return True

    def expire(self, now: float) -> list[Decision]:
        """Take out, and return, the leases that have ended."""
        ended = []
        while self._ends and self._ends[0][0] <= now:
            until, name = heapq.heappop(self._ends)
            decision = self._decisions.get(name)
            if decision is not None and decision.until == until:
                self.remove(name)
                ended.append(decision)
        return ended

    def next_expiry(self) -> float:
        """When the next lease ends, in Unix seconds; infinity where there is none."""
        while self._ends:
            until, name = self._ends[0]
            decision = self._decisions.get(name)
            if decision is not None and decision.until == until:
                return until
            heapq.heappop(self._ends)
        return math.inf

    def in_force(self, now: float) -> list[Decision]:
        """The decisions that hold at `now`, the ruling ones first; those that another rules out
        everywhere are left out."""
        held = (decision for decision in self._decisions.values() if decision.until > now)
        seen: dict[tuple[int, int], set[int]] = {}  # prefixes, by version and length
        named: set[_Place] = set()
        found = []
        for decision in sorted(held, key=lambda decision: self._ranks[decision.id]):
            place = _place(decision.target)
            if place in named or (len(place) == 3 and _covered(place, seen)):
                continue
            found.append(decision)
            if decision.domain:
                continue
            if len(place) == 3:
                seen.setdefault(place[:2], set()).add(place[2])
            else:
                named.add(place)
        return found

    def lookup(
        self,
        now: float,
        address: str = "",
        account: str = "",
        *,
        mailboxes: Iterable[str] = (),
        domains: Iterable[str] = (),
        ours: str = "",
    ) -> Decision | None:
        """The decision that rules a client, a login, or the two together, if any does; or one
        about the addresses and domains of a message. `ours` is the domain of ours that it is
        for: decisions for one domain rule only there. Raises ValueError where `address` is none.
        """
        places = self._about(address, account)
        places += [("address", mailbox) for mailbox in mailboxes]
        places += [("domain", domain) for domain in domains]
        found: Decision | None = None
        rank: _Rank | None = None
        for place in places:
            for name in self._places.get(place, ()):
                decision, its = self._decisions.get(name), self._ranks.get(name)
                if decision is None or its is None or decision.until <= now:
                    continue
                if decision.domain and decision.domain != ours:
                    continue
                if rank is None or its < rank:
                    found, rank = decision, its
        return None if found is None or found.origin == "pardon" else found

    def snapshot(self) -> bytes:
        """All decisions, as a JSON array."""
        return _encoder.encode(list(self._decisions.values()))

    def restore(self, data: bytes) -> int:
        """Put in what a snapshot held; returns how many were taken. Raises ValueError where
        `data` is none."""
        return sum(self.put(decision) for decision in _decoder.decode(data))

    # -- what is behind it ------------------------------------------------------------------

    def _count_length(self, place: _Place, change: int) -> None:
        """One place more or less of this prefix length."""
        if len(place) != 3:
            return
        length = (place[0], place[1])
        count = self._lengths.get(length, 0) + change
        if count:
            self._lengths[length] = count
        else:
            del self._lengths[length]
        if len(self._lengths) != len(self._known_lengths):
            self._known_lengths = tuple(self._lengths)

    def _about(self, address: str, account: str) -> list[_Place]:
        places: list[_Place] = []
        if address:
            places += self._around(address)
        if account:
            places.append(("account", account))
        if address and account:
            places.append(("client_account", f"{net.client(address)} {account}"))
        return places

    def _around(self, address: str) -> list[_Place]:
        version, bits, value = net.number(address)
        return [
            (version, length, value >> (bits - length))
            for known, length in self._known_lengths
            if known == version
        ]

    def _place_if_allowed(self, decision: Decision) -> _Place | None:
        try:
            place = _place(decision.target)
            client = _client(decision.target)
        except ValueError:
            return None
        if decision.origin == "pardon":
            return place
        if client and self._spared and self._spared.overlapping(client):
            return None
        if len(place) == 3 and decision.origin == "automatic":
            return place if place[1] >= self._widest[place[0]] else None
        return place

    def _make_room(self) -> None:
        mildest = min(
            self._decisions.values(), key=lambda d: (d.origin != "automatic", d.until, d.id)
        )
        self.remove(mildest.id)
        self.evicted += 1


def _age(decision: Decision) -> tuple[int, float]:
    return decision.generation, decision.since


def _rank(decision: Decision, place: _Place) -> _Rank:
    """Sorts what rules first."""
    bits = place[1] if len(place) == 3 else 0
    severity = -SEVERITY[decision.action]
    if decision.origin == "automatic":
        return (not decision.enforced, True, severity, bits, -decision.generation, decision.id)
    return (not decision.enforced, False, -bits, -decision.since, severity, decision.id)


def _covered(place: tuple[int, int, int], seen: dict[tuple[int, int], set[int]]) -> bool:
    """Whether a network lies in one of those seen."""
    version, length, prefix = place
    return any(
        prefix >> (length - wider) in prefixes
        for (v, wider), prefixes in seen.items()
        if v == version and wider <= length
    )


def _place(target: Target) -> _Place:
    if target.kind != "network":
        return target.kind, target.value
    found = net.parse_network(target.value)
    return (
        found.version,
        found.prefixlen,
        int(found.network_address) >> (found.max_prefixlen - found.prefixlen),
    )


def _client(target: Target) -> str:
    """The network that a target is about, if it is about one. Raises ValueError for nonsense."""
    if target.kind == "network":
        return target.value
    if target.kind == "client_account":
        client, _, account = target.value.partition(" ")
        if not account:
            raise ValueError("a client and an account, with a space between them")
        return str(net.parse_network(client))
    return ""
