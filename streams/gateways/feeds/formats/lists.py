"""One value a line: what firewalls (external dynamic lists), rspamd's maps and HAProxy's acl
files read."""

from collections.abc import Iterator, Sequence

from streams.gateways.feeds.item import Item
from streams.pieces import addresses
from streams.prefixes import address

SPELLED = 200_000  # addresses that networks may amount to; networks beyond it are left out
WIDEST = 24  # prefix length of the widest network that is spelled as addresses


def cidr(items: Sequence[Item]) -> Iterator[str]:
    """Networks, single addresses with their prefix length."""
    return (f"{address(item.prefix)}/{item.prefix[2]}\n" for item in items if item.prefix)


def ip(items: Sequence[Item]) -> Iterator[str]:
    """IPv4 addresses, networks spelled as theirs."""
    room = SPELLED
    for item in items:
        if item.prefix is None or item.prefix[0] != 4:
            continue
        length = item.prefix[2]
        size = 1 << (32 - length)
        if size == 1:
            yield f"{item.value}\n"
        elif length >= WIDEST and size <= room:
            room -= size
            yield from (f"{one}\n" for one in addresses(item.prefix))


def ip6(items: Sequence[Item]) -> Iterator[str]:
    """IPv6 addresses and networks."""
    return (f"{item.value}\n" for item in items if item.prefix and item.prefix[0] == 6)


def plain(items: Sequence[Item]) -> Iterator[str]:
    """Values as they are."""
    return (f"{item.value}\n" for item in items if _is_one_word(item.value))


def _is_one_word(value: str) -> bool:
    """Whether it is a line of its own wherever it is read; attackers choose names."""
    return value.isprintable() and " " not in value and value[:1] not in "#;!"
