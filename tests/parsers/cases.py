"""Cases as text: log lines, each under the events that they make.

``#= {...}`` is an event (those fields that matter), ``#= none`` none at all; the number of events
must agree. ``#! word`` is a dead letter whose reason has that word, ``#~`` a line that is
nobody's. ``#: {...}`` gives options of the reader, and ``"restarts": false`` where a line leans
on the one before it. A header of a table is a line (``#Fields:``); any other ``#`` is a comment.
A case ends at an empty line; its lines go through one reader, which is then closed.
"""

import json
from pathlib import Path
from typing import Any

from msgspec import Struct, field, structs

from schemas.events import Fact
from streams.reader import DeadLine, Reader, ReadOptions

FOLDER = Path(__file__).parent
USUAL = {"host": "mx.example.org", "zone": "UTC", "year": 2025, "now": 1767225600.0}


class Case(Struct):
    place: str
    title: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    nobodys: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    restarts: bool = True
    lines: list[bytes] = field(default_factory=list)


def cases() -> list[Case]:
    """All cases of all files."""
    return [case for path in sorted(FOLDER.glob("*.log")) for case in of_file(path)]


def of_file(path: Path) -> list[Case]:
    found: list[Case] = []
    case: Case | None = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line:
            case = None
            continue
        if case is None:
            case = Case(f"{path.name}:{number}")
            found.append(case)
        if line.startswith("#= "):
            case.events += [] if line == "#= none" else [json.loads(line[3:])]
        elif line.startswith("#! "):
            case.dead.append(line[3:])
        elif line.startswith("#~"):
            case.nobodys += 1
        elif line.startswith("#: "):
            case.options = json.loads(line[3:])
            case.restarts = case.options.pop("restarts", True)
            if "fingerprint_key" in case.options:
                case.options["fingerprint_key"] = case.options["fingerprint_key"].encode()
        elif line[:1] == "#" and not line[1:2].isalpha():
            case.title = case.title or line[1:].strip()
        else:
            case.lines.append(line.encode())
    return [case for case in found if case.lines]


class Read(Struct):
    events: list[Fact]
    dead: list[DeadLine]
    nobodys: int


def read(lines: list[bytes], *, restarts: bool = False, **options: Any) -> Read:
    """What a reader makes of `lines`; with `restarts` by a new one for each line, which goes on
    from the last one's snapshot."""
    dead: list[DeadLine] = []
    wanted = ReadOptions(**{**USUAL, **options})
    reader = Reader(wanted, dead.append)
    events: list[Fact] = []
    nobodys = 0
    if not restarts:
        events += [event for _, event in reader.read([("case", enumerate(lines))])]
    for number, line in enumerate(lines if restarts else ()):
        events += [event for _, event in reader.read([("case", [(number, line)])])]
        nobodys += reader.counts.nobody
        packed = reader.pack()
        reader = Reader(wanted, dead.append)
        reader.restore(packed)
    events += [event for _, event in reader.close()]
    return Read(events, dead, nobodys + reader.counts.nobody)


def differences(case: Case, found: Read) -> list[str]:
    """What is not as the case says; empty where all is."""
    wrong = []
    left = list(found.events)
    for wanted in case.events:
        match = next((event for event in left if _matches(event, wanted)), None)
        if match is None:
            wrong.append(f"missing {json.dumps(wanted)}")
        else:
            left.remove(match)
    wrong += [f"unexpected {event}" for event in left]
    for word in case.dead:
        if not any(word in dead.reason for dead in found.dead):
            wrong.append(f"no dead letter says {word!r}")
    if len(found.dead) != len(case.dead):
        wrong.append(f"dead letters: {found.dead}")
    if found.nobodys != case.nobodys:
        wrong.append(f"{found.nobodys} lines are nobody's, not {case.nobodys}")
    return wrong


def _matches(event: Fact, wanted: dict[str, Any]) -> bool:
    fields = {"type": event.type, **structs.asdict(event)}
    return all(name in fields and _plain(fields[name]) == value for name, value in wanted.items())


def _plain(value: Any) -> Any:
    """As JSON has it, where tuples are lists."""
    return json.loads(json.dumps(value)) if isinstance(value, tuple) else value
