"""What people make of an incident: who took it on, what was said of it, whether it is over.

What an incident consists of follows from the alerts (agents/incidents/). Only this part is kept.
"""

from typing import Literal, get_args

from msgspec import Struct, field

from schemas.findings import Severity

State = Literal["open", "acknowledged", "closed", "false_positive"]

Step = Literal[
    "acknowledged", "closed", "false_positive", "noted", "assigned", "ticked", "unticked"
]

Task = Literal["password", "sessions", "mailbox", "queue", "recipients", "delisting", "release"]
"""What is to be done about an account that was in other hands (agents/incidents/playbook.py)."""
TASKS: tuple[Task, ...] = get_args(Task)

TICKS = 200  # that are kept of one incident

DEEDS = 200  # that are kept of one incident; all of them are counted, and are in the trail


class Deed(Struct, frozen=True, kw_only=True):
    """What a person did about an incident."""

    at: float  # Unix seconds
    what: Step
    by: str
    text: str = ""  # the reason, the note, whom it was assigned to ("": nobody)


class Tick(Struct, frozen=True, kw_only=True):
    """A task of the playbook that was done."""

    task: Task
    account: str = ""  # "": for all of them
    at: float  # Unix seconds
    by: str
    note: str = ""


class Case(Struct, frozen=True, kw_only=True):
    """The people's part of one incident, under the id that it had then."""

    id: str
    state: State = "open"
    reason: str = ""
    since: float = 0.0  # Unix seconds when `state` was set; 0: never
    assignee: str = ""
    assigned: float = 0.0  # when that was said; 0: never
    at: float = 0.0  # of the last deed
    deeds: list[Deed] = field(default_factory=list)  # the newest, the oldest of them first
    deeds_count: int = 0
    ticks: list[Tick] = field(default_factory=list)  # the newest of each task and account
    # What the incident was when `state` was set: whether it went on is measured by these.
    seen: float = 0.0  # Unix seconds of its last event
    alerts: int = 0
    severity: Severity = "info"
    parts: list[str] = field(default_factory=list)  # what its alerts named as `incident` by then
