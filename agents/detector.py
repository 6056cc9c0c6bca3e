"""What a detector is. The list of them is in agents/detectors/__init__.py."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.windows import Past
from schemas.events import Fact, Signal
from schemas.findings import Evidence, Severity, Stage, Wish
from schemas.keys import Key, Site


class Mark(Struct, frozen=True):
    """A detector's word that a shape stands right now. Cheap: one is made at every event that
    adds to it; the engine asks for the `Judgement` only when something is to be told."""

    name: str  # the finding's name, as "auth_breach"
    shape: str
    severity: Severity
    about: str = ""  # part of the finding's identity, where a subject can have several
    incident: str = ""  # id of another subject's finding that it is part of, where that is known


class Withdraw(Struct, frozen=True):
    """A detector's word that it was wrong about the subject: the finding no longer stands, and
    what was decided for it ends. With a `client`, only that one is no longer accused by it."""

    name: str
    why: str
    about: str = ""
    client: str = ""


class Question(Struct, frozen=True, kw_only=True):
    """What a detector would know of a client and no log tells: what the DNS says of its names, and
    whether it may send for these domains. It is asked elsewhere, and no event waits for it; what
    comes of it, if anything, are signals to the client's watcher."""

    at: float
    about: Key  # whom the answers go to
    client: str  # the address
    greetings: tuple[str, ...] = ()  # names that it gave in HELO
    domains: tuple[str, ...] = ()  # of senders


Said = Mark | Signal | Withdraw | Question


class Judgement(Struct, kw_only=True):
    """A mark with all that a person needs to believe it."""

    summary: str
    evidence: list[Evidence]
    clients: Iterable[str] = ()
    clients_count: int = 0  # 0: as many as are listed
    accounts: Iterable[str] = ()
    accounts_count: int = 0
    targets: Iterable[str] = ()
    targets_count: int = 0
    checks: list[str] = field(default_factory=list)
    wish: Wish | None = None


class View:
    """What a detector may look at beside the event and its own state. The engine owns it and
    changes it from event to event: look, do not keep."""

    __slots__ = (
        "_around",
        "_asked",
        "_known",
        "_near",
        "at",
        "cold",
        "key",
        "open",
        "past",
        "site",
        "trusted",
        "value",
    )

    key: Key
    value: str  # the key without its letter
    at: float  # event time
    past: Past  # who succeeded at this subject before
    cold: bool  # too little past was seen to rest a silence on it (7 days)
    open: frozenset[str] | set[str]  # names of this subject's findings that stand
    site: Site
    trusted: bool  # the event's client is allowed, or stands between us and the real client:
    # no client detector judges it

    def __init__(self, site: Site, around: Callable[[Key], Past | None]) -> None:
        self.site = site
        self._around = around

    def turn(self, key: Key, past: Past) -> None:
        """Look at another subject."""
        self.key = key
        self.value = key[2:]
        self.past = past
        self._near: Past | None = None
        self._asked, self._known = "", False

    @property
    def around(self) -> Past:
        """Who succeeded in the network around a client; else the same as `past`."""
        near = self._near
        if near is None:
            near = (self._around(self.key) if self.key[0] == "c" else None) or self.past
            self._near = near
        return near

    def knows(self, value: str) -> bool:
        """Whether a login (of a mailbox: a network) succeeded here or around here in 30 days."""
        if value != self._asked:  # several detectors ask the same about one event
            self._asked = value
            self._known = self.past.knows(value, self.at) or self.around.knows(value, self.at)
        return self._known


class Detector(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Watches some kinds of event, one subject at a time, and says when it sees an attack.

    Its fields are its settings, read from ``[detectors.NAME]``. What it has seen of a subject is
    a `state` that the engine keeps for it and packs with msgpack: a detector never knows where.
    It does no IO and reads no clock: time is ``event.at``. It may not raise on any event, and
    what it keeps of one subject is bounded whatever comes.

    A subclass with state S is a frozen Struct and defines the class variables below.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    technique: ClassVar[str] = ""  # MITRE ATT&CK
    blind_to: ClassVar[str] = ""
    findings: ClassVar[tuple[str, ...]] = ()  # names of what it finds, where not only its own
    weighs: ClassVar[tuple[str, ...]] = ("",)  # shapes for which `judge` shows other counts
    # which events it hears for which kind of key: {"c": (Auth,), "m": (Signal,)}
    hears: ClassVar[dict[str, tuple[type[Fact], ...]]]
    # hears also what a second reporter knows of a failure that was counted, as one of count 0
    enriched: ClassVar[bool] = False
    state: ClassVar[type[Struct]]  # called without arguments for a subject not seen before

    enabled: bool = True
    stage: Stage = "alert"  # its findings are kept; told as well; what it decides enforced as well

    @property
    def horizon(self) -> float:
        """Its longest window in seconds: an episode ends, and its state goes, after so much
        quiet."""
        raise NotImplementedError

    @property
    def sleeps(self) -> bool:
        """Whether an event that is no offence need not be shown to it as long as it has no
        state of the subject: most logins and mails are nobody's business."""
        return False

    def minds(self, event: Any, view: View) -> bool:
        """Whether an event can matter to it. Asked as long as it has no state of the subject:
        where it says no, it gets none, and is not shown the event."""
        return True

    @property
    def memory(self) -> float:
        """How long its state of a quiet subject is kept, in seconds: at least the horizon."""
        return self.horizon

    def observe(self, event: Any, seen: Any, view: View) -> Iterable[Said]:
        """Fold `event` into what was `seen`, and say a mark for each shape that stands now
        and that this event adds to. To say the same mark at every event is expected.

        A generator goes on after the engine took up what it yielded: from then on the finding
        is in ``view.open``. Where nothing is said, an empty tuple costs the least.
        A finding that was withdrawn comes back with the next mark of its name.

        Signals said here go to their subjects' watchers, with the incident that they are about
        (`Signal.finding`); hearing one twice must change nothing there. Guard against sending
        one at every event: say it once in a while. The same goes for questions, of which many are
        never answered.
        """
        raise NotImplementedError

    def judge(self, mark: Mark, seen: Any, view: View) -> Judgement:
        """The evidence for a mark, as of now. Called right after `observe`, and again when
        more evidence has come in."""
        raise NotImplementedError
