"""An incident as people read it."""

from typing import Literal

from msgspec import Struct, field

from agents.incidents.casework import Extent
from agents.incidents.playbook import Entry
from schemas.findings import Decision, Severity
from schemas.incidents import Deed, State

What = Literal[
    "alert",  # one was opened
    "severity",
    "withdrawn",
    "stands again",
    "decision",
    "noted",
    "assigned",
    "acknowledged",
    "closed",
    "false_positive",
    "reopened",
    "ticked",
    "unticked",
    "changed",
]


class Moment(Struct, frozen=True, kw_only=True):
    """Something that happened in the course of it."""

    at: float  # Unix seconds
    what: What
    text: str
    by: str  # a person's login, or who else it was: a detector, the machine
    alert: str = ""  # id


class Incident(Struct, frozen=True, kw_only=True):
    """Lists name up to a bound (`named.NAMED`, `assembling.MOMENTS`); the full count stands beside
    each."""

    id: str
    state: State
    reason: str = ""  # of the state, where there is one
    severity: Severity  # the highest of what is not withdrawn
    first: float  # Unix seconds
    last: float
    story: str  # in one sentence
    assignee: str = ""
    parts: list[str] = field(default_factory=list)  # what alerts that joined name as `incident`
    parts_count: int = 0
    alerts: list[str] = field(default_factory=list)  # ids, the oldest first
    alerts_count: int = 0
    withdrawn_count: int = 0  # of these
    subjects: list[str] = field(default_factory=list)  # KIND:VALUE
    subjects_count: int = 0
    accused: list[str] = field(default_factory=list)  # clients and networks
    accused_count: int = 0
    attacked: list[str] = field(default_factory=list)  # accounts that somebody guessed at
    attacked_count: int = 0
    hijacked: list[str] = field(default_factory=list)  # accounts that somebody else used
    hijacked_count: int = 0
    decisions: list[Decision] = field(default_factory=list)  # in force
    decisions_count: int = 0
    timeline: list[Moment] = field(default_factory=list)  # the oldest first
    timeline_count: int = 0
    playbook: list[Entry] = field(default_factory=list)  # of accounts in other hands
    deeds: list[Deed] = field(default_factory=list)  # who did what and when: the audit of it
    deeds_count: int = 0

    @property
    def extent(self) -> Extent:
        """How far it has come: what a person sees who says something about it."""
        return Extent(self.last, self.alerts_count, self.severity, self.parts)

    @property
    def notes(self) -> list[Deed]:
        """What people noted."""
        return [deed for deed in self.deeds if deed.what == "noted"]
