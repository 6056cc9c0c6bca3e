"""What persons order about blocks, done: by the command line and the console alike.

Each of these writes a decision and its entry in the trail of changes, and returns the entry.
Errors: OrderError, and those of the ledger.
"""

from collections.abc import Sequence

from msgspec import Struct

from agents.configuration import Config
from agents.operator import orders
from agents.operator.ledger import LONGEST, Ledger
from agents.operator.orders import OrderError
from schemas.audit import Audit, What, entry
from schemas.findings import Action, Decision, Target


class Who(Struct, frozen=True):
    """Who orders it."""

    name: str  # as they say; "": as the login says
    login: str  # as they are known
    host: str  # where they said it

    def signed(self, reason: str) -> str:
        """The reason and who gave it."""
        return f"{reason} ({self.login})" if self.login else reason

    def entry(self, what: What, decision: Decision, reason: str, now: float) -> Audit:
        by = self.name or self.login
        return entry(what, decision, at=now, by=by, reason=reason, host=self.host)


class Lifted(Struct, frozen=True):
    """What came of it."""

    removed: list[Decision]  # persons' words
    pardon: Decision | None  # that stands against the machine's
    entries: list[Audit]


def bounded(seconds: float, *, kafka: bool) -> None:
    """Raises OrderError where it holds longer than its topic remembers."""
    if kafka and seconds > LONGEST:
        raise OrderError("a decision on Kafka holds for 7 days at most")


def add(
    kept: Ledger,
    config: Config,
    on: Target,
    *,
    who: Who,
    action: Action | None,
    seconds: float,
    reason: str,
    now: float,
    force: bool = False,
) -> tuple[Decision, Audit]:
    """Decide against somebody."""
    decision = orders.decision(
        on,
        config,
        action=action,
        seconds=seconds,
        reason=who.signed(reason),
        now=now,
        force=force,
        by=who.name,
        login=who.login,
    )
    said = who.entry("added", decision, reason, now)
    kept.put_decision(decision, said)
    return decision, said


def lift(
    kept: Ledger,
    on: Target,
    found: Sequence[Decision],
    *,
    who: Who,
    seconds: float,
    reason: str,
    now: float,
) -> Lifted:
    """Lift what holds against a target; `found` is that. A person's word is deleted, against the
    machine's a pardon is left, so that it does not come back at once."""
    removed, entries = [], []
    for decision in found:
        if decision.origin == "manual":
            said = who.entry("removed", decision, reason, now)
            kept.remove_decision(decision.id, said)
            removed.append(decision)
            entries.append(said)
    pardon = next((one for one in found if one.origin == "pardon"), None)
    if pardon is None and any(one.origin == "automatic" for one in found):
        pardon, said = spare(kept, on, who=who, seconds=seconds, reason=reason, now=now)
        entries.append(said)
    return Lifted(removed, pardon, entries)


def spare(
    kept: Ledger, on: Target, *, who: Who, seconds: float, reason: str, now: float
) -> tuple[Decision, Audit]:
    """Pardon somebody for a while."""
    decision = orders.pardon(on, seconds=seconds, reason=who.signed(reason), now=now)
    said = who.entry("pardoned", decision, reason, now)
    kept.put_decision(decision, said)
    return decision, said


def end(kept: Ledger, decision: Decision, *, who: Who, reason: str, now: float) -> Audit:
    """Take a decision back, a pardon as well."""
    said = who.entry("removed", decision, reason, now)
    kept.remove_decision(decision.id, said)
    return said


def approve(
    kept: Ledger, decision: Decision, *, who: Who, reason: str, now: float
) -> tuple[Decision, Audit]:
    """Agree to what waits for another person."""
    approved = orders.approval(decision, name=who.name, login=who.login)
    said = entry(
        "approved", approved, at=now, by=approved.approvals[-1], reason=reason, host=who.host
    )
    kept.put_decision(approved, said)
    return approved, said
