"""Networks in numbers, by the hundred thousand; and overlapping ones made into ones that share no
address.

Decisions are ruled by the first of a list that holds an address. Sets of a firewall and maps
know no order, so the list is cut up: each piece keeps what the first decision about it says.
"""

from collections.abc import Iterable, Iterator
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Generic, TypeVar

Prefix = tuple[int, int, int]
"""A network: IP version, first address, prefix length."""

BITS = {4: 32, 6: 128}

_FAMILY = {4: AF_INET, 6: AF_INET6}
_MAPPED = 0xFFFF  # what an IPv4 address in IPv6 begins with (RFC 4291, 2.5.5.2)

T = TypeVar("T")


def parse(text: str) -> Prefix:
    """The network of ``192.0.2.1`` or ``192.0.2.0/24``, as schemas.net.parse_network reads it:
    host bits are dropped, what is IPv4 in IPv6 is IPv4. Raises ValueError where it is neither.
    """
    address, slash, bits = text.partition("/")
    version = 6 if ":" in address else 4
    try:
        first = int.from_bytes(inet_pton(_FAMILY[version], address))
    except (OSError, ValueError) as error:
        raise ValueError(f"{text!r} is no network") from error
    length = BITS[version]
    if slash:
        if not (bits.isascii() and bits.isdigit() and len(bits) < 4 and int(bits) <= length):
            raise ValueError(f"{text!r} is no network")
        length = int(bits)
    if version == 6 and length >= 96 and first >> 32 == _MAPPED:
        version, first, length = 4, first & 0xFFFFFFFF, length - 96
    host = BITS[version] - length
    return version, first >> host << host, length


def write(prefix: Prefix) -> str:
    """The canonical text: ``192.0.2.0/24``; a single address without a length."""
    version, _, length = prefix
    text = address(prefix)
    return text if length == BITS[version] else f"{text}/{length}"


def address(prefix: Prefix) -> str:
    """Its first address."""
    version, first, _ = prefix
    return inet_ntop(_FAMILY[version], first.to_bytes(BITS[version] // 8))


def disjoint(rows: Iterable[tuple[Prefix, T]]) -> Iterator[tuple[Prefix, T]]:
    """The same as `rows` where the first row that holds an address rules it, in an order of its
    own. A hole in a wider network costs at most one piece for each bit between the two."""
    ranked: dict[Prefix, tuple[int, T]] = {}
    for rank, (prefix, value) in enumerate(rows):
        ranked.setdefault(prefix, (rank, value))
    around: list[_Open[T]] = []  # each within the one before
    for prefix in sorted(ranked):
        rank, value = ranked[prefix]
        version, first, _ = prefix
        while around and not around[-1].holds(version, first):
            yield from around.pop().rest()
        if around:
            if around[-1].rank < rank:
                continue
            yield from around[-1].cut(prefix)
        around.append(_Open(prefix, rank, value))
    while around:
        yield from around.pop().rest()


class _Open(Generic[T]):
    """A network that the sweep is in, and how far it is told."""

    __slots__ = ("_end", "_next", "_prefix", "_value", "rank")

    def __init__(self, prefix: Prefix, rank: int, value: T) -> None:
        self.rank = rank
        self._prefix = prefix
        self._value = value
        self._next = prefix[1]
        self._end = _end(prefix)

    def holds(self, version: int, address: int) -> bool:
        return version == self._prefix[0] and address < self._end

    def cut(self, hole: Prefix) -> Iterator[tuple[Prefix, T]]:
        """What lies before a narrower network; it goes on behind that."""
        yield from self._up_to(hole[1])
        self._next = _end(hole)

    def rest(self) -> Iterable[tuple[Prefix, T]]:
        if self._next == self._prefix[1]:
            return ((self._prefix, self._value),)
        return self._up_to(self._end)

    def _up_to(self, end: int) -> Iterator[tuple[Prefix, T]]:
        """The largest prefixes that make up what is left before `end`."""
        version = self._prefix[0]
        bits = BITS[version]
        while self._next < end:
            size = self._next & -self._next or 1 << bits
            while self._next + size > end:
                size >>= 1
            yield (version, self._next, bits - size.bit_length() + 1), self._value
            self._next += size


def _end(prefix: Prefix) -> int:
    version, first, length = prefix
    return first + (1 << (BITS[version] - length))
