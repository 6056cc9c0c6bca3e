"""Who changed what is decided, when and why: one entry for each change, never altered."""

from typing import Literal

from msgspec import Struct

from schemas.events import Change
from schemas.findings import Decision

What = Literal[
    "decided",  # by a detector and response
    "added",
    "pardoned",
    "removed",
    "approved",
    "asked",  # a block list, to take a gateway of ours off
    "panic",
    "resumed",
    "done",  # a step of a gateway that changes something for a person
    "undone",
    "acknowledged",  # an incident, and so on
    "closed",
    "false_positive",
    "noted",
    "assigned",
    "ticked",
    "unticked",
    "changed",  # an account that something was found about, by whoever: a log tells of it
]

MACHINE = "mailwarden"
"""Who decides where no person did."""


class Audit(Struct, frozen=True, kw_only=True):
    at: float  # Unix seconds
    what: What
    by: str  # a person's login, or MACHINE
    reason: str
    decision: str = ""  # its id
    target: str = ""  # KIND:VALUE; incident:ID
    action: str = ""
    origin: str = ""
    since: float = 0.0
    until: float = 0.0
    generation: int = 0
    enforced: bool = False
    alert: str = ""  # id of the alert that asked for it
    host: str = ""  # where it was said or done
    detail: str = ""


def entry(what: What, decision: Decision, *, at: float, by: str, **more: str) -> Audit:
    """An entry about a decision. `more` are reason (else the decision's), host and detail."""
    return Audit(
        at=at,
        what=what,
        by=by,
        reason=more.get("reason", decision.reason),
        decision=decision.id,
        target=f"{decision.target.kind}:{decision.target.value}",
        action=decision.action,
        origin=decision.origin,
        since=decision.since,
        until=decision.until,
        generation=decision.generation,
        enforced=decision.enforced,
        alert=decision.alert,
        host=more.get("host", ""),
        detail=more.get("detail", ""),
    )


def decided(decision: Decision) -> Audit:
    """The entry of what was decided by the machine."""
    return entry("decided", decision, at=decision.since, by=MACHINE)


def changed(event: Change) -> Audit:
    """The entry of what a log tells of an account: `action` is what was changed, `detail` from
    where."""
    return Audit(
        at=event.at,
        what="changed",
        by=event.actor or event.account,
        reason=event.detail or event.what,
        target=f"account:{event.account}",
        action=event.what,
        host=event.gateway,
        detail=event.client,
    )
