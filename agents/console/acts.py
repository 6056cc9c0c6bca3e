"""What persons order at the console. Each act writes to the ledger what it changes and who said so
in the trail, as the command line does, and says what came of it."""

from collections.abc import Callable, Iterable
from typing import Literal, TypeVar

from msgspec import Struct, field

from agents.console.desk import Desk
from agents.console.problems import ProblemError, missing
from agents.console.views.fields import Id, IncidentId, Named, Reason, Seconds, Short
from agents.console.views.incident import find
from agents.console.views.reach import can
from agents.incidents.casework import ticked
from agents.incidents.incident import Incident
from agents.operator import blocking, casebook, killswitch, orders
from agents.operator.blocking import Who
from agents.operator.ledger import BusLedger, Ledger
from agents.operator.orders import OrderError
from agents.running import state
from agents.words import many, printable, span
from schemas.audit import Audit
from schemas.findings import Decision, Target
from schemas.incidents import Deed, Step, Task, Tick

T = TypeVar("T")

HOUR = 3600.0
DAY = 86400.0

Choice = Literal[
    "", "stamp", "tarpit", "greylist", "limit", "hold", "reject", "drop", "kick", "lock"
]


class Done(Struct, frozen=True, kw_only=True):
    """What came of an order."""

    said: str
    warnings: list[str] = field(default_factory=list)


Act = tuple[Done, list[Audit]]
"""What came of it, and what the trail of changes has of it."""


# -- incidents ------------------------------------------------------------------------------------


class OfIncident(Struct, frozen=True, kw_only=True):
    id: IncidentId


class Ending(Struct, frozen=True, kw_only=True):
    id: IncidentId
    reason: Reason


class Noting(Struct, frozen=True, kw_only=True):
    id: IncidentId
    text: Reason


class Assigning(Struct, frozen=True, kw_only=True):
    id: IncidentId
    whom: Short = ""  # "": nobody any more


def acknowledge(desk: Desk, kept: Ledger, who: Who, given: OfIncident) -> Act:
    one = find(desk, given.id)
    if one.state != "open":
        raise ProblemError(
            409, f"{one.id} is {one.state.replace('_', ' ')}: there is nothing to take on"
        )
    deeds = casebook.taken_on(one, who.login, desk.clock())
    return _recorded(kept, one, deeds, who, f"{one.id} is acknowledged by {who.login}")


def close(desk: Desk, kept: Ledger, who: Who, given: Ending) -> Act:
    return _ended(desk, kept, who, given, "closed")


def false_positive(desk: Desk, kept: Ledger, who: Who, given: Ending) -> Act:
    return _ended(desk, kept, who, given, "false_positive")


def note(desk: Desk, kept: Ledger, who: Who, given: Noting) -> Act:
    one = find(desk, given.id)
    deed = Deed(at=desk.clock(), what="noted", by=who.login, text=_said(given.text))
    return _recorded(kept, one, [deed], who, f"noted at {one.id}")


def assign(desk: Desk, kept: Ledger, who: Who, given: Assigning) -> Act:
    one = find(desk, given.id)
    whom = given.whom.strip()
    deed = Deed(at=desk.clock(), what="assigned", by=who.login, text=whom)
    return _recorded(kept, one, [deed], who, f"{one.id} is assigned to {whom or 'nobody'}")


class Ticking(Struct, frozen=True, kw_only=True):
    id: IncidentId
    task: Task
    account: Short = ""  # "": for all of them
    note: Short = ""
    undo: bool = False  # it is not done after all


def tick(desk: Desk, kept: Ledger, who: Who, given: Ticking) -> Act:
    """Say that a step of the playbook is done, or that it is not."""
    one = find(desk, given.id)
    if not one.hijacked:
        raise ProblemError(409, f"{one.id}: no account was in other hands")
    if given.account and given.account not in one.hijacked:
        raise ProblemError(409, f"{one.id}: {printable(given.account)} is not one of them")
    now, said = desk.clock(), given.note.strip()
    done = Tick(task=given.task, account=given.account, at=now, by=who.login, note=said)
    words = " ".join(filter(None, (given.task, given.account))) + (f": {said}" if said else "")
    deed = Deed(at=now, what="unticked" if given.undo else "ticked", by=who.login, text=words)
    entries = casebook.record(
        kept, one, [deed], who.host, lambda case: ticked(case, done, done=not given.undo)
    )
    return Done(said=f"{given.task} is {'not ' if given.undo else ''}done"), entries


