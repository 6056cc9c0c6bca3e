"""The parts of one message, connection or session become events that know their account.

A memory for each (namespace, gateway, key): what was told of a queue file, of a connection. An
event is completed from it. Attempts to log in are put together in streams/attempts.py. All is
driven by the order of lines and their times, which may be out of order by `LINGER` seconds; the
clock is the newest time seen. Memories end with their last line, or when they are too old or
too many, which is counted. What a Joiner remembers can be packed and restored.
"""

import heapq
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from schemas import events, net
from schemas.events import Auth, Bounce, Connection, Delivery, Fact, Message, Recipient, Verdict
from streams.attempts import Attempts, Story
from streams.dialogue import Dialogues, Talk, Told
from streams.listings import Listing, Listings
from streams.parsers.part import Attempt, Entry, Item, Part, Turn, Twin
from streams.twins import Line, Twins

LINGER = 10.0  # seconds that an ended memory waits for late lines
LIMIT = 200_000  # memories of a namespace
SWEEP = 60.0  # seconds between two looks for what is too old
HELD = 64  # events that one memory holds back
FAILURES = 50  # recipients of one mail that failed and are not reported yet

KEEP: Final[dict[str, float]] = {
    "queue": 6 * 86400.0,  # Postfix gives a message up after 5 days
    "qmail": 8 * 86400.0,  # qmail and Courier after 7
    "courier": 8 * 86400.0,
    "exchange": 2 * 86400.0,  # Exchange gives a message up after 2 days
    "session": 3600.0,
    "mailbox": 60.0,
    "trace": 600.0,  # rows of one message, one for each recipient
}

FILLED: Final[dict[type[Fact], tuple[tuple[str, str], ...]]] = {
    # the event's field, what it is remembered as
    Message: (
        ("client", "client"),
        ("account", "account"),
        ("message_id", "message_id"),
        ("sender", "sender"),
        ("recipients", "recipients"),
        ("size", "size"),
    ),
    Delivery: (
        ("queue_id", "queue_id"),
        ("client", "client"),
        ("account", "account"),
        ("sender", "sender"),
        ("message_id", "message_id"),
        # that of an expired message, whose line names none
        ("recipient", "failed_recipient"),
        # told before the line that says what became of it
        ("recipient", "recipient"),
        ("enhanced", "enhanced"),
        ("reason", "reason"),
    ),
    Bounce: (
        ("client", "client"),
        ("account", "account"),
        ("recipient", "sender"),
        ("failed_recipient", "failed_recipient"),
        ("status", "failed_status"),
        ("code", "failed_code"),
        ("enhanced", "failed_enhanced"),
        ("reason", "failed_reason"),
        ("reply", "failed_reply"),
    ),
    Recipient: (
        ("client", "client"),
        ("account", "account"),
        ("sender", "sender"),
    ),
    Auth: (("client", "client"), ("account", "account")),
    Connection: (("client", "client"),),
    Verdict: (
        ("client", "client"),
        ("account", "account"),
        ("sender", "sender"),
    ),
}

FAILED = tuple(name for _, name in FILLED[Bounce] if name.startswith("failed_"))
LOST = ("bounced", "expired")

INHERITED = ("client", "account", "origin", "message_id")
_LOCAL = net.Networks(net.PRIVATE)

Output = tuple[str, Fact]  # source, event
Key = tuple[str, str]  # gateway, key


class Memory(Struct):
    """What was told under one key."""

    since: float
    known: dict[str, Any] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    waiting: list[tuple[str, Part]] = field(default_factory=list)
    ended: bool = False


class Packed(Struct, array_like=True):
    namespace: str
    gateway: str
    key: str
    since: float
    known: dict[str, Any]
    said: list[str]
    waiting: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    ended: bool = False


class Snapshot(Struct):
    clock: float
    memories: list[Packed]
    stories: list[tuple[tuple[str, str], Story]]
    evicted: int = 0
    twins: list[tuple[str, str, Line]] = field(default_factory=list)
    talks: list[tuple[tuple[str, str], Talk]] = field(default_factory=list)
    listings: list[tuple[tuple[str, str, str], Listing]] = field(default_factory=list)


