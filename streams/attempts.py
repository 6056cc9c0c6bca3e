"""One attempt to log in, many reporters: counted once.

Dovecot's authentication server writes a detail for each password database that it asked; its
login process sums up the session; Postfix warns of each failure, and adds them up when the
client leaves. Each reporter may be silent, by configuration or version.

- Details of a session wait for its summary, which knows how many attempts there were; they
  know why, for whom and with which password. What a summary does not confirm (one database
  refused, the next one opened) never happened.
- Details without a session are of Postfix's clients: the next warning of that client is the
  same attempt, and takes what they know. Dovecot holds a refusal back for some seconds.
  saslauthd does not even know the client: the account decides, or that there is no other.
- Windows' event log tells of one attempt under two numbers, of which one knows the account and
  the other the client; neither is merged with others of its own kind.
- Postfix's sum counts only what no warning and no detail has told.
- What nobody sums up within `PATIENCE` is told as it is.

Driven by the order of lines and their times alone; everything is bounded.
"""

from collections import deque
from typing import Any

from msgspec import Struct, field, structs

from schemas.events import Auth, Fact
from streams.parsers.part import Attempt

PATIENCE = 20.0  # seconds that a detail waits
EARLY = 5.0  # seconds from a library's word to the server's; PAM delays its answer
CHAIN = 1.5  # seconds within which one attempt's details come; Dovecot delays the next attempt
MEMORY = 600.0  # seconds that a silent session is remembered
HELD = 64  # details that wait for one session or client
LIMIT = 50_000  # sessions and clients that are remembered

Told = tuple[str, Fact]  # source, event


class Detail(Struct, array_like=True):
    source: str
    event: Auth
    until: float
    early: bool = False


class Story(Struct, array_like=True):
    """What is known of one session, or of one client without sessions."""

    last: float = 0.0
    details: list[Detail] = field(default_factory=list)
    told: int = 0  # attempts that were told as events, or explained
    opened: list[str] = field(default_factory=list)  # accounts


Key = tuple[str, str]  # gateway, session or client