def _ended(desk: Desk, kept: Ledger, who: Who, given: Ending, step: Step) -> Act:
    one = find(desk, given.id)
    deed = Deed(at=desk.clock(), what=step, by=who.login, text=_said(given.reason))
    act, entries = _recorded(kept, one, [deed], who, f"{one.id} is {step.replace('_', ' ')}")
    count = len(desk.shelf.of_alerts(desk.clock(), desk.picture.assembly.alerts(one.alerts[0])))
    if count:
        warning = f"{many(count, 'decision')} of it stay in force"
        act = Done(said=act.said, warnings=[warning])
    if step == "false_positive":
        learnt = f"what would have kept it silent: mailwarden incidents learn {one.id}"
        act = Done(said=act.said, warnings=[*act.warnings, learnt])
    return act, entries


def _recorded(kept: Ledger, one: Incident, deeds: Iterable[Deed], who: Who, words: str) -> Act:
    return Done(said=words), casebook.record(kept, one, deeds, who.host)


# -- blocks ---------------------------------------------------------------------------------------


class Blocking(Struct, frozen=True, kw_only=True):
    target: Named  # an address, a network, a login, or KIND:VALUE
    reason: Reason
    seconds: Seconds = HOUR
    action: Choice = ""  # "": drop for networks, lock for logins, reject for others
    force: bool = False  # mean what looks like a slip


class Unblocking(Struct, frozen=True, kw_only=True):
    target: Named  # as for a block, or the id of a decision
    reason: Reason
    seconds: Seconds = DAY  # how long it is spared where the machine decided


class Pardoning(Struct, frozen=True, kw_only=True):
    target: Named
    reason: Reason
    seconds: Seconds = DAY


class Approving(Struct, frozen=True, kw_only=True):
    id: Id  # of the decision
    reason: Reason = "approved"


def block(desk: Desk, kept: Ledger, who: Who, given: Blocking) -> Act:
    on = _target(desk, given.target)
    with_order(lambda: blocking.bounded(given.seconds, kafka=desk.kafka))
    decision, entry = with_order(
        lambda: blocking.add(
            kept,
            desk.config,
            on,
            who=who,
            action=given.action or None,
            seconds=given.seconds,
            reason=_said(given.reason),
            now=desk.clock(),
            force=given.force,
        )
    )
    warnings = []
    if decision.needs:
        warnings.append("it waits for another person's approval")
    if desk.lifted():
        warnings.append("the kill switch is pulled: it holds when that goes back")
    if not can(desk, on.kind, decision.action):
        warnings.append(f"no gateway here can {decision.action} such a target")
    words = f"{decision.action} {printable(on.value)} for {span(given.seconds)}"
    return Done(said=words, warnings=warnings), [entry]


def unblock(desk: Desk, kept: Ledger, who: Who, given: Unblocking) -> Act:
    now = desk.clock()
    by_id = desk.shelf.decision(given.target)
    if by_id is not None and by_id.until <= now:
        by_id = None
    on = by_id.target if by_id else _target(desk, given.target)
    found = [one for one in desk.shelf.about(now, [(on.kind, on.value)]) if one.target == on]
    if by_id is not None and by_id.origin != "automatic":
        found = [by_id]
    if not found:
        raise missing(f"a decision about {printable(on.value)}")
    if by_id is not None and by_id.origin == "pardon":
        entry = blocking.end(kept, by_id, who=who, reason=_said(given.reason), now=now)
        return Done(said=f"the pardon of {printable(on.value)} has ended"), [entry]
    with_order(lambda: blocking.bounded(given.seconds, kafka=desk.kafka))
    lifted = with_order(
        lambda: blocking.lift(
            kept,
            on,
            found,
            who=who,
            seconds=given.seconds,
            reason=_said(given.reason),
            now=now,
        )
    )
    said = [f"{one.action} of {printable(on.value)} removed" for one in lifted.removed]
    if lifted.pardon:
        left = span(lifted.pardon.until - now)
        said.append(f"{printable(on.value)} is spared for {left}")
    return Done(said="; ".join(said)), lifted.entries


