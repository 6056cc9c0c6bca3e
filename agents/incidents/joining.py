"""Which alerts belong together.

Alerts of one `incident` id do, and those whose heads changed on the way. Beside that, such a group
joins the incident that is open for one of its subjects, if that one's alerts about the subject
lie no further back than the window. Two incidents are never made one by a third, so that an
incident keeps its id.
"""

from collections.abc import Iterable, Iterator, Mapping

from agents.incidents.casework import Extent, is_over, merged, went_on
from agents.incidents.revisions import History
from schemas import net
from schemas.findings import SEVERITIES, Severity, Subject
from schemas.incidents import Case

SUBJECTS = 100  # of an incident, that alerts join it by


class Draft:
    """An incident in the making."""

    def __init__(self) -> None:
        self.histories: list[History] = []
        self.parts: list[str] = []  # ids of the groups
        self.places: dict[str, float] = {}  # subject -> last event about it
        self.case: Case | None = None
        self.first = self.last = 0.0
        self.severity: Severity = "info"

    @property
    def id(self) -> str:
        """That of the group which began it."""
        return self.parts[0]

    def take(self, group: list[History], case: Case | None) -> None:
        """Take in a group, the oldest of its alerts first."""
        self.parts.append(group[0].newest.incident or group[0].newest.id)
        for history in group:
            alert = history.newest
            self.first = min(self.first, history.first) if self.histories else history.first
            self.last = max(self.last, alert.last)
            if not history.withdrawn:
                self.severity = max(self.severity, alert.severity, key=SEVERITIES.index)
            self.histories.append(history)
            name = place(alert.subject)
            if name in self.places or (name and len(self.places) < SUBJECTS):
                self.places[name] = max(self.places.get(name, alert.last), alert.last)
        self.case = merged(self.case, case)

    @property
    def extent(self) -> Extent:
        return Extent(self.last, len(self.histories), self.severity)

    def is_open(self, first: float) -> bool:
        """Whether what began at `first` may join it: it is not over, or that was seen as well."""
        case = self.case
        if case is None or not is_over(case):
            return True
        return first <= case.seen or went_on(case, self.extent)


def joined(
    found: Mapping[str, History], cases: Iterable[Case], window: float
) -> tuple[list[Draft], dict[str, Draft]]:
    """The incidents, the oldest first, and which of them each alert is part of, by the alert's id.
    `window` is in seconds."""
    said = {case.id: case for case in cases}
    drafts: list[Draft] = []
    newest: dict[str, Draft] = {}  # by subject
    of_alert: dict[str, Draft] = {}
    for group in _groups(found):
        first = group[0].first
        draft = _open_for(group, newest, window, first)
        if draft is None:
            draft = Draft()
            drafts.append(draft)
        draft.take(group, _case(group, said))
        for history in group:
            of_alert[history.newest.id] = draft
            name = place(history.newest.subject)
            if name in draft.places:
                newest[name] = draft
    return drafts, of_alert


def place(subject: Subject) -> str:
    """What alerts about neighbours have in common: of a client the /24 or /48 around it, of an
    address the account. "" for the site, which everybody shares."""
    kind, value = subject.kind, subject.value
    if kind == "site":
        return ""
    if kind == "client":
        try:
            return f"network:{net.network(value)}"
        except ValueError:  # a line named somebody who has no address
            return f"client:{value}"
    return f"account:{value}" if kind == "address" else f"{kind}:{value}"


def _open_for(
    group: list[History], newest: dict[str, Draft], window: float, first: float
) -> Draft | None:
    candidates: list[Draft] = []
    begun: dict[str, float] = {}
    for history in group:
        begun.setdefault(place(history.newest.subject), history.first)
    for name, at in begun.items():
        draft = newest.get(name)
        if draft is not None and at - draft.places[name] <= window and draft.is_open(first):
            candidates.append(draft)
    return min(candidates, key=lambda draft: (draft.first, draft.id), default=None)


def _groups(found: Mapping[str, History]) -> Iterator[list[History]]:
    """Alerts of one incident id each, by their beginning, the groups by theirs."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            parent[name] = parent[above]
            name = parent[name]
        return name

    for history in found.values():
        alert = history.newest
        one, other = sorted((root(alert.id), root(alert.incident or alert.id)))
        parent[other] = one
    groups: dict[str, list[History]] = {}
    for history in sorted(found.values(), key=_beginning):
        groups.setdefault(root(history.newest.id), []).append(history)
    yield from sorted(groups.values(), key=lambda group: _beginning(group[0]))


def _beginning(history: History) -> tuple[float, str]:
    return history.first, history.newest.id


def _case(group: list[History], said: Mapping[str, Case]) -> Case | None:
    ids = {name for one in group for name in (one.newest.id, one.newest.incident)}
    case: Case | None = None
    for name in sorted(ids & said.keys()):
        case = merged(case, said[name])
    return case