class Joiner:
    def __init__(self, limit: int = LIMIT) -> None:
        self.clock = 0.0  # the newest time seen
        self.due = 0.0  # when `advance` has something to do next
        self.evicted = 0
        self._limit = limit
        self._rooms: dict[str, dict[Key, Memory]] = {name: {} for name in KEEP}
        self._ending: deque[tuple[float, str, Key, Memory]] = deque()
        self._held: list[tuple[float, int, str, Key]] = []  # a heap
        self._order = 0
        self._attempts = Attempts()
        self._twins = Twins()
        self._listings = Listings()
        self._dialogues = Dialogues()
        self._ids: dict[Key, str] = {}  # (gateway, Message-ID): the queue file that had it first
        self._swept = 0.0

    def add(self, items: Iterable[Item], source: str = "") -> list[Output]:
        """The events that a line's items make, now."""
        out: list[Output] = []
        for item in items:
            kind = item.__class__
            if kind is Part:
                self.part(item, source, out)  # type: ignore[arg-type]
            elif kind is Attempt:
                self.attempt(item, source, out)  # type: ignore[arg-type]
            elif kind is Twin:
                self.twin(item, source, out)  # type: ignore[arg-type]
            elif kind is Entry:
                self.entry(item, source, out)  # type: ignore[arg-type]
            elif kind is Turn:
                self.turn(item, source, out)  # type: ignore[arg-type]
            else:
                out.append((source, item))  # type: ignore[arg-type]
        return out

    def attempt(self, attempt: Attempt, source: str, out: list[Output]) -> None:
        attempts = self._attempts
        attempts.add(attempt, source, out)
        if attempts.due < self.due:
            self.due = attempts.due

    def entry(self, entry: Entry, source: str, out: list[Output]) -> None:
        listings = self._listings
        listings.add(entry, source, out)
        if listings.due < self.due:
            self.due = listings.due

    def twin(self, twin: Twin, source: str, out: list[Output]) -> None:
        if self._twins.first(twin, twin.log or source):
            out += self.add((twin.item,), source)

    def turn(self, turn: Turn, source: str, out: list[Output]) -> None:
        told: list[Told] = []
        self._dialogues.add(turn, source, told)
        for name, item in told:
            out += self.add((item,), name)
        if self._dialogues.due < self.due:
            self.due = self._dialogues.due

    def advance(self, at: float) -> list[Output]:
        """What has waited long enough at `at`; older memories end."""
        out: list[Output] = []
        self.clock = max(self.clock, at)
        at = self.clock
        while self._held and self._held[0][0] <= at:
            _, _, namespace, key = heapq.heappop(self._held)
            memory = self._rooms[namespace].get(key)
            if memory is not None:
                self._release(memory, out)
        while self._ending and self._ending[0][0] <= at:
            _, namespace, key, memory = self._ending.popleft()
            if self._rooms[namespace].get(key) is memory:
                self._forget(namespace, key, memory, out)
        self._attempts.advance(at, out)
        if self._listings.due <= at:
            self._listings.advance(at, out)
        told: list[Told] = []
        self._dialogues.advance(at, told)
        for name, item in told:
            out += self.add((item,), name)
        if at - self._swept >= SWEEP:
            self._sweep(at, out)
        self.due = min(
            self._held[0][0] if self._held else float("inf"),
            self._attempts.due,
            self._listings.due,
            self._dialogues.due,
            self._swept + SWEEP,
        )
        return out

    def close(self) -> list[Output]:
        """Everything that waits, at the end of a replay."""
        return self.advance(self.clock + max(KEEP.values()) + 1.0)

    @property
    def memories(self) -> int:
        return sum(map(len, self._rooms.values()))

    # -- parts ----------------------------------------------------------------------------

    def part(self, part: Part, source: str, out: list[Output]) -> None:
        room = self._rooms[part.namespace]
        key = (part.gateway, part.key)
        memory = room.get(key)
        if memory is None or (part.begins and memory.ended):
            if (part.ends and not part.within) or part.asks:
                # Nothing came before it, and nothing will come after.
                if part.event is not None:
                    out.append((source, _made(part, part.keeps or {})))
                return
            memory = self._remember(part, room, key, out)
        if part.continues:
            earlier = room.get((part.gateway, part.continues))
            self._continue(memory, earlier, passed=part.begins)
        if part.within:
            whole = room.get((part.gateway, part.within))
            if whole is not None:
                memory.known.update(whole.known)
                memory.known.pop("failures", None)
            memory.known["whole"] = part.within
        if part.session:
            self._recall(memory, self._rooms["session"].get((part.gateway, part.session)))
        if part.refuses:
            memory.said.add("message")
            memory.waiting = [held for held in memory.waiting if held[1].event is not Message]
        keeps = part.keeps
        if keeps is not None:
            known = memory.known
            if "failed_status" in keeps:
                self._fail(part, keeps, known, room)
            for name, value in keeps.items():
                if value or name not in known:
                    known[name] = value
            if memory.waiting and "origin" in keeps:
                self._release(memory, out)
        if part.event is not None:
            self._event(part, source, key, memory, out)
        if part.ends:
            self._end(part, key, memory, room)

    def _remember(self, part: Part, room: dict[Key, Memory], key: Key, out: list[Output]) -> Memory:
        old = room.pop(key, None)
        if old is not None:
            self._release(old, out)
        elif len(room) >= self._limit:
            oldest = next(iter(room))
            self._forget(part.namespace, oldest, room[oldest], out)
            self.evicted += 1
        memory = room[key] = Memory(part.at)
        return memory

    def _event(self, part: Part, source: str, key: Key, memory: Memory, out: list[Output]) -> None:
        if part.namespace == "mailbox" and key in self._ids:
            return  # the queue that has this message tells what becomes of it
        if part.once:
            if part.once in memory.said:
                return
            memory.said.add(part.once)
        unmet = part.wait and (not part.needs or part.needs not in memory.known)
        if unmet and len(memory.waiting) < HELD:
            self._hold(part, source, key, memory)
            return
        self._tell(source, part, memory, out)

    def _hold(self, part: Part, source: str, key: Key, memory: Memory) -> None:
        memory.waiting.append((source, part))
        self._order += 1
        until = part.at + part.wait
        heapq.heappush(self._held, (until, self._order, part.namespace, key))
        self.due = min(self.due, until)

    def _tell(self, source: str, part: Part, memory: Memory, out: list[Output]) -> None:
        """Make the event, unless it is the same mail going round inside this host."""
        kind = part.event
        if kind is Delivery:
            if part.passes and self._passed(part, memory):
                return
            if "passed" in memory.said and part.values and part.values.get("status") == "sent":
                return
            if part.covers and "message_id" in memory.known:
                self._cover(part, memory.known["message_id"])
        elif kind is Message and ("probe" in memory.known or self._goes_on(part, memory)):
            return
        elif kind is Bounce:
            self._report(source, part, memory, out)
            return
        made = _made(part, memory.known)
        if isinstance(made, Auth) and made.outcome == "failed" and _of_smtp(made):
            # What checks the passwords may have told of this attempt, and more than the server.
            self.attempt(Attempt("smtp", made, f"{part.namespace} {part.key}"), source, out)
            return
        out.append((source, made))

    # -- failures and the reports about them ----------------------------------------------

    @staticmethod
    def _fail(
        part: Part, keeps: dict[str, Any], known: dict[str, Any], room: dict[Key, Memory]
    ) -> None:
        """Remember a recipient who got nothing, until a report tells so."""
        if keeps["failed_status"] not in LOST:
            return
        if keeps.get("failed_recipient"):
            failed = keeps
        elif known.get("failed_status") == "deferred":
            failed = {**known, **keeps}  # one that was put off until now
        elif known.get("recipient"):
            failed = {**keeps, "failed_recipient": known["recipient"]}
        else:
            return
        whole = room.get((part.gateway, known.get("whole", "")))
        if whole is not None:
            known = whole.known
        failures = known.setdefault("failures", [])
        if len(failures) < FAILURES:
            failures.append({name: failed[name] for name in FAILED if name in failed})

    def _report(self, source: str, part: Part, memory: Memory, out: list[Output]) -> None:
        """One event for each recipient that a report is about, as far as known."""
        known, values = memory.known, part.values or {}
        status = values.get("status", "")
        last = known.get("failed_status", "")
        failures: list[dict[str, Any]] = []
        if status in ("", *LOST):
            if status == "expired" and last == "deferred":
                known["failed_status"] = "expired"
                self._fail(part, {**known, "failed_status": "expired"}, known, {})
            failures = known.pop("failures", failures)
        if not failures:
            if status in LOST and last in LOST:
                values["status"] = last  # a second report, to the postmaster
            elif status and status != last:  # about others, whom no line has named
                known = {name: value for name, value in known.items() if name not in FAILED}
            out.append((source, _made(part, known)))
        for failed in failures:
            each = {name: value for name, value in values.items() if name != "status"}
            one = msgspec.structs.replace(part, values=each)
            out.append((source, _made(one, {**known, **failed})))

    def _release(self, memory: Memory, out: list[Output]) -> None:
        waiting, memory.waiting = memory.waiting, []
        for source, part in waiting:
            self._tell(source, part, memory, out)

    # -- one mail, several queue files ----------------------------------------------------

    def _goes_on(self, part: Part, memory: Memory) -> bool:
        """Whether a message is one that came before: from a content filter, or requeued.

        It is, where a queue file of the same Message-ID and sender is still open and this one
        came from this host or network, but not from where the first came.
        """
        if "again" in memory.said:
            return True
        known = memory.known
        message_id = known.get("message_id")
        if not message_id:
            return False
        name = (part.gateway, message_id)
        first = self._ids.setdefault(name, part.key)
        if first == part.key:
            return False
        earlier = self._rooms["queue"].get((part.gateway, first))
        if earlier is None:
            self._ids[name] = part.key
            return False
        client = known.get("client", "")
        near = known.get("origin") == "pickup" or (bool(client) and client in _LOCAL)
        if (
            not near
            or client == earlier.known.get("client", "")
            or not _same_sender(known.get("sender", ""), earlier.known.get("sender", ""))
        ):
            return False
        self._continue(memory, earlier)
        return True

    def _passed(self, part: Part, memory: Memory) -> bool:
        """Whether a delivery handed the mail to a filter that gave it back to this host."""
        following = self._rooms["queue"].get((part.gateway, part.passes))
        if following is None or following is memory:
            return False
        client = following.known.get("client", "")
        mail = {m.known.get("message_id") for m in (memory, following)} - {None}
        near = bool(client) and client in _LOCAL and len(mail) < 2
        if not near and "again" not in following.said:
            return False
        self._continue(following, memory)
        return True

    @staticmethod
    def _continue(memory: Memory, earlier: Memory | None, *, passed: bool = True) -> None:
        """Let a message go on from an earlier one; `passed`: for all of its recipients."""
        if earlier is None or earlier is memory:
            return
        for name in INHERITED:
            if earlier.known.get(name):
                memory.known[name] = earlier.known[name]
        memory.said |= {"again", "message"}
        if passed:
            earlier.said.add("passed")

    @staticmethod
    def _recall(memory: Memory, session: Memory | None) -> None:
        if session is not None:
            for name in ("client", "account"):
                if session.known.get(name) and not memory.known.get(name):
                    memory.known[name] = session.known[name]

    def _cover(self, part: Part, message_id: str) -> None:
        """Another program told of this delivery too, or is about to."""
        memory = self._rooms[part.covers].get((part.gateway, message_id))
        if memory is not None:
            memory.waiting.clear()

    # -- the end of memories --------------------------------------------------------------

    def _end(self, part: Part, key: Key, memory: Memory, room: dict[Key, Memory]) -> None:
        if part.namespace == "session":
            del room[key]
            return
        memory.ended = True
        # `due` leaves them alone: they go when something else is due, within a sweep.
        until = max(part.at, self.clock) + LINGER
        self._ending.append((until, part.namespace, key, memory))

    def _forget(self, namespace: str, key: Key, memory: Memory, out: list[Output]) -> None:
        self._release(memory, out)
        self._rooms[namespace].pop(key, None)
        message_id = memory.known.get("message_id")
        if message_id and self._ids.get((key[0], message_id)) == key[1]:
            del self._ids[key[0], message_id]

    def _sweep(self, at: float, out: list[Output]) -> None:
        self._swept = at
        for namespace, room in self._rooms.items():
            oldest = at - KEEP[namespace]
            for key in [key for key, memory in room.items() if memory.since < oldest]:
                self._forget(namespace, key, room[key], out)

    # -- snapshots ------------------------------------------------------------------------

    def pack(self) -> bytes:
        """What is remembered, as msgpack."""
        memories = [
            Packed(
                namespace,
                gateway,
                key,
                memory.since,
                memory.known,
                sorted(memory.said),
                [(source, _plain(part)) for source, part in memory.waiting],
                memory.ended,
            )
            for namespace, room in self._rooms.items()
            for (gateway, key), memory in room.items()
        ]
        stories = self._attempts.pack()
        twins = self._twins.pack()
        listings = self._listings.pack()
        talks = self._dialogues.pack()
        return msgspec.msgpack.encode(
            Snapshot(self.clock, memories, stories, self.evicted, twins, talks, listings)
        )

    def restore(self, packed: bytes) -> None:
        """Remember what was packed. Raises ValueError where it is no snapshot."""
        found = msgspec.msgpack.decode(packed, type=Snapshot)
        self.clock, self.evicted = found.clock, found.evicted
        for one in found.memories:
            memory = Memory(one.since)
            memory.known, memory.said, memory.ended = one.known, set(one.said), one.ended
            memory.waiting = [(source, _part(plain)) for source, plain in one.waiting]
            key = (one.gateway, one.key)
            room = self._rooms.get(one.namespace)
            if room is None:
                continue  # of a version that joined by more than we do
            room[key] = memory
            for _, part in memory.waiting:
                self._order += 1
                heapq.heappush(self._held, (part.at + part.wait, self._order, one.namespace, key))
            if memory.ended:
                self._ending.append((found.clock + LINGER, one.namespace, key, memory))
            if one.namespace == "queue" and "message" in memory.said:
                message_id = memory.known.get("message_id")
                if message_id:
                    self._ids.setdefault((one.gateway, message_id), one.key)
        self._attempts.restore(found.stories)
        self._twins.restore(found.twins)
        self._listings.restore(found.listings)
        self._dialogues.restore(found.talks)
        self.due = found.clock


def _same_sender(one: str, other: str) -> bool:
    """Whether it is one sender: a local one may have got its domain on the way."""
    if one.count("@") == other.count("@"):
        return one == other
    return one.partition("@")[0] == other.partition("@")[0]


def _of_smtp(auth: Auth) -> bool:
    return bool(auth.client) and auth.service in ("smtp", "submission")


def _made(part: Part, known: dict[str, Any]) -> Fact:
    kind = part.event
    if not isinstance(kind, type):
        return kind  # type: ignore[return-value]
    values = part.values or {}
    for name, remembered in FILLED[kind]:
        if name not in values:
            value = known.get(remembered)
            if value:
                values[name] = value
    return kind(at=part.at, gateway=part.gateway, offset=part.offset, **values)


_KINDS = {kind.type: kind for kind in events.EVENTS}


def _plain(part: Part) -> dict[str, Any]:
    """A part that waits; those have kinds of event, not ready ones."""
    plain = msgspec.structs.asdict(part)
    plain["event"] = part.event.type if part.event is not None else ""
    return plain


def _part(plain: dict[str, Any]) -> Part:
    return Part(**{**plain, "event": _KINDS.get(plain["event"])})