class Attempts:
    """Gives each attempt once, as one event with all that its reporters know."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._stories: dict[Key, Story] = {}
        self._waiting: deque[tuple[float, Key]] = deque()
        self._aging: deque[tuple[float, Key]] = deque()
        self._reporters = {
            "summary": self._summary,
            "tally": self._tally,
            "smtp": self._smtp,
            "detail": self._detail,
            "single": self._single,
            "early": self._detail,
        }
        self.evicted = 0
        self.due = float("inf")  # when `advance` has something to tell

    def add(self, attempt: Attempt, source: str, out: list[Told]) -> None:
        """Put what is told now, by or because of this report, into `out`."""
        self._reporters[attempt.reporter](attempt, source, out)

    def advance(self, at: float, out: list[Told]) -> None:
        """Put what has waited long enough into `out`, and forget what is old."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= at:
            _, key = waiting.popleft()
            story = self._stories.get(key)
            if story is not None:
                _release(story, at, out)
        aging = self._aging
        while aging and aging[0][0] <= at:
            _, key = aging.popleft()
            story = self._stories.get(key)
            if story is None:
                continue
            if story.last + MEMORY <= at:
                _release(story, float("inf"), out)
                del self._stories[key]
            else:
                aging.append((story.last + MEMORY, key))
        self._set_due()

    def _set_due(self) -> None:
        self.due = self._waiting[0][0] if self._waiting else float("inf")

    def pack(self) -> Any:
        return [[list(key), story] for key, story in self._stories.items()]

    def restore(self, packed: Any) -> None:
        for key, story in packed:
            self._stories[tuple(key)] = story
            self._aging.append((story.last + MEMORY, tuple(key)))
            for detail in story.details:
                self._waiting.append((detail.until, tuple(key)))
        self._set_due()

    # -- reporters ------------------------------------------------------------------------

    def _detail(self, attempt: Attempt, source: str, out: list[Told]) -> None:
        event = attempt.event
        key = (event.gateway, attempt.session or "@" + event.client)
        if attempt.session:
            self._forget_early(event)
            self._forget_nobodys(event, 1)
        story = self._story(key, event.at, out)
        held = story.details
        if held and _one_attempt(held[-1], event):
            held[-1].event = _joined(held[-1].event, event)
            held[-1].early = False
            return
        if len(held) >= HELD:
            story.told += 1
            first = held.pop(0)
            out.append((first.source, first.event))
        self._hold(key, story, Detail(source, event, 0.0, attempt.reporter == "early"))

    def _single(self, attempt: Attempt, source: str, out: list[Told]) -> None:
        event = attempt.event
        key = (event.gateway, "@" + event.client)
        story = self._story(key, event.at, out)
        for held in story.details:
            one = held.event
            if bool(one.account) != bool(event.account) and abs(event.at - one.at) <= EARLY:
                held.event = _completed(event, one) if one.account else _completed(one, event)
                return
        other = None if event.account else self._nobodys(event)
        if other is not None:
            event = _completed(event, other)
        if len(story.details) >= HELD:
            first = story.details.pop(0)
            out.append((first.source, first.event))
        self._hold(key, story, Detail(source, event, 0.0))

    def _hold(self, key: Key, story: Story, detail: Detail) -> None:
        detail.until = detail.event.at + PATIENCE
        story.details.append(detail)
        self._waiting.append((detail.until, key))
        self.due = min(self.due, detail.until)

    def _summary(self, attempt: Attempt, source: str, out: list[Told]) -> None:
        event = attempt.event
        self._forget_nobodys(event, event.count)
        story = self._stories.pop((event.gateway, attempt.session), None)
        if story is None:
            client = self._stories.get((event.gateway, "@" + event.client))
            if client is None:
                out.append((source, event))
                return
            story = _without_session(client, event)
        if event.outcome == "ok":
            before = (d for d in story.details if d.event.at <= event.at - CHAIN)
            out += [(detail.source, _like(detail.event, event)) for detail in before]
            out.append((source, event))
            return
        left = event.count - story.told
        details = story.details[-left:] if left > 0 else []
        out += [(source, one) for one in _grouped(details, event, left)]

    def _smtp(self, attempt: Attempt, source: str, out: list[Told]) -> None:
        event = attempt.event
        session = self._story((event.gateway, attempt.session), event.at, out)
        if event.outcome == "ok":
            if event.account in session.opened:
                return
            if len(session.opened) < HELD:
                session.opened.append(event.account)
            self._forget_chain(event)
            out.append((source, event))
            return
        session.told += event.count
        if not attempt.said:
            return
        for _ in range(event.count):
            detail = self._take(event, session)
            if detail is None:
                break
            event = _completed(event, detail)
        out.append((source, event))

    def _tally(self, attempt: Attempt, source: str, out: list[Told]) -> None:
        event = attempt.event
        session = self._stories.pop((event.gateway, attempt.session), None)
        explained = session.told if session else 0
        if attempt.opened and not (session and session.opened):
            out.append((source, structs.replace(event, outcome="ok", reason="")))
        left = attempt.tried - attempt.opened - explained
        while left > 0 and (detail := self._take(event)) is not None:
            out.append((source, _completed(event, detail)))
            left -= 1
        client = self._stories.get((event.gateway, "@" + event.client)) if left > 0 else None
        if client is not None:
            told = min(client.told, left)
            client.told -= told
            left -= told
        if left > 0:
            out.append((source, structs.replace(event, count=left)))

    # -- memory ---------------------------------------------------------------------------

    def _story(self, key: Key, at: float, out: list[Told]) -> Story:
        story = self._stories.get(key)
        if story is None:
            if len(self._stories) >= self._limit:
                oldest = next(iter(self._stories))
                _release(self._stories.pop(oldest), float("inf"), out)
                self.evicted += 1
            story = self._stories[key] = Story()
            self._aging.append((at + MEMORY, key))
        if at > story.last:
            story.last = at
        return story

    def _take(self, event: Auth, session: Story | None = None) -> Auth | None:
        """The detail that waits for this attempt of an SMTP server's, if there is one."""
        client = self._stories.get((event.gateway, "@" + event.client))
        for story in (session, client):
            for index, detail in enumerate(story.details if story else ()):
                if not event.account or not detail.event.account or _same(event, detail.event):
                    return story.details.pop(index).event  # type: ignore[union-attr]
        return self._nobodys(event)

    def _nobodys(self, event: Auth) -> Auth | None:
        """The detail of this attempt whose reporter did not know the client."""
        nobody = self._stories.get((event.gateway, "@"))
        if nobody is None or not event.client:
            return None
        near = [
            detail
            for detail in nobody.details
            if event.at - detail.event.at <= EARLY and _served(event, detail.event)
        ]
        if event.account:
            near = [detail for detail in near if _same(event, detail.event)]
        elif event.outcome == "error":
            return None  # what could not be checked was not refused either
        elif len(near) > 1:
            return None  # whose it was is unknown
        if not near:
            return None
        nobody.details.remove(near[0])
        return near[0].event

    def _forget_early(self, event: Auth) -> None:
        """What a library said of this attempt names no session."""
        client = self._stories.get((event.gateway, "@" + event.client))
        if client is not None:
            client.details = [d for d in client.details if not (d.early and _one_attempt(d, event))]

    def _forget_nobodys(self, event: Auth, count: int) -> None:
        """The same of a library that does not even know the client."""
        nobody = self._stories.get((event.gateway, "@"))
        if nobody is None or not event.account:
            return
        known = [d for d in nobody.details if d.early and d.event.account == event.account]
        for detail in known[:count]:
            nobody.details.remove(detail)

    def _forget_chain(self, event: Auth) -> None:
        """One database refused, the next one opened: the first one's word is no failure."""
        story = self._stories.get((event.gateway, "@" + event.client))
        if story is not None:
            story.details = [
                d
                for d in story.details
                if not (_same(d.event, event) and d.event.at > event.at - CHAIN)
            ]


