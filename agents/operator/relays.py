"""How the gateways of a site do, by what they said last."""

from typing import Literal

from msgspec import Struct

from schemas.gateways import GatewayState

Condition = Literal["ok", "lifted", "reads", "behind", "failing", "gone"]


class Row(Struct, frozen=True):
    """A gateway as it is listed: what it said, and what follows from that."""

    gateway: str
    standing: Condition
    behind: int  # messages of decisions that the best of all gateways has applied, and it has not
    seen: float  # seconds ago
    state: GatewayState


def rows(states: list[GatewayState], overdue: float, now: float) -> list[Row]:
    """`overdue` is how many seconds a gateway may be silent or not have applied all."""
    best = max((state.generation for state in states), default=0)
    found = []
    for state in states:
        seen = max(0.0, now - state.at)
        if seen > overdue:
            standing: Condition = "gone"
        elif state.lifted:
            standing = "lifted"
        elif state.troubles:
            standing = "failing"
        elif not state.complete:
            standing = "reads"
        elif state.at - state.applied_at > overdue:
            standing = "behind"
        else:
            standing = "ok"
        found.append(Row(state.gateway, standing, best - state.generation, seen, state))
    return found


def programs(state: GatewayState) -> list[str]:
    """What it enforces by."""
    return [*state.programs, *(["(canary)"] if state.canary else [])]


def wrong(state: GatewayState) -> list[str]:
    """What is not as it should be, in words."""
    troubles = [f"{program}: {why}" for program, why in state.troubles.items()]
    return troubles + [f"refused {count} ({why})" for why, count in state.refused.items()]
