"""The decisions in force: put in and taken out, outranked, expired, looked up. No IO, no clock.

Which of several decisions rules an address is said once, by `_rank`, and everything follows it:
what is enforced rules over what is only observed; a person's word (manual, pardon) over the
machine's; of persons' words the one on the smaller network, then the newer; of the machine's
the more severe one, then the one on the wider network. A pardon rules by doing nothing.
`in_force` gives the decisions in that order, so that a gateway whose table is read from the top
needs no more than to write them down.

What must never be decided is asked about here once more, whoever decided it: against networks
of ours, against our own domains, against the mailboxes that must take mail, about networks that
are too wide. `admit` says which of these it is.

One thread changes a block list; `lookup` may be asked by others meanwhile. What it walks over is
replaced, never changed in place.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Literal

from schemas import net
from schemas.findings import ACTIONS, Decision, decision_id
from streams import image as images
from streams.image import Held, Image, Place, every
from streams.leases import Leases
from streams.packed import Packed, pack, unpack

SEVERITY = {action: rank for rank, action in enumerate(ACTIONS)}

SHORTEST = {4: 8, 6: 19}
"""The shortest prefixes that a person may decide about or pardon: no registry gives anybody more
at once, so what is wider is a slip or an attack."""

ALWAYS = frozenset({"postmaster", "abuse"})
"""Mailboxes that take mail whatever happens (RFC 5321, 4.5.1; RFC 2142)."""

Refusal = Literal["", "older", "target", "spared", "wide", "mailbox", "domain", "full"]
"""Why a decision is not taken; "" where it is."""

_first = itemgetter(0)
_Rank = tuple[int, float, float]
_Row = tuple[str, Place, str, bytes]
"""A decision to be sorted: id, place, domain, and itself."""


class Blocklist:
    """Decisions by id. Bounded: beyond `limit` none is taken; a person's word then takes the
    place of the machine's that is soonest to end, which `evicted` counts.

    `spared` are networks that no decision may touch, and `domains` are ours; `widest` are the
    shortest prefixes that the machine may decide about, IPv4 and IPv6.
    """

    def __init__(
        self,
        spared: net.Networks | None = None,
        widest: tuple[int, int] = (24, 48),
        limit: int = 200_000,
        domains: frozenset[str] = frozenset(),
    ) -> None:
        self.evicted = 0
        self._domains = domains
        self._spared = spared or net.Networks()
        self._widest = {4: widest[0], 6: widest[1]}
        self._limit = limit
        self._places: dict[Place, Held] = {}
        self._named: dict[str, Place] = {}  # of ids which do not say where that is
        self._count = 0
        self._lengths: dict[int, int] = {}  # places, by the end of their number: version, length
        # by version, how places of these lengths are made of an address: the bits that fall away,
        # and the end of the number
        self._cuts: dict[int, tuple[tuple[int, int], ...]] = {4: (), 6: ()}
        self._leases: Leases[Place] = Leases(self._ends)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Decision]:
        return (unpack(packed) for here in self._places.values() for packed in every(here))

    def get(self, name: str) -> Decision | None:
        place = self._where(name)
        return None if place is None else self._find(place, name)

    def put(self, decision: Decision) -> bool:
        """Take a decision in; whether it was taken."""
        return not self.admit(decision)

    def admit(self, decision: Decision) -> Refusal:
        """Take a decision in; why it was not taken, if so. "older" is no offence: a newer one is
        here under its id."""
        name = decision.id
        try:
            place, refusal = self._place_of(decision)
        except ValueError:
            return "target"
        here = self._places.get(place)
        odd = name != decision_id(decision.target, decision.action)
        before = None
        if here is not None or odd:
            before = self.get(name) if odd else self._find(place, name)
        if before is not None and _age(decision) < _age(before):
            return "older"
        if refusal:
            return refusal
        if before is not None:
            self.remove(name)
            here = self._places.get(place)
        elif self._count >= self._limit:
            if not self._make_room(decision):
                return "full"
            here = self._places.get(place)
        if odd:
            self._named[name] = place
        packed = pack(decision)
        self._count += 1
        if here is None:
            self._places[place] = packed
            if type(place) is int:
                self._count_length(place, 1)
        else:
            self._places[place] = (*every(here), packed)
        self._leases.add(decision.until, place)
        if len(self._leases) > 2 * self._count + 1024:
            self._forget_replaced()
        return ""

    def remove(self, name: str) -> bool:
        """Take a decision out; whether it was here."""
        place = self._where(name)
        if place is None or self._find(place, name) is None:
            return False
        self._named.pop(name, None)
        self._count -= 1
        here = tuple(one for one in every(self._places[place]) if unpack(one).id != name)
        if here:
            self._places[place] = here[0] if len(here) == 1 else here
        else:
            del self._places[place]
            if type(place) is int:
                self._count_length(place, -1)
        return True

    def expire(self, now: float) -> list[Decision]:
        """Take out, and return, the leases that have ended."""
        ended = []
        for place in self._leases.due(now):
            for decision in map(unpack, every(self._places.get(place, ()))):
                if decision.until <= now:
                    self.remove(decision.id)
                    ended.append(decision)
        return ended

    def next_expiry(self) -> float:
        """When the next lease ends, in Unix seconds; infinity where there is none."""
        return self._leases.first()

    def in_force(self, now: float) -> Packed:
        """The decisions that hold at `now`, the ruling ones first; those that another rules out
        everywhere are left out."""
        alike: dict[_Rank, list[_Row]] = {}
        for place, here in self._places.items():
            for packed in every(here):
                one = unpack(packed)
                if one.until > now:
                    rank = _rank(one, place)
                    rows = alike.get(rank)
                    if rows is None:
                        rows = alike[rank] = []
                    rows.append((one.id, place, one.domain, packed))
        seen: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}  # prefixes, by version and length
        named: set[Place] = set()
        found = []
        for rank in sorted(alike):
            rows = alike[rank]
            rows.sort(key=_first)
            for _, place, domain, packed in rows:
                if type(place) is int:
                    version, length, prefix = _parts(place)
                    around = seen[version]
                    if _covered(prefix, length, around):
                        continue
                    if not domain:
                        around.setdefault(length, set()).add(prefix)
                elif place in named:
                    continue
                elif not domain:
                    named.add(place)
                found.append(packed)
        return Packed(found)

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
        for mailbox in mailboxes:
            places.append(f"address:{mailbox}")
        for domain in domains:
            places.append(f"domain:{domain}")
        if not any(map(self._places.get, places)):  # most that are asked about are in none
            return None
        found: list[tuple[Decision, Place]] = []
        for place in places:
            here = self._places.get(place)
            if here is not None:
                found += [
                    (decision, place)
                    for decision in map(unpack, every(here))
                    if decision.until > now and decision.domain in ("", ours)
                ]
        if not found:
            return None
        ruling = found[0][0]
        if len(found) > 1:
            ruling = min(found, key=lambda one: (_rank(*one), one[0].id))[0]
        return None if ruling.origin == "pardon" else ruling

    # -- as a whole -------------------------------------------------------------------------

    def image(self, made: Mapping[str, Decision]) -> Image:
        """All that is here, with these decisions, by id, in the place of what they count as."""
        held = dict(self._places) if made else self._places
        for name, decision in made.items():
            place = self._where(name)
            if place is not None and place in held:
                rows = (pack(decision) if unpack(o).id == name else o for o in every(held[place]))
                held[place] = tuple(rows)
        return images.draw(self._rules(), held, self._leases.pages(), self._named)

    def adopt(self, image: Image) -> bool:
        """Take in all of an image at once, in the place of what is here; False, and nothing is
        done, where other rules hold here than where it was made. Raises ValueError where it
        contradicts itself."""
        if image.rules != self._rules():
            return False
        places = images.places(image)
        try:
            held = dict(zip(places, image.held, strict=True))
            named = {name: places[number] for name, number in image.named.items()}
            pages = [
                (start, [places[number] for number in array("I", numbers)])
                for start, numbers in image.pages
            ]
        except IndexError as error:
            raise ValueError("a place that is not there") from error
        self._places, self._named = held, named
        self._count = sum(1 if type(here) is bytes else len(here) for here in held.values())
        self._lengths = Counter(place & 0x1FF for place in held if type(place) is int)
        self._cut()
        self._leases = Leases(self._ends)
        for start, there in pages:
            self._leases.add_page(start, there)
        return True

    def _rules(self) -> bytes:
        """A fingerprint of all that `admit` objects to."""
        rules = (sorted(self._spared), self._widest, SHORTEST, self._limit, sorted(self._domains))
        return hashlib.sha256(repr(rules).encode()).digest()

    # -- what is behind it ------------------------------------------------------------------

    def _where(self, name: str) -> Place | None:
        return self._named[name] if name in self._named else _place(name)

    def _find(self, place: Place, name: str) -> Decision | None:
        """The decision of this id among those about one target."""
        for packed in every(self._places.get(place, ())):
            decision = unpack(packed)
            if decision.id == name:
                return decision
        return None

    def _ends(self, place: Place) -> list[float]:
        return [unpack(packed).until for packed in every(self._places.get(place, ()))]

    def _forget_replaced(self) -> None:
        self._leases = Leases(self._ends)
        for place in self._places:
            for until in self._ends(place):
                self._leases.add(until, place)

    def _count_length(self, place: int, change: int) -> None:
        """One place more or less of this prefix length."""
        length = place & 0x1FF
        count = self._lengths.get(length, 0) + change
        self._lengths[length] = count
        if (change, count) in ((1, 1), (-1, 0)):  # the first one came, or the last one went
            self._cut()

    def _cut(self) -> None:
        known = [one for one, many in self._lengths.items() if many]
        self._cuts = {
            version: tuple((bits - _parts(one)[1], one) for one in known if one & 1 == six)
            for version, bits, six in ((4, 32, 0), (6, 128, 1))
        }

    def _about(self, address: str, account: str) -> list[Place]:
        places: list[Place] = []
        if address:
            places += self._around(address)
        if account:
            places.append(f"account:{account}")
        if address and account:
            places.append(f"client_account:{net.client(address)} {account}")
        return places

    def _around(self, address: str) -> list[int]:
        version, _, value = net.number(address)
        return [value >> away << 9 | end for away, end in self._cuts[version]]

    def _place_of(self, decision: Decision) -> tuple[Place, Refusal]:
        """Where a decision is found, or what speaks against its target. Raises ValueError where
        it is none."""
        target = decision.target
        kind, value = target.kind, target.value
        if kind == "network":
            prefix = net.prefix(value)
            return _numbered(*prefix), self._objection(decision, *prefix)
        place = f"{kind}:{value}"
        if kind == "client_account":
            client, _, account = value.partition(" ")
            if not account:
                raise ValueError("a client and an account, with a space between them")
            return place, self._objection(decision, *net.prefix(client))
        if kind == "address" and self._must_take_mail(value):
            return place, "mailbox"
        if kind == "domain" and value in self._domains:
            return place, "domain"
        return place, ""

    def _objection(self, decision: Decision, version: int, length: int, value: int) -> Refusal:
        """What speaks against a decision about this network."""
        shortest = self._widest if decision.origin == "automatic" else SHORTEST
        if length < shortest[version]:
            return "wide"
        if decision.origin != "pardon" and self._spared.meet(version, length, value):
            return "spared"
        return ""

    def _must_take_mail(self, mailbox: str) -> bool:
        name, _, domain = mailbox.rpartition("@")
        return name in ALWAYS and domain in self._domains

    def _make_room(self, coming: Decision) -> bool:
        """For a person's decision, at the cost of the machine's; whether there is any."""
        if coming.origin == "automatic":
            return False
        mildest = min(self, key=lambda d: (d.origin != "automatic", d.until, d.id))
        if mildest.origin != "automatic":
            return False
        self.remove(mildest.id)
        self.evicted += 1
        return True


def _age(decision: Decision) -> tuple[int, float]:
    return decision.generation, decision.since


def _rank(decision: Decision, place: Place) -> _Rank:
    """Sorts what rules first; of what is alike, the id decides. The number says: only observed;
    the machine's; then a person's by the length of the prefix (the longest first), the machine's
    by severity and that length (the shortest first)."""
    bits = place >> 1 & 0xFF if type(place) is int else 0
    severity = len(ACTIONS) - SEVERITY[decision.action]
    order = 0 if decision.enforced else 1 << 24
    if decision.origin == "automatic":
        order += 1 << 20 | severity << 8 | bits
        return order, -decision.generation, 0
    return order + 128 - bits, -decision.since, severity


def _covered(prefix: int, length: int, seen: dict[int, set[int]]) -> bool:
    """Whether a network lies in one of those seen, of its version."""
    for wider, prefixes in seen.items():
        if wider <= length and prefix >> (length - wider) in prefixes:
            return True
    return False


def _numbered(version: int, length: int, prefix: int) -> int:
    """A network as one number: the prefix, its length in eight bits, and the version in one."""
    return prefix << 9 | length << 1 | (version == 6)


def _parts(place: int) -> tuple[int, int, int]:
    """Version, length and prefix of a network that is one number."""
    return 6 if place & 1 else 4, place >> 1 & 0xFF, place >> 9


def _place(name: str) -> Place | None:
    """Where the decision of this id is found, if the id is what `decision_id` makes."""
    place = name.rpartition(":")[0]
    kind, _, value = place.partition(":")
    if kind != "network":
        return place
    try:
        return _numbered(*net.prefix(value))
    except ValueError:
        return None
