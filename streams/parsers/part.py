"""What parsers take and give: `Record` in, events and `Part`s out.

A parser is a pure function ``parse(record) -> list[Fact | Part] | None``: ``None`` where the line
is nobody's of this format, ``[]`` where it is, and says nothing of interest, ValueError where
it is of this format and broken (it goes to the dead letters). It looks at one line only; what
needs several lines it leaves to the joiner, as parts.
"""

from typing import Any

from msgspec import Struct

from schemas.events import Fact


class Record(Struct, frozen=True, gc=False):
    """A line without its carrier."""

    at: float  # Unix seconds, UTC
    host: str  # that the line names, else the configured one
    program: str  # the syslog tag without pid: "postfix/submission/smtpd"
    pid: str
    text: str
    offset: int = -1


class Part(Struct, frozen=True):
    """What one line tells of a message, connection or session that spans several lines.

    The joiner keeps one memory for each (gateway, namespace, key). `fields` are remembered
    there, an empty one never replaces a full one. `event`, if there is one, is completed from
    that memory: a field that has its default is filled where a field of that name is
    remembered. `once` names an event that is emitted only the first time for this memory.
    `wait` holds an event back for so many seconds of event time, if any of `needs` is not yet
    remembered, so that lines out of order still find each other. `ends` closes the memory (it
    lingers 10 s for late lines).
    """

    at: float
    gateway: str
    namespace: str
    key: str
    fields: dict[str, Any] = {}
    event: Fact | None = None
    once: str = ""
    needs: tuple[str, ...] = ()
    wait: float = 0.0
    ends: bool = False
