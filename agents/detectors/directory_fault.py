"""Our own list of recipients is broken: addresses that exist are refused.

Servers that have sent us much mail suddenly miss with nearly everything, several of them at
once; or addresses are refused whose owners log in, or which got mail a few days ago. No attacker
can cause that from outside; a directory that is down, an empty recipient map or a lost domain
does, and every minute of it is mail that bounces. While it lasts, whoever was taken for one who
guesses addresses is let go.
"""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import DAY, Counts, Distinct, Window
from agents.words import many
from schemas import keys, net
from schemas.events import Delivery, Message, Recipient, Signal

SHORT = Window(600.0)
WEEK = Window(7 * DAY, 14)
ASKING = 64  # watchers of clients that asked and may have to be told
HOUR = 3600.0
ALL = "nearly all"  # what a server that asks about an address misses with


class Seen(Struct, array_like=True):
    # of a client
    messages: Counts = field(default_factory=Counts)  # accepted, in a week
    taken: Counts = field(default_factory=Counts)  # recipients, lately
    missed: Counts = field(default_factory=Counts)
    said: float = 0.0
    # of a gateway: who says so
    clients: Distinct = field(default_factory=Distinct)
    places: Distinct = field(default_factory=Distinct)
    recipients: Distinct = field(default_factory=Distinct)
    ours: Distinct = field(default_factory=Distinct)  # refused, though their owners log in
    asking: dict[str, float] = field(default_factory=dict)  # keys that are taken for harvesters
    stood: float = 0.0  # when the fault was last seen
    reached: Distinct = field(default_factory=Distinct)  # refused, though they got mail
    servers: Distinct = field(default_factory=Distinct)  # to whom these are refused
    # of an address
    received: float = 0.0  # when mail last reached it, as far as is looked


