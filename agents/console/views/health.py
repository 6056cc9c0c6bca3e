"""**Health**: does the program itself work: what is read, how late, what could not be read, which
versions."""

import platform
import sqlite3
from importlib.metadata import version

from msgspec import Struct

from agents.console.desk import Desk
from agents.console.running import Running
from agents.console.source import DeadLetter
from agents.console.views.now import Asked, Relay, relays
from agents.operator.topic_list import Row

LIBRARIES = ("mailwarden", "aiohttp", "jinja2", "msgspec", "argon2-cffi")
LETTERS = 30


class Share(Struct, frozen=True, kw_only=True):
    """A source of events."""

    source: str
    lines: float
    events: float
    behind: float  # bytes that are not read yet
    readable: bool
    share: float  # of all events, 0 to 1


class Health(Struct, frozen=True, kw_only=True):
    follows: str  # what the console follows
    trouble: str  # why it does not
    known_at: float  # Unix seconds
    complete: bool
    program: Running | None  # what `mailwarden run` says of itself; None: it is not asked
    program_trouble: str  # why it is not
    sources: list[Share]
    topics: list[Row]
    topics_trouble: str
    gateways: list[Relay]
    dead: list[DeadLetter]
    dead_count: float  # since the program began; -1: not known
    versions: dict[str, str]
    alerts: int  # that the console has in mind
    decisions: int  # in force


def health(desk: Desk, _: Asked) -> Health:
    running, trouble = desk.running()
    topics, topics_trouble = desk.topics()
    around = desk.around
    sources = running.sources if running else {}
    events = sum(one.get("events", 0.0) for one in sources.values())
    return Health(
        follows="Kafka" if desk.kafka else "the store of this server",
        trouble=around.trouble,
        known_at=around.at,
        complete=around.complete,
        program=running,
        program_trouble=trouble,
        sources=[
            Share(
                source=name,
                lines=one.get("lines", 0.0),
                events=one.get("events", 0.0),
                behind=one.get("behind", 0.0),
                readable=bool(one.get("up", 1.0)),
                share=one.get("events", 0.0) / events if events else 0.0,
            )
            for name, one in sorted(sources.items())
        ][:100],
        topics=topics,
        topics_trouble=topics_trouble,
        gateways=relays(desk),
        dead=list(around.dead[:LETTERS]),
        dead_count=running.dead if running else -1.0,
        versions=_versions(),
        alerts=len(desk.picture.alerts),
        decisions=sum(desk.shelf.counts(desk.clock()).values()),
    )


def _versions() -> dict[str, str]:
    found = {name: version(name) for name in LIBRARIES}
    return {**found, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
