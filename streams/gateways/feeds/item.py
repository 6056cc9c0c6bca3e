"""What a list holds, and which decisions it takes.

A list knows no order: what a decision further up exempts is left out of it (streams/pieces.py),
whatever the list is filtered by.
"""

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from schemas.findings import SEVERITIES, Decision
from streams.pieces import pieces
from streams.prefixes import Prefix, write

if TYPE_CHECKING:
    from streams.gateways.feeds.settings import ListSettings

Kind = Literal["network", "account", "address", "domain"]


class Item(Struct, frozen=True):
    """A value with the decision that rules it: a network in canonical text, else the target."""

    value: str
    decision: Decision
    prefix: Prefix | None = None  # of a network


def items(decisions: Iterable[Decision], chosen: "ListSettings") -> list[Item]:
    """What is listed, sorted by value, of all decisions in force, the ruling ones first."""
    counted = (one for one in decisions if exempts(one, chosen) or passes(one, chosen))
    if chosen.kind == "network":
        found = sorted(pieces(counted, chosen.domain), key=itemgetter(0))
        return [Item(write(p), one, p) for p, one in found if not exempts(one, chosen)]
    return sorted(_named(counted, chosen), key=lambda item: item.value)


def passes(decision: Decision, chosen: "ListSettings") -> bool:
    """Whether a decision is one of those that the list is about."""
    if decision.target.kind != chosen.kind or exempts(decision, chosen):
        return False
    if decision.origin not in chosen.origins:
        return False
    if decision.origin == "manual":
        return True
    grave = SEVERITIES.index(decision.severity or "info") >= SEVERITIES.index(chosen.severity)
    return grave and (not chosen.detectors or decision.detector in chosen.detectors)


def exempts(decision: Decision, chosen: "ListSettings") -> bool:
    """Whether a decision keeps its target off the list."""
    return decision.origin == "pardon" or decision.action not in chosen.actions


def _named(decisions: Iterable[Decision], chosen: "ListSettings") -> Iterator[Item]:
    seen = set()
    for decision in decisions:
        value = decision.target.value
        if decision.target.kind != chosen.kind or decision.domain not in ("", chosen.domain):
            continue
        if value not in seen:
            seen.add(value)
            if not exempts(decision, chosen):
                yield Item(value, decision)
