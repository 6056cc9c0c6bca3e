"""**Blocks**: the decisions in force, looked for and counted."""

from typing import Literal

from msgspec import Struct

from agents.console.desk import Desk
from agents.console.shelf import Wanted
from agents.console.views.decided import Decided, of_target, shown
from agents.console.views.fields import Limit, Offset, Short
from agents.operator import orders
from agents.operator.orders import OrderError
from schemas import net
from schemas.findings import Action, Decision, TargetKind


class BlocksWanted(Struct, frozen=True, kw_only=True):
    """Which decisions are looked for."""

    text: Short = (
        ""  # part of the target, the reason or the detector; an address: what holds for it
    )
    kind: Literal["", TargetKind] = ""
    action: Literal["", Action] = ""
    origin: Literal["", "automatic", "manual", "pardon"] = ""
    standing: Literal["", "enforced", "observed", "waits", "pardon"] = ""
    limit: Limit = 50
    offset: Offset = 0


class BlocksView(Struct, frozen=True, kw_only=True):
    decisions: list[Decided]  # the newest first
    count: int  # of all that were looked for
    lifted: bool  # the kill switch is pulled
    complete: bool


def blocks(desk: Desk, wanted: BlocksWanted) -> BlocksView:
    around = _around(desk, wanted)
    if around is not None:
        found = shown(desk, around)
        return BlocksView(
            decisions=found[wanted.offset : wanted.offset + wanted.limit],
            count=len(found),
            lifted=desk.lifted(),
            complete=desk.around.complete,
        )
    sought = Wanted(
        text=wanted.text.strip(),
        kind=wanted.kind,
        action=wanted.action,
        origin=wanted.origin,
        standing=wanted.standing,
    )
    decisions, count = desk.shelf.decisions(desk.clock(), sought, wanted.limit, wanted.offset)
    return BlocksView(
        decisions=shown(desk, decisions),
        count=count,
        lifted=desk.lifted(),
        complete=desk.around.complete,
    )


def _around(desk: Desk, wanted: BlocksWanted) -> list[Decision] | None:
    """What holds for an address or a network, where that alone is looked for."""
    only = BlocksWanted(text=wanted.text, limit=wanted.limit, offset=wanted.offset) == wanted
    text = wanted.text.strip()
    if not only or not (net.address(text) or "/" in text):
        return None
    try:
        target = orders.target(text, desk.config)
    except OrderError:
        return None
    found = of_target(desk, target.kind, target.value) if target.kind == "network" else []
    return found or None
