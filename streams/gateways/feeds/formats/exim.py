"""A file for Exim's iplsearch (and net-iplsearch): a key, a colon, data. IPv6 keys are quoted for
their colons (The Exim Specification, 9.3)."""

from collections.abc import Iterator, Sequence

from streams.gateways.feeds.item import Item
from streams.targets import reference


def exim(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        key = f'"{item.value}"' if ":" in item.value else item.value
        yield f"{key}: {item.decision.action} {reference(item.decision)}\n"
