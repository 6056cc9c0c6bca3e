"""One client that sends for accounts which have nothing in common but the thief.

Each account watches through whom it sends, and tells a client that is new to it; the client sees
which accounts meet there.
"""

from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import DAY, Distinct, Window
from schemas import keys, net
from schemas.events import Message, Signal
from schemas.findings import Evidence

NAME = "account_cluster"
TODAY = Window(DAY)
STRANGERS = 32  # accounts that one client uses away from home, by name
HOMES = 8  # networks of an account that are compared with those of others


class Stranger(Struct, array_like=True):
    """An account that is used by a client and at home elsewhere."""

    at: float
    homes: list[str]  # fingerprints of its networks


class Seen(Struct, array_like=True):
    clients: Distinct = field(default_factory=Distinct)  # of an account: recipients through each
    strangers: dict[str, Stranger] = field(default_factory=dict)  # of a client: by account


class AccountCluster(Detector, frozen=True, kw_only=True):
    """One shape: one_client. The subject is the client; all its accounts are named.

    An account counts that was at home elsewhere for two days or more, was never here, and sends
    to several from here now. Colleagues who travel together share a network at home, a phone
    behind a carrier's address sends little, and an office is where its people are at home.
    """

    name = NAME
    technique = "T1078"  # Valid Accounts
    blind_to = (
        "accounts whose logins were not seen before, thieves with a client for each, and the first"
        " week of logs"
    )
    hears: ClassVar = {"m": (Message,), "c": (Signal,)}
    state = Seen

    accounts: int = 3  # that never shared a network, through one client in a day *
    recipients: int = 20  # that each of them must have there in a day *

    @property
    def horizon(self) -> float:
        return float(DAY)

    def observe(self, event: Message | Signal, seen: Seen, view: View) -> Iterable[Mark | Signal]:
        if isinstance(event, Message):
            return self._sent(event, seen, view)
        if event.kind == "stranger":
            self._met(event, seen)
            if len(self._unrelated(seen, event.at)) >= self.accounts:
                return (Mark(NAME, "one_client", "high"),)
        return ()

    def _sent(self, event: Message, seen: Seen, view: View) -> Iterable[Signal]:
        """Tell the client, once, when the account has sent enough through it."""
        site, at = view.site, event.at
        if not event.client or view.trusted or event.client in site.own:
            return ()
        if keys.mailbox(event.account, site.default_domain) != view.value:
            return ()
        client, count = net.client(event.client), max(1, event.recipients)
        before = TODAY.times(seen.clients, client)
        TODAY.see(seen.clients, client, at, count)
        if not before < self.recipients <= before + count:
            return ()
        homes = view.past.homes(at)[-HOMES:]
        if view.cold:  # logs that begin on a weekend know everybody's home, and not the office
            return ()
        if not homes or view.past.settled(net.network(client), at):
            return ()
        word = Signal(
            at=at,
            about=f"c:{client}",
            kind="stranger",
            client=client,
            account=view.value,
            detail=" ".join(f"{home:x}" for home in homes),
        )
        return (word,)

    def _met(self, event: Signal, seen: Seen) -> None:
        before = seen.strangers.pop(event.account, None)
        if len(seen.strangers) >= STRANGERS:
            del seen.strangers[next(iter(seen.strangers))]
        at = max(event.at, before.at) if before else event.at
        seen.strangers[event.account] = Stranger(at, event.detail.split()[:HOMES])

    def _unrelated(self, seen: Seen, at: float) -> list[str]:
        """The accounts of the client's day, of which no two are at home in one network."""
        homes: set[str] = set()
        found = []
        for account, stranger in sorted(seen.strangers.items()):
            if at - stranger.at <= DAY and homes.isdisjoint(stranger.homes):
                homes.update(stranger.homes)
                found.append(account)
        return found

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        accounts = self._unrelated(seen, view.at)
        return Judgement(
            summary=f"{view.value} sends for {len(accounts)} accounts that never shared a network",
            evidence=[Evidence("accounts through one client", len(accounts), self.accounts)],
            clients=[view.value],
            accounts=accounts,
            checks=["none of them was at home here, or where one of the others is"],
        )