class DirectoryFault(Detector, frozen=True, kw_only=True):
    """Shapes: unknown, known_addresses (people who log in are refused as unknown),
    accepted_addresses (those who got mail in the last week are, to servers that miss with nearly
    everything). The subject is the gateway; nobody is accused.

    Departments close, and a list that only they read misses with all of them: it is one server.
    """

    name = "directory_fault"
    technique = "T1489"  # Service Stop: whoever did it, mail is lost
    blind_to = (
        "sites to which few servers send regularly; and addresses that seldom get mail, of which"
        " one in eight is looked at"
    )
    hears: ClassVar = {"c": (Recipient, Message), "g": (Signal,), "m": (Signal, Delivery)}
    state = Seen

    provider: int = 20  # messages accepted in 7 days: it knows our addresses *
    misses: int = 5  # unknown recipients of it in 10 min *
    share: float = 0.8  # of its recipients in 10 min *
    clients: int = 3  # of as many providers (/16, /32), within 10 min *
    addresses: int = 3  # refused within 10 min whose owners logged in in the last 30 days *
    accepted: int = 5  # refused within 10 min that got mail in the last 7 days *
    servers: int = 2  # to so many servers that miss with nearly everything *
    lasts: float = 1800.0  # seconds after its last sign that a fault is taken to last *

    @property
    def horizon(self) -> float:
        return 86400.0

    @property
    def memory(self) -> float:
        return WEEK.seconds

    def minds(self, event: Any, view: View) -> bool:
        """Nobody is regular before a first message."""
        if type(event) is Delivery:
            return self._reaches(event, view)
        return type(event) is not Recipient

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark | Signal]:
        if type(event) is Signal:
            if view.key[0] == "g":
                return self._told(event, seen, view)
            return self._of_address(event, seen, view) if event.kind == "missing" else ()
        if type(event) is Delivery:
            if self._reaches(event, view):
                seen.received = max(seen.received, event.at)
            return ()
        if event.account:
            return ()
        if type(event) is Message:
            WEEK.add(seen.messages, event.at)
            SHORT.add(seen.taken, event.at, max(1, event.recipients))
        elif event.verdict == "unknown" and event.sender:
            return self._missed(event, seen)
        return ()

    @staticmethod
    def _reaches(event: Delivery, view: View) -> bool:
        """Whether mail got to the address."""
        asked = event.original or event.recipient
        return event.status == "sent" and keys.mailbox(asked) == view.value

    def _missed(self, event: Recipient, seen: Seen) -> Iterator[Signal]:
        """A server that knows our addresses missed: the address's own watcher is asked whether
        its owner logs in or got mail, and the gateway is told where it misses with nearly
        everything."""
        at = event.at
        missed = SHORT.add(seen.missed, at)
        if WEEK.total(seen.messages, at) < self.provider:
            return
        client, asked = net.client(event.client), event.recipient
        every = missed + SHORT.total(seen.taken, at)
        nearly_all = missed >= self.misses and missed >= self.share * every
        yield Signal(
            at=at,
            gateway=event.gateway,
            about=f"m:{keys.mailbox(asked)}",
            kind="missing",
            client=client,
            detail=ALL if nearly_all else "",
        )
        if nearly_all and at - seen.said >= SHORT.seconds / 2:
            seen.said = at
            about = f"g:{event.gateway}"
            yield Signal(at=at, about=about, kind="missed", client=client, detail=asked)

    def _of_address(self, word: Signal, seen: Seen, view: View) -> Iterable[Signal]:
        if view.past.any(word.at):
            kind = "missed_ours"
        elif word.detail == ALL and word.at - seen.received <= WEEK.seconds:
            kind = "missed_reached"
        else:
            return ()
        about = f"g:{word.gateway}"
        return (Signal(at=word.at, about=about, kind=kind, client=word.client, detail=view.value),)

    def _told(self, word: Signal, seen: Seen, view: View) -> Iterator[Mark | Signal]:
        at = word.at
        if word.kind == "harvesting":
            if at - seen.stood <= self.lasts:
                yield self._let_go(word, word.detail)
            else:
                while len(seen.asking) >= ASKING:
                    del seen.asking[next(iter(seen.asking))]
                seen.asking[word.detail] = at
            return
        shape = self._shape(word, seen, view)
        if not shape:
            return
        yield Mark(self.name, shape, "critical")
        seen.stood = max(seen.stood, at)
        asking, seen.asking = seen.asking, {}
        for key, asked in asking.items():
            if at - asked <= HOUR:
                yield self._let_go(word, key)

    def _shape(self, word: Signal, seen: Seen, view: View) -> str:
        """What stands with this word; "" where it is not enough."""
        at = word.at
        if word.kind == "missed_ours":
            ours = SHORT.see(seen.ours, word.detail, at)
            return "known_addresses" if ours >= self.addresses else ""
        if word.kind == "missed_reached":
            servers = SHORT.see(seen.servers, word.client, at)
            reached = SHORT.see(seen.reached, word.detail, at)
            enough = reached >= self.accepted and servers >= self.servers
            return "accepted_addresses" if enough else ""
        if word.kind != "missed":
            return ""
        SHORT.see(seen.recipients, word.detail, at)
        clients = SHORT.see(seen.clients, word.client, at)
        places = SHORT.see(seen.places, view.site.place(word.client), at)
        return "unknown" if clients >= self.clients and places >= self.clients else ""

    def _let_go(self, word: Signal, key: str) -> Signal:
        gateway = word.about[2:]
        return Signal(at=word.at, gateway=gateway, about=key, kind="fault")

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        clients = SHORT.distinct(seen.clients, at)
        ours, reached = SHORT.distinct(seen.ours, at), SHORT.distinct(seen.reached, at)
        named = (SHORT.names(one) for one in (seen.ours, seen.reached, seen.recipients))
        refused = list(dict.fromkeys(name for names in named for name in names))
        servers = many(clients, "server", about=seen.clients.estimated)
        who = {
            "known_addresses": f"though {many(ours, 'owner')} of them logged in within 30 days",
            "accepted_addresses": f"though {reached} of them got mail within 7 days",
        }.get(mark.shape, f"for {servers} that have long sent us mail")
        return Judgement(
            summary=f"{view.value} refuses addresses as unknown {who}, as"
            f" {', '.join(refused[:3])}. Look at its recipient map or directory: this mail"
            " bounces",
            evidence=[
                SHORT.evidence("servers that suddenly miss", seen.clients, at, self.clients),
                SHORT.evidence("providers", seen.places, at, self.clients),
                SHORT.evidence("refused whose owners log in", seen.ours, at, self.addresses),
                SHORT.evidence("refused that got mail", seen.reached, at, self.accepted),
            ],
            targets=refused,
            targets_count=max(
                len(refused), SHORT.distinct(seen.recipients, at) + ours, reached + ours
            ),
            checks=[f"each had {self.provider} messages accepted in 7 days"],
        )