def _without_session(client: Story, event: Auth) -> Story:
    """Details of this attempt that name no session (before Dovecot 2.2), taken from what is
    known of its client."""
    story = Story(details=[d for d in client.details if _same(d.event, event)])
    client.details = [d for d in client.details if not _same(d.event, event)]
    return story


def _release(story: Story, at: float, out: list[Told]) -> None:
    ripe = [detail for detail in story.details if detail.until <= at]
    if ripe:
        story.details = [detail for detail in story.details if detail.until > at]
        story.told += len(ripe)
        out += [(detail.source, detail.event) for detail in ripe]


def _same(one: Auth, other: Auth) -> bool:
    """Whether two reporters mean one account: Postfix may log it with its realm."""
    return _local(one.account) == _local(other.account)


def _served(one: Auth, other: Auth) -> bool:
    """Whether two reporters mean one service, as far as they tell it; submission is SMTP, too."""
    services = {
        "smtp" if event.service == "submission" else event.service for event in (one, other)
    }
    return len(services - {""}) < 2


def _local(account: str) -> str:
    """A login without its domain, be it Windows' or the mail's."""
    return account.rpartition("\\")[2].partition("@")[0]


def _one_attempt(detail: Detail, other: Auth) -> bool:
    one = detail.event
    return (
        abs(other.at - one.at) <= (EARLY if detail.early else CHAIN)
        and (one.account == other.account or not one.account or not other.account)
        and (not one.password or not other.password or one.password == other.password)
    )


def _joined(one: Auth, other: Auth) -> Auth:
    """A wrong password for somebody says more than nobody in another database."""
    reason = other.reason if one.reason == "unknown_account" else one.reason
    return structs.replace(
        one,
        reason=reason,
        account=one.account or other.account,
        password=one.password or other.password,
        mechanism=one.mechanism or other.mechanism,
    )


def _like(detail: Auth, event: Auth) -> Auth:
    return structs.replace(
        detail, service=event.service, mechanism=detail.mechanism or event.mechanism
    )


def _completed(event: Auth, detail: Auth) -> Auth:
    return structs.replace(
        event,
        account=event.account or detail.account,
        reason=detail.reason,
        mechanism=event.mechanism or detail.mechanism,
        password=detail.password,
    )


def _grouped(details: list[Detail], event: Auth, total: int) -> list[Auth]:
    """The `total` attempts of a session, told at its end: one event for each account and
    password tried. Those that no detail tells of are the last account's."""
    counts: dict[tuple[str, str, str], int] = {}
    for detail in details:
        one = detail.event
        what = (one.account or event.account, one.password, one.reason)
        counts[what] = counts.get(what, 0) + 1
    if total > len(details):
        last = next((w for w in counts if w[0] == event.account and not w[1]), None)
        what = last or (event.account, "", event.reason)
        counts[what] = counts.get(what, 0) + total - len(details)
    weak = event.reason in ("rejected", "")
    return [
        structs.replace(
            event,
            account=account,
            password=password,
            reason=reason if weak else event.reason,
            count=count,
        )
        for (account, password, reason), count in counts.items()
    ]
