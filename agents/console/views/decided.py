"""Decisions as they are shown: what comes of each here, and why."""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network

from msgspec import Struct

from agents.console.desk import Desk
from agents.console.shelf import Standing, standing
from agents.operator.effect import Effect, effect, ruling
from schemas import net
from schemas.findings import Action, Decision, TargetKind
from streams.blocklist import SHORTEST


class Decided(Struct, frozen=True, kw_only=True):
    """A decision in force."""

    id: str
    kind: TargetKind
    value: str
    action: Action
    origin: str  # automatic, manual, pardon
    standing: Standing
    effect: Effect  # what comes of it here
    reason: str
    detector: str
    alert: str
    since: float  # Unix seconds
    until: float
    needs: int
    approvals: tuple[str, ...]


def shown(desk: Desk, decisions: Sequence[Decision]) -> list[Decided]:
    """In their order. Whether another outranks one is asked of those about the same target and
    the networks around it."""
    now = desk.clock()
    wanted = [place for one in decisions for place in places(one.target.kind, one.target.value)]
    known = {one.id: one for one in (*desk.shelf.about(now, wanted), *decisions)}
    rules = {one.id for one in ruling(known.values(), desk.config, now)}
    return [
        Decided(
            id=one.id,
            kind=one.target.kind,
            value=one.target.value,
            action=one.action,
            origin=one.origin,
            standing=standing(one),
            effect=_effect(desk, one, one.id in rules),
            reason=one.reason,
            detector=one.detector,
            alert=one.alert,
            since=one.since,
            until=one.until,
            needs=one.needs,
            approvals=one.approvals,
        )
        for one in decisions
    ]


def _effect(desk: Desk, one: Decision, rules: bool) -> Effect:
    found = effect(one, desk.config, ruling=rules, kafka=desk.kafka)
    return "lifted" if found in ("enforced", "asked_for") and desk.lifted() else found


def places(kind: str, value: str) -> Iterator[tuple[str, str]]:
    """The targets of decisions that may hold for one: itself, and the networks around it."""
    yield kind, value
    if kind != "network":
        return
    try:
        found = net.parse_network(value)
    except ValueError:
        return
    for length in range(found.prefixlen - 1, SHORTEST[found.version] - 1, -1):
        yield "network", str(ip_network((found.network_address, length), strict=False))


def of_target(desk: Desk, kind: str, value: str) -> list[Decision]:
    """Those in force that may hold for a target, the newest first."""
    found = desk.shelf.about(desk.clock(), places(kind, value))
    return sorted(found, key=lambda one: (-one.since, one.id))


def targets(decisions: Iterable[Decision]) -> set[tuple[str, str]]:
    return {(one.target.kind, one.target.value) for one in decisions}
