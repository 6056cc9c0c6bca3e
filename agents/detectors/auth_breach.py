"""An account was opened by somebody who had guessed at it, and what is done with it then.

The watchers of clients tell of it (signal ``breach``: the client opened this account after it was
found guessing). Here two more ways are seen: an account that many guess at together is opened
from a network new to it, and an account that nobody may use from outside is used from outside.
A client that nobody knew and that opens the account amid a campaign, looks in once, and is followed
by the owner in a known place, is a member of the campaign whose password was right.
For a day the account is followed: mail that it sends and settings that it changes from a strange
place tell a thief from a person who forgot a password.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View, Withdraw
from agents.windows import Counts, Distinct, Window, window
from agents.words import many
from schemas import keys, net
from schemas.events import Auth, Change, Message, Signal
from schemas.findings import Evidence, Severity, Target, Wish

CLIENTS = 16  # that opened one account and are remembered
DIGITS = 6  # of a count in a signal; more are no count
AGAIN = 3600.0  # seconds between two words about one client
NEWCOMERS = 4  # clients that opened one account amid a campaign and are waited for


class Opened(Struct, array_like=True):
    """How one client opened the account."""

    at: float
    way: str  # guessed, distributed, forbidden
    others: int = 0  # further accounts that it guessed at


class Seen(Struct, array_like=True):
    clients: dict[str, Opened] = field(default_factory=dict)
    strangers: Distinct = field(default_factory=Distinct)  # networks that failed here
    messages: Counts = field(default_factory=Counts)  # sent from strange places since the breach
    changes: Counts = field(default_factory=Counts)  # of settings, likewise
    newcomers: dict[str, float] = field(default_factory=dict)  # opened it amid a campaign: when


class AuthBreach(Detector, frozen=True, kw_only=True):
    """Shapes, by how the account was opened: guessed, distributed, forbidden."""

    name = "auth_breach"
    technique = "T1078"
    blind_to = "passwords that were phished or bought: nobody guessed (account_burst)"
    hears: ClassVar = {"m": (Auth, Signal, Message, Change)}
    state = Seen

    follow: float = 86400.0  # seconds: how long the account is followed
    sent: int = 5  # messages that make it critical where nobody guessed from that place *
    others: int = 2  # further accounts guessed at tell a thief from a person who mistypes *
    apart: float = 3600.0  # seconds until the owner's next login elsewhere tells a newcomer apart *
    wanders: int = 3  # networks seen on one day only are habits of an account on the move *
    forbidden: tuple[str, ...] = ()  # disabled, guests', leavers' and service accounts

    @property
    def horizon(self) -> float:
        return self.follow

    @property
    def sleeps(self) -> bool:
        return not self.forbidden  # any login may be one of theirs

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark | Signal | Withdraw]:
        if type(event) is Signal:
            if event.kind == "breach" and event.client:
                self._opened(event, seen)
                return (self._mark(seen, view),)
            if event.kind == "excused":
                return self._excuse(event, seen, view)
            if event.kind == "amid_campaign" and self._is_settled(view):
                while len(seen.newcomers) >= NEWCOMERS:
                    del seen.newcomers[next(iter(seen.newcomers))]
                seen.newcomers[event.client] = event.at
        elif type(event) is Auth:
            return self._login(event, seen, view)
        elif seen.clients and self._is_strange(event.client, event, seen, view):
            counts = seen.messages if type(event) is Message else seen.changes
            self._window.add(counts, event.at)
            return (self._mark(seen, view),)
        return ()

    def _login(self, event: Auth, seen: Seen, view: View) -> Iterable[Signal]:
        if not event.client or view.trusted:
            return ()
        if event.outcome == "failed":
            self._window.see(seen.strangers, net.network(event.client), event.at)
            return ()
        if event.outcome == "ok" and seen.newcomers:
            return self._apart(event, seen, view)
        if event.outcome != "ok" or not (self.forbidden or "auth_distributed" in view.open):
            return ()
        return self._open(event, seen, view)

    def _is_settled(self, view: View) -> bool:
        """Whether the account has a home, and is seldom elsewhere."""
        past = view.past
        once = [first for first, last, _ in past.seen.values() if first == last]
        return bool(past.homes(view.at)) and len(once) <= self.wanders

    def _apart(self, event: Auth, seen: Seen, view: View) -> Iterator[Signal]:
        """The account is opened again: by the newcomer, who is a person then, or by its owner
        elsewhere, who has not moved. Others who log in where it was excuse it
        (auth_distributed)."""
        newcomers = seen.newcomers
        newcomers.pop(net.client(event.client), None)
        if view.past.earlier(net.network(event.client), event.at):
            for client, at in list(newcomers.items()):
                if event.at - at >= self.apart:
                    del newcomers[client]
                    yield Signal(
                        at=event.at,
                        gateway=event.gateway,
                        about=f"c:{client}",
                        kind="newcomer",
                        client=client,
                        account=view.value,
                        detail="distributed",
                    )
        if self.forbidden or "auth_distributed" in view.open:
            yield from self._open(event, seen, view)

    def _open(self, event: Auth, seen: Seen, view: View) -> Iterator[Signal]:
        client, place = net.client(event.client), net.network(event.client)
        if self._is_forbidden(view) and event.client not in view.site.own:
            about, kind, way = view.key, "breach", "forbidden"
        elif "auth_distributed" in view.open and self._is_new(place, seen, view):
            # Its watcher knows whether others are at home there (auth_distributed).
            about, kind, way = f"c:{client}", "newcomer", "distributed"
        else:
            return
        known = seen.clients.get(client)
        if known is None or event.at - known.at >= AGAIN:
            yield Signal(
                at=event.at,
                gateway=event.gateway,
                about=about,
                kind=kind,
                client=client,
                account=view.value,
                detail=way,
            )

    def _opened(self, word: Signal, seen: Seen) -> None:
        counted = word.detail.isdecimal() and len(word.detail) <= DIGITS
        way = word.detail if word.detail in ("distributed", "forbidden") else "guessed"
        others = int(word.detail) if counted else 0
        before = seen.clients.pop(word.client, None)
        if before is None:
            before = Opened(word.at, way)
            if len(seen.clients) >= CLIENTS:
                del seen.clients[next(iter(seen.clients))]
        elif way == "guessed" and before.way != "forbidden":
            before.way = way
        before.at = max(before.at, word.at)
        before.others = max(before.others, others)
        seen.clients[word.client] = before

    def _excuse(self, word: Signal, seen: Seen, view: View) -> Iterable[Withdraw]:
        """People of ours log in from where the account was opened: it was its owner."""
        opened = seen.clients.get(word.client)
        if opened is None or opened.way == "forbidden":
            return ()
        del seen.clients[word.client]
        why = f"others of ours log in from {word.client} as well: it was its owner"
        return (Withdraw(self.name, why, client=word.client if seen.clients else ""),)

    def _is_new(self, place: str, seen: Seen, view: View) -> bool:
        """Whether the account was never opened from a network. With too little past to tell, it
        must have failed from there."""
        if view.past.knows(place, view.at):
            return False
        return not view.cold or self._window.holds(seen.strangers, place, view.at)

    def _is_forbidden(self, view: View) -> bool:
        domain = view.site.default_domain
        return any(keys.mailbox(name, domain) == view.value for name in self.forbidden)

    def _is_strange(self, client: str, event: Message | Change, seen: Seen, view: View) -> bool:
        """Whether a client is one of those that opened the account, or unknown to it."""
        if all(abs(event.at - opened.at) > self.follow for opened in seen.clients.values()):
            return False
        if not client:
            return type(event) is Change
        return net.client(client) in seen.clients or not (
            view.trusted or view.past.knows(net.network(client), event.at)
        )

    def _mark(self, seen: Seen, view: View) -> Mark:
        ways = {opened.way for opened in seen.clients.values()}
        shape = next((way for way in ("forbidden", "guessed") if way in ways), "distributed")
        return Mark(self.name, shape, self._severity(seen, ways, view.at))

    def _severity(self, seen: Seen, ways: set[str], at: float) -> Severity:
        least = 1 if "guessed" in ways else self.sent
        used = self._window.total(seen.messages, at) >= least
        used |= self._window.total(seen.changes, at) > 0
        others = any(opened.others >= self.others for opened in seen.clients.values())
        if "forbidden" in ways or others or used:
            return "critical"
        return "high" if "distributed" in ways else "medium"

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        messages = self._window.total(seen.messages, view.at)
        changes = self._window.total(seen.changes, view.at)
        others = max((opened.others for opened in seen.clients.values()), default=0)
        counts = [
            Evidence("clients that opened it", len(seen.clients), 1),
            Evidence("further accounts guessed at", others, self.others),
            Evidence("messages since", messages, 1),
            Evidence("changes since", changes, 1),
        ]
        clients = list(seen.clients)
        return Judgement(
            summary=f"{view.value} was opened by {', '.join(clients)} ({mark.shape});"
            f" since then {many(messages, 'message')}, {many(changes, 'change')} from there",
            evidence=[count for count in counts if count.count],
            clients=clients,
            accounts=[view.value],
            checks=[f"networks that it used in 30 days: {view.past.count(view.at)}"],
            wish=_wish(mark, clients, view.value),
        )

    @cached_property
    def _window(self) -> Window:
        return window(self.follow)


def _wish(mark: Mark, clients: list[str], account: str) -> Wish:
    """A thief loses the way in; a person who may have forgotten a password is only told of."""
    if mark.severity in ("medium", "high") or not clients:
        return Wish("notify", Target("account", account))
    return Wish("reject", Target("client_account", f"{clients[-1]} {account}"))