def pardon(desk: Desk, kept: Ledger, who: Who, given: Pardoning) -> Act:
    on = _target(desk, given.target)
    with_order(lambda: blocking.bounded(given.seconds, kafka=desk.kafka))
    _, entry = with_order(
        lambda: blocking.spare(
            kept,
            on,
            who=who,
            seconds=given.seconds,
            reason=_said(given.reason),
            now=desk.clock(),
        )
    )
    words = f"{printable(on.value)} is spared for {span(given.seconds)}"
    return Done(said=words), [entry]


def approve(desk: Desk, kept: Ledger, who: Who, given: Approving) -> Act:
    found = desk.shelf.decision(given.id)
    if found is None or found.until <= desk.clock():
        raise missing("the decision")
    waiting: Decision = found
    decision, entry = with_order(
        lambda: blocking.approve(
            kept, waiting, who=who, reason=_said(given.reason), now=desk.clock()
        )
    )
    what = f"{decision.action} {printable(decision.target.value)}"
    if decision.enforced:
        return Done(said=f"{what} is enforced now"), [entry]
    more = decision.needs - len(decision.approvals)
    return Done(said=f"{what} waits for {many(more, 'more person')}"), [entry]


def _target(desk: Desk, text: str) -> Target:
    return with_order(lambda: orders.target(text, desk.config))


# -- the kill switch ------------------------------------------------------------------------------


class Switching(Struct, frozen=True, kw_only=True):
    reason: Reason


def panic(desk: Desk, kept: Ledger, who: Who, given: Switching) -> Act:
    """Lift everything that is enforced."""
    entry = _switched(desk, kept, who, _said(given.reason), pulled=True)
    return Done(said="everything is lifted; detection goes on"), [entry]


def resume(desk: Desk, kept: Ledger, who: Who, given: Switching) -> Act:
    """Enforce again what is in force."""
    entry = _switched(desk, kept, who, _said(given.reason), pulled=False)
    here = desk.kafka and desk.config.lifted()
    switch = state.panic(desk.config.settings)
    warnings = [f"the file {switch} still lifts what runs here"] if here else []
    return Done(said="what is in force is enforced again", warnings=warnings), [entry]


def _switched(desk: Desk, kept: Ledger, who: Who, reason: str, *, pulled: bool) -> Audit:
    now = desk.clock()
    if isinstance(kept, BusLedger):
        before = kept.listen().switch
        killswitch.order(kept, before, pulled=pulled, reason=reason, now=now, by=who.login)
        return killswitch.said(pulled=pulled, reason=reason, now=now, by=who.login)
    switch = state.panic(desk.config.settings)
    try:
        if pulled:
            killswitch.pull(switch, who.signed(reason))
        else:
            switch.unlink(missing_ok=True)
    except OSError as error:
        raise ProblemError(503, f"{switch}: {error.strerror}") from error
    entry = killswitch.said(pulled=pulled, reason=reason, now=now, by=who.login)
    kept.note(entry)
    return entry


# -- what they share ------------------------------------------------------------------------------


def with_order(work: Callable[[], T]) -> T:
    """What cannot be done is a conflict with how things are, and says why."""
    try:
        return work()
    except OrderError as error:
        raise ProblemError(409, str(error)) from error


def _said(text: str) -> str:
    """What was written, without what surrounds it. Raises ProblemError where that is nothing."""
    text = text.strip()
    if not text:
        raise ProblemError(422, "a reason is needed: colleagues will ask")
    return text
