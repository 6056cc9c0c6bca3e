"""Everything that can be asked and ordered, one row each: the API is registered from this table,
its OpenAPI document is made from it, and the forms of the pages send to it."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, get_type_hints

from msgspec import Struct, structs

from agents.console import acts
from agents.console.acts import Act, Done
from agents.console.desk import Desk
from agents.console.views.backtest import backtest
from agents.console.views.blocks import blocks
from agents.console.views.briefs import listed
from agents.console.views.health import health
from agents.console.views.incident import incident
from agents.console.views.now import now
from agents.console.views.rules import rules
from agents.console.views.subject import subject
from agents.console.views.trail import trail
from agents.operator.blocking import Who
from agents.operator.ledger import Ledger
from schemas.settings import Role

BASE = "/api/v1"

View = Callable[[Desk, Any], Any]
Order = Callable[[Desk, Ledger, Who, Any], Act]


class Operation(Struct, frozen=True, kw_only=True):
    """A row. What is `given` comes from the path, and beside that from the query of a GET or the
    body of a POST."""

    name: str
    method: Literal["GET", "POST"]
    path: str  # below BASE
    role: Role  # that is needed at least
    summary: str
    given: type[Struct]
    answer: type[Struct]
    view: View | None = None
    order: Order | None = None

    @property
    def in_path(self) -> list[str]:
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @property
    def fields(self) -> Iterator[structs.FieldInfo]:
        """What is given beside the path."""
        return (one for one in structs.fields(self.given) if one.name not in self.in_path)


def _view(name: str, path: str, view: View, role: Role = "viewer") -> Operation:
    hints = get_type_hints(view)
    given = next(kind for hint, kind in hints.items() if hint not in ("desk", "return"))
    return Operation(
        name=name,
        method="GET",
        path=path,
        role=role,
        summary=SUMMARIES[name],
        given=given,
        answer=hints["return"],
        view=view,
    )


def _order(name: str, path: str, order: Order, role: Role) -> Operation:
    hints = get_type_hints(order)
    return Operation(
        name=name,
        method="POST",
        path=path,
        role=role,
        summary=SUMMARIES[name],
        given=hints["given"],
        answer=Done,
        order=order,
    )


SUMMARIES = {
    "now": "What is going on, is it bad, what was done, what is held back and why",
    "incidents": "Incidents, the newest first",
    "incident": "One incident: story, timeline, counts beside thresholds, what can be done",
    "subject": "All that is known of an address, a network or an account; why blocked or not",
    "blocks": "The decisions in force",
    "rules": "Each detector: settings, stage, what it found, what was a false positive",
    "backtest": "What another value of a detector's setting would have kept silent in 7 days",
    "health": "Does the program itself work",
    "trail": "Who changed what, and why",
    "acknowledge": "Take an incident on",
    "close": "End an incident; it opens again where it goes on",
    "false_positive": "End an incident in which nobody did anything wrong",
    "note": "Write down what colleagues should know of an incident",
    "tick": "Say that a step of the playbook of an account in other hands is done, or not",
    "assign": "Hand an incident to somebody, or to nobody",
    "block": "Decide against an address, a network, a login or a domain",
    "unblock": "Lift what holds against somebody; the machine's word is pardoned",
    "pardon": "Spare somebody for a while, whatever is found",
    "approve": "Agree to a decision that waits for another person",
    "panic": "Lift everything that is enforced, until `resume`",
    "resume": "Enforce again what is in force",
}

OPERATIONS: tuple[Operation, ...] = (
    _view("now", "/now", now),
    _view("incidents", "/incidents", listed),
    _view("incident", "/incidents/{id}", incident),
    _view("subject", "/subject", subject),
    _view("blocks", "/blocks", blocks),
    _view("rules", "/rules", rules),
    _view("backtest", "/rules/{name}/backtest", backtest),
    _view("health", "/health", health),
    _view("trail", "/trail", trail),
    _order("acknowledge", "/incidents/{id}/acknowledge", acts.acknowledge, "analyst"),
    _order("close", "/incidents/{id}/close", acts.close, "analyst"),
    _order("false_positive", "/incidents/{id}/false-positive", acts.false_positive, "analyst"),
    _order("note", "/incidents/{id}/note", acts.note, "analyst"),
    _order("tick", "/incidents/{id}/tick", acts.tick, "analyst"),
    _order("assign", "/incidents/{id}/assign", acts.assign, "analyst"),
    _order("block", "/blocks", acts.block, "analyst"),
    _order("unblock", "/blocks/remove", acts.unblock, "analyst"),
    _order("pardon", "/blocks/pardon", acts.pardon, "analyst"),
    _order("approve", "/blocks/approve", acts.approve, "analyst"),
    _order("panic", "/panic", acts.panic, "analyst"),
    _order("resume", "/resume", acts.resume, "admin"),
)

BY_NAME = {one.name: one for one in OPERATIONS}
