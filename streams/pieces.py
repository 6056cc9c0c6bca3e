"""Which decision rules which network, for programs whose lists know no order.

In a block list the first decision about a client rules it (streams/blocklist.py). A plain list has
no order: whoever is on it is blocked. So networks that lie in others are cut out of them, and what
a pardon or a milder action exempts is a piece of its own, to be left out.
"""

from collections.abc import Iterable, Iterator

from schemas.findings import Decision
from streams.prefixes import BITS, Prefix, disjoint, parse, write


def pieces(decisions: Iterable[Decision], domain: str = "") -> Iterator[tuple[Prefix, Decision]]:
    """Networks that share no address, each with its decision; in no order.

    `decisions` are those in force, the ruling ones first. Those for one domain's mail count only
    where that is `domain`; targets that are no networks are passed over.
    """
    rows: dict[Prefix, Decision] = {}
    for decision in decisions:
        if decision.target.kind == "network" and decision.domain in ("", domain):
            try:
                rows.setdefault(parse(decision.target.value), decision)
            except ValueError:
                continue
    crowded = _crowded(rows)
    yield from (row for row in rows.items() if row[0] not in crowded)
    yield from disjoint(row for row in rows.items() if row[0] in crowded)


def addresses(prefix: Prefix) -> Iterator[str]:
    """Each address of a network."""
    version, first, length = prefix
    most = BITS[version]
    return (write((version, first + n, most)) for n in range(1 << (most - length)))


def _crowded(prefixes: Iterable[Prefix]) -> set[Prefix]:
    """Those that lie in another, or have another in them. Few do, and cutting takes time."""
    wide: dict[tuple[int, int], set[int]] = {}
    for version, first, length in prefixes:
        if length < BITS[version]:
            wide.setdefault((version, length), set()).add(first)
    found: set[Prefix] = set()
    for prefix in prefixes:
        version, first, length = prefix
        for (theirs, shorter), firsts in wide.items():
            if theirs == version and shorter < length:
                shift = BITS[version] - shorter
                around = first >> shift << shift
                if around in firsts:
                    found.update((prefix, (version, around, shorter)))
    return found
