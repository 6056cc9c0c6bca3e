"""A flood of one campaign is a few messages: the first alert as itself, the others in a summary.

Alerts of one incident, detector and severity are a *group*. The alert that begins a group goes
out as itself; what follows is held until the window is over, and told as one summary alert, whose
revision grows from window to window: a receiver has one record for all of them. A group ends with
a window in which nothing came; what comes later begins another.

What is never held: a new revision of an alert that went out as itself, and the withdrawal of one
that no summary told of, because either changes a record that the receiver has. One alert alone
in the first window goes out as itself as well, when that is over.

The caller names the time, keeps what is held where it outlives the process, and says when a
summary has arrived. After a restart every group begins anew, and its summary has another id: no
receiver takes it for an older revision of what it has.
"""

import secrets
from typing import Literal

from msgspec import Struct, field, structs

from schemas.findings import Alert, Evidence, Subject
from streams.summing import common, union, whom

GROUPS = 1000  # at the same time; beyond them every alert goes out as itself
KNOWN = 20_000  # alerts of which is known how they were told; of older ones an update counts anew
NAMED = 20  # subjects that the text of a summary names

Key = tuple[str, str, str]
How = Literal["itself", "open", "withdrawn"]


class Parcel(Struct, frozen=True):
    """What goes to the receiver, and the alerts that it tells of: itself, or many."""

    alert: Alert
    members: list[Alert]
    held: bool = False  # until now


class Group(Struct):
    id: str  # of its summary
    opened: float  # when the window began
    last: float  # when an alert came last
    held: dict[str, Alert] = field(default_factory=dict)
    told: Alert | None = None  # the last summary that has arrived
    revision: int = 0  # of the summary that was made last
    made: list[Alert] = field(default_factory=list)  # its members
    named: list[str] = field(default_factory=list)  # subjects, the first NAMED


class Gathering:
    """Of one sink. `window` is in seconds; 0 gathers nothing. Times are those of one clock that
    is never set back."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._groups: dict[Key, Group] = {}
        self._known: dict[tuple[str, str], How] = {}  # by group and alert
        self.held = 0  # alerts that wait for their summary

    def hold(self, alert: Alert, now: float) -> bool:
        """Whether the alert waits for a summary; else it is to go out as itself."""
        if not self._window or not alert.incident:
            return False
        group = self._groups.get(_key(alert))
        if group is None or self._over(group, now):
            self._begin(alert, now)
            return False
        group.last = now
        known = self._known.get((group.id, alert.id))
        if known == "itself":
            return False
        if alert.state == "withdrawn" and known is None and alert.id not in group.held:
            return False
        self.held += alert.id not in group.held
        group.held[alert.id] = alert
        return True

    def find(self, alert: Alert) -> Alert | None:
        """The revision of an alert that is held, if one is."""
        group = self._groups.get(_key(alert))
        return group.held.get(alert.id) if group is not None else None

    def due(self, now: float) -> float | None:
        """Seconds until there is a summary to be told; None: nothing is held."""
        if not self.held:
            return None
        first = min(group.opened for group in self._groups.values() if group.held)
        return max(0.0, first + self._window - now)

    def ripe(self, now: float, most: int, *, at_once: bool = False) -> list[Parcel]:
        """Summaries whose window is over, or `at_once` all, `most` of them at most. Each is
        offered again until `told` hears of it."""
        found: list[Parcel] = []
        if not self.held:
            return found
        for group in self._groups.values():
            if len(found) == most:
                break
            if group.held and (at_once or now - group.opened >= self._window):
                found.append(self._parcel(group))
        return found

    def told(self, parcel: Parcel, now: float) -> None:
        """One that was ripe has arrived."""
        group = self._groups[_key(parcel.alert)]
        summed = parcel.alert.id == group.id
        for member in parcel.members:
            self._note(group, member.id, member.state if summed else "itself")
            if group.held.get(member.id) is member:
                del group.held[member.id]
                self.held -= 1
        group.opened = now
        group.made = []
        if summed:
            group.told = parcel.alert

    def _begin(self, alert: Alert, now: float) -> None:
        self._groups.pop(_key(alert), None)
        if len(self._groups) >= GROUPS:
            self._groups = {k: g for k, g in self._groups.items() if not self._over(g, now)}
        if len(self._groups) < GROUPS:
            group = self._groups[_key(alert)] = Group(secrets.token_hex(8), now, now)
            self._note(group, alert.id, "itself")

    def _over(self, group: Group, now: float) -> bool:
        return not group.held and now - max(group.last, group.opened) >= self._window

    def _note(self, group: Group, alert: str, how: How) -> None:
        self._known[group.id, alert] = how
        while len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]

    def _parcel(self, group: Group) -> Parcel:
        members = list(group.held.values())
        if len(members) == 1 and not group.revision:
            return Parcel(members[0], members, held=True)
        if members != group.made:  # what did not arrive is offered again as it was
            group.revision += 1
            group.made = members
        before = [self._known.get((group.id, member.id)) for member in members]
        fresh = [member for member, how in zip(members, before, strict=True) if how is None]
        named = (each.subject.value for each in fresh)
        group.named = union([group.named, named], NAMED)
        gone = sum(member.state == "withdrawn" for member in members) - before.count("withdrawn")
        summary = _summary(group, members, fresh, gone, self._window)
        return Parcel(summary, members, held=True)


def _key(alert: Alert) -> Key:
    return alert.incident, alert.detector, alert.severity


def _summary(
    group: Group, members: list[Alert], fresh: list[Alert], gone: int, window: float
) -> Alert:
    """What the group's last summary told, and its `members` of now. `fresh` are those that are
    new in it, `gone` is how many more are withdrawn."""
    before = group.told
    head = members[0]
    counts = {one.sign: one.count for one in before.evidence} if before else {}
    count = int(counts.get("alerts", 0)) + len(fresh)
    withdrawn = int(counts.get("withdrawn", 0)) + gone
    every = [*([before] if before else []), *members]
    evidence = [Evidence("alerts", count, 0)]
    if withdrawn:
        evidence.append(Evidence("withdrawn", withdrawn, 0))
    clients, clients_count = whom(every, fresh, "clients", ("client", "network"))
    accounts, accounts_count = whom(every, fresh, "accounts", ("account",))
    targets, targets_count = whom(every, fresh, "targets", ())
    return structs.replace(
        head,
        id=group.id,
        shape=common(every, "shape") or "several",
        subject=Subject("site", "site"),
        first=min(each.first for each in every),
        last=max(each.last for each in every),
        at=max(each.at for each in every),
        summary=_text(head, count, withdrawn, group.named),
        clients=clients,
        clients_count=clients_count,
        accounts=accounts,
        accounts_count=accounts_count,
        targets=targets,
        targets_count=targets_count,
        evidence=evidence,
        window=window,
        samples=[],
        events=(before.events if before else 0) + sum(each.events for each in fresh),
        checks=[],
        origins=union(each.origins for each in every),
        domains=union(each.domains for each in every),
        decision=common(every, "decision"),
        undo="",
        revision=group.revision,
        state="withdrawn" if withdrawn == count else "open",
    )


def _text(head: Alert, count: int, withdrawn: int, named: list[str]) -> str:
    said = f"{count} more alerts ({head.detector}) of incident {head.incident}"
    if withdrawn:
        said += f", {withdrawn} of them withdrawn"
    more = count - len(named)
    said += f": {', '.join(named)}" + (f" and {more} more" if more > 0 else "")
    return f"{said}; `mailwarden alerts list --incident {head.incident}` shows them"
