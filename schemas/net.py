"""Addresses and networks, as text that has one spelling.

An IPv4-mapped IPv6 address is the IPv4 address (``::ffff:192.0.2.1`` is ``192.0.2.1``); a zone
(``%eth0``) is cut off. A *client* is an IPv4 address or an IPv6 /64, for one host commands a
whole /64; its *network* is the /24 or /48 around it.
"""

import ipaddress
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_DOTTED = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}").fullmatch
_LENGTH = re.compile("3[0-2]|[12]?[0-9]").fullmatch

_OCTETS = {str(octet): octet for octet in range(256)}

CLIENT_BITS = {4: 32, 6: 64}
NETWORK_BITS = {4: 24, 6: 48}


@lru_cache(maxsize=65536)
def address(text: str) -> str:
    """The canonical text of an IP address; ``""`` where `text` is none."""
    if _DOTTED(text):
        return text
    text = text.strip().strip("[]")
    if text[:5].lower() == "ipv6:":  # RFC 5321, 4.1.3
        text = text[5:]
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)


@lru_cache(maxsize=65536)
def client(text: str) -> str:
    """The one host behind a canonical address: itself, or its /64 as ``2001:db8::/64``."""
    return _around(text, CLIENT_BITS) if ":" in text else text


@lru_cache(maxsize=65536)
def network(text: str) -> str:
    """The /24 or /48 around a canonical address or client.

    An IPv4 network is cut out of the text: a flood of new addresses costs a third of the time.
    """
    return _around(text, NETWORK_BITS) if ":" in text else f"{_first(text, 3)}.0/24"


@lru_cache(maxsize=65536)
def wide(text: str) -> str:
    """The /16 or /32 around it: what stands in for the provider where no ASN is known."""
    return _around(text, {4: 16, 6: 32}) if ":" in text else f"{_first(text, 2)}.0.0/16"


def _first(text: str, octets: int) -> str:
    if not _DOTTED(text):
        raise ValueError(f"{text!r} is not a canonical IPv4 address")
    return ".".join(text.split(".")[:octets])


def _around(text: str, bits: dict[int, int]) -> str:
    ip = ipaddress.ip_address(text.partition("/")[0])
    return str(ipaddress.ip_network((ip, bits[ip.version]), strict=False))


@lru_cache(maxsize=16384)
def parse_network(text: str) -> Network:
    """A network from ``192.0.2.1`` or ``192.0.2.0/24``; host bits are dropped.

    Raises ValueError where it is neither.
    """
    found = ipaddress.ip_network(text.strip(), strict=False)
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= 96:
        mapped = found.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.ip_network((mapped, found.prefixlen - 96))
    return found


def _ipv4(text: str) -> int | None:
    """The value of an IPv4 address in its one spelling; None where it is none."""
    try:
        a, b, c, d = text.split(".")
        return _OCTETS[a] << 24 | _OCTETS[b] << 16 | _OCTETS[c] << 8 | _OCTETS[d]
    except (ValueError, KeyError):
        return None


def number(text: str) -> tuple[int, int, int]:
    """IP version, bits and value of an address. Of an IPv4 address it is read out of the text,
    which takes a tenth of the time. Raises ValueError where it is none."""
    value = _ipv4(text)
    if value is not None:
        return 4, 32, value
    found = parse_network(text)
    return found.version, found.max_prefixlen, int(found.network_address)


def prefix(text: str) -> tuple[int, int, int]:
    """IP version, prefix length, and the prefix as a number of so many bits, of an address or a
    network. Raises ValueError where it is neither."""
    address, slash, length = text.partition("/")
    value = _ipv4(address)
    if value is not None:
        if not slash:
            return 4, 32, value
        if _LENGTH(length):
            bits = int(length)
            return 4, bits, value >> (32 - bits)
    found = parse_network(text)
    bits = found.prefixlen
    return found.version, bits, int(found.network_address) >> (found.max_prefixlen - bits)


class Networks:
    """A set of networks that is asked for one address at a time.

    A lookup is a binary search, of 3 us among a million of them (load/bench_lookup.py).
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._by_length: dict[tuple[int, int], set[int]] = {}
        # The same merged, by version. Numbers that lie side by side are found sooner.
        self._spans: dict[int, tuple[Sequence[int], Sequence[int]]] = {}
        self._texts: list[str] = []
        self._known: dict[str, bool] = {}
        for text in networks:
            self.add(text)

    def add(self, text: str) -> None:
        found = parse_network(text)
        key = (found.version, found.max_prefixlen - found.prefixlen)
        if key not in self._by_length:
            self._by_length[key] = set()
        self._by_length[key].add(int(found.network_address) >> key[1])
        self._texts.append(str(found))
        self._known.clear()
        self._spans.clear()

    def __contains__(self, text: str) -> bool:
        """Whether an address or a network lies wholly within one of ours."""
        answer = self._known.get(text)
        if answer is None:
            if len(self._known) >= 65536:
                self._known.clear()
            answer = self._known[text] = self._look(text)
        return answer

    def _look(self, text: str) -> bool:
        known = _ipv4(text)
        if known is not None:
            return self._covers(4, known)
        try:
            asked = parse_network(text)
        except ValueError:
            return False
        version, host_bits = asked.version, asked.max_prefixlen - asked.prefixlen
        value = int(asked.network_address)
        if not host_bits:
            return self._covers(version, value)
        return any(
            version == ours and shift >= host_bits and (value >> shift) in values
            for (ours, shift), values in self._by_length.items()
        )

    def _covers(self, version: int, address: int) -> bool:
        starts, ends = self._spans.get(version) or self._merged(version)
        place = bisect_right(starts, address) - 1
        return place >= 0 and ends[place] >= address

    def overlapping(self, text: str) -> bool:
        """Whether a network shares any address with one of ours."""
        return self.meet(*prefix(text))

    def meet(self, version: int, length: int, value: int) -> bool:
        """The same for a network as `prefix` gives it."""
        host_bits = (32 if version == 4 else 128) - length
        starts, ends = self._spans.get(version) or self._merged(version)
        first = value << host_bits
        place = bisect_right(starts, first + (1 << host_bits) - 1) - 1
        return place >= 0 and ends[place] >= first

    def _merged(self, version: int) -> tuple[Sequence[int], Sequence[int]]:
        """First and last addresses of what they cover together, in order."""
        starts: list[int] = []
        ends: list[int] = []
        for first, last in sorted(
            (value << shift, (value + 1 << shift) - 1)
            for (ours, shift), values in self._by_length.items()
            if ours == version
            for value in values
        ):
            if not ends or last > ends[-1]:
                if ends and first <= ends[-1]:
                    ends[-1] = last
                else:
                    starts.append(first)
                    ends.append(last)
        spans = (array("I", starts), array("I", ends)) if version == 4 else (starts, ends)
        self._spans[version] = spans
        return spans

    def __bool__(self) -> bool:
        return bool(self._texts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)


LOOPBACK = ("127.0.0.0/8", "::1/128")

PRIVATE = (
    *LOOPBACK,
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
)
"""Loopback, RFC 1918, RFC 4193 and link-local: nobody on the Internet can come from there."""
