"""What was concluded, and what is done about it: Finding, Alert, Decision.

A *finding* is what the engine hands to response; an *alert* is what the SOC reads; a *decision*
is what the gateways enforce. All carry the same id, which follows from detector, subject and
the UTC day of the first offence, so that every run and every worker names one thing alike.
"""

import hashlib
from typing import Literal

from msgspec import Struct, field, structs

Severity = Literal["info", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "low", "medium", "high", "critical")

Action = Literal[
    "observe",
    "notify",
    "stamp",
    "tarpit",
    "greylist",
    "limit",
    "hold",
    "reject",
    "drop",
    "kick",
    "lock",
]
ACTIONS: tuple[Action, ...] = (
    "observe",
    "notify",
    "stamp",
    "tarpit",
    "greylist",
    "limit",
    "hold",
    "reject",
    "drop",
    "kick",
    "lock",
)
"""From mild to severe: where several decisions hold for one target, the most severe rules."""

LISTED = 100  # values that a list of an alert names; the full count stands beside it
SAMPLES = 20

DAY = 86400.0

Stage = Literal["observe", "alert", "enforce"]
"""How far a detector is trusted: its findings are only kept; the SOC is told; what it decides is
enforced as well."""


class Subject(Struct, frozen=True):
    kind: Literal["client", "network", "account", "address", "domain", "gateway", "site"]
    value: str


TargetKind = Literal["network", "account", "address", "domain", "client_account"]


class Target(Struct, frozen=True, gc=False):
    """What a decision applies to; the value of ``client_account`` is ``client account``."""

    kind: TargetKind
    value: str


class Evidence(Struct, frozen=True):
    """A count beside the threshold that it is measured by. Threshold 0: it is told, not judged."""

    sign: str
    count: float
    threshold: float
    unit: str = ""
    estimated: bool = False  # the count is near the truth, not exact: there were too many


class Sample(Struct, frozen=True):
    """One event that the finding rests on, with where its line lay."""

    at: float
    text: str  # the event as JSON: secrets were masked by the parser
    place: str = ""  # "file:offset", or "topic/partition:offset"


class Wish(Struct, frozen=True):
    """What a detector would have done about its finding, if response agrees."""

    action: Action
    target: Target
    seconds: float = 0.0  # 0: the ladder decides; else at least this long
    against: str = ""  # why nothing must be decided after all; "" where nothing speaks against


class Finding(Struct, frozen=True, kw_only=True):
    """What the engine concluded about one subject. `revision` grows as evidence comes in."""

    id: str
    detector: str  # the finding's name, as "auth_breach"
    shape: str
    severity: Severity
    subject: Subject
    first: float
    last: float
    at: float
    summary: str
    revision: int = 1
    clients: list[str] = field(default_factory=list)
    clients_count: int = 0
    accounts: list[str] = field(default_factory=list)
    accounts_count: int = 0
    targets: list[str] = field(default_factory=list)
    targets_count: int = 0
    evidence: list[Evidence] = field(default_factory=list)
    technique: str = ""
    rule: str = ""  # the detector that concluded it
    version: int = 1
    window: float = 0.0  # seconds
    samples: list[Sample] = field(default_factory=list)
    events: int = 0  # that it rests on, those without a sample included
    blind_to: str = ""
    checks: list[str] = field(default_factory=list)  # what was looked at in the subject's favour
    wish: Wish | None = None
    collateral: int = 0  # accounts with good evidence behind the target
    stage: Stage = "alert"  # of the detector
    state: Literal["open", "withdrawn"] = "open"
    alone: bool = True  # nothing else stands against the subject: asked of one that is withdrawn
    incident: str = ""  # id of the finding that it goes back to; its own where that is none
    shared: bool = False  # the incident began at another subject, and may have thousands


class Alert(Struct, frozen=True, kw_only=True):
    """A finding as the SOC reads it. ``info`` accuses nobody."""

    id: str
    detector: str
    shape: str
    severity: Severity
    subject: Subject
    first: float
    last: float
    at: float
    summary: str
    technique: str = ""
    clients: list[str] = field(default_factory=list)
    clients_count: int = 0
    accounts: list[str] = field(default_factory=list)
    accounts_count: int = 0
    targets: list[str] = field(default_factory=list)
    targets_count: int = 0
    evidence: list[Evidence] = field(default_factory=list)
    rule: str = ""
    version: int = 1
    window: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    events: int = 0  # that it rests on; samples are some of them. 0: nobody counted
    checks: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)  # AS and country of its clients
    domains: list[str] = field(default_factory=list)  # our domains that it concerns
    decision: str = ""  # what was decided, or why nothing was
    undo: str = ""  # the command that undoes the decision
    revision: int = 1
    state: Literal["open", "withdrawn"] = "open"
    stage: Stage = "alert"  # "observe": its detector is on trial, nobody is to be called for it
    blind_to: str = ""
    incident: str = ""  # id of the alert that it goes back to, its own where that is none: a
    # campaign and all who took part, guessing and the breach and the mail that followed


class Decision(Struct, frozen=True, kw_only=True, gc=False):
    """A lease on an action: it ends by itself at `until`, also at an edge that is cut off."""

    id: str
    target: Target
    action: Action
    reason: str = ""
    alert: str = ""  # id of the alert that asked for it
    origin: Literal["automatic", "manual", "pardon"] = "automatic"
    domain: str = ""  # only for mail of this domain; "" for all
    since: float = 0.0
    until: float = 0.0  # Unix seconds
    generation: int = 1  # a higher one replaces a lower one
    enforced: bool = False  # False: observe only, no gateway acts on it
    detector: str = ""  # name of the finding, as "auth_breach"; "" where a person decided
    severity: Severity | Literal[""] = ""  # of the finding when this was decided
    needs: int = 0  # persons who must approve before it is enforced
    approvals: tuple[str, ...] = ()  # their logins


def approved(decision: Decision, by: str) -> Decision:
    """The decision with one more approval; enforced where that was the last one needed."""
    names = (*decision.approvals, by)
    enforced = len(set(names)) >= decision.needs
    return structs.replace(decision, approvals=names, enforced=enforced)


def finding_id(detector: str, subject: Subject, first: float) -> str:
    """Detector, subject and UTC day, as 16 hex digits: the same in every run and every worker."""
    text = f"{detector}|{subject.kind}|{subject.value}|{int(first // DAY)}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def decision_id(target: Target, action: str) -> str:
    """The key of a decision on its topic: one writer for each target and action."""
    return f"{target.kind}:{target.value}:{action}"
