"""Our own list of recipients is broken: addresses that exist are refused.

Servers that have sent us much mail suddenly miss with nearly everything, several of them at
once. No attacker can cause that from outside; a directory that is down, an empty recipient map
or a lost domain does, and every minute of it is mail that bounces.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import DAY, Counts, Distinct, Window
from agents.words import many
from schemas import net
from schemas.events import Message, Recipient, Signal

SHORT = Window(600.0)
WEEK = Window(7 * DAY, 14)


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


class DirectoryFault(Detector, frozen=True, kw_only=True):
    """One shape: unknown. The subject is the gateway; nobody is accused."""

    name = "directory_fault"
    technique = "T1489"  # Service Stop: whoever did it, mail is lost
    blind_to = "sites to which few servers send regularly"
    hears: ClassVar = {"c": (Recipient, Message), "g": (Signal,)}
    state = Seen

    provider: int = 20  # messages accepted in 7 days: it knows our addresses *
    misses: int = 5  # unknown recipients of it in 10 min *
    share: float = 0.8  # of its recipients in 10 min *
    clients: int = 3  # of as many providers (/16, /32), within 10 min *

    @property
    def horizon(self) -> float:
        return 86400.0

    @property
    def memory(self) -> float:
        return WEEK.seconds

    def minds(self, event: Any, view: View) -> bool:
        """Nobody is regular before a first message."""
        return type(event) is not Recipient

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark | Signal]:
        if type(event) is Signal:
            return self._told(event, seen, view)
        if event.account:
            return ()
        if type(event) is Message:
            WEEK.add(seen.messages, event.at)
            SHORT.add(seen.taken, event.at, max(1, event.recipients))
        elif event.verdict == "unknown" and event.sender:
            return self._missed(event, seen)
        return ()

    def _missed(self, event: Recipient, seen: Seen) -> Iterable[Signal]:
        at = event.at
        missed = SHORT.add(seen.missed, at)
        if missed < self.misses or WEEK.total(seen.messages, at) < self.provider:
            return ()
        if missed < self.share * (missed + SHORT.total(seen.taken, at)):
            return ()
        if at - seen.said < SHORT.seconds / 2:
            return ()
        seen.said = at
        client, asked = net.client(event.client), event.recipient
        about = f"g:{event.gateway}"
        return (Signal(at=at, about=about, kind="missed", client=client, detail=asked),)

    def _told(self, word: Signal, seen: Seen, view: View) -> Iterable[Mark]:
        if word.kind != "missed":
            return ()
        at = word.at
        SHORT.see(seen.recipients, word.detail, at)
        clients = SHORT.see(seen.clients, word.client, at)
        places = SHORT.see(seen.places, view.site.place(word.client), at)
        if clients >= self.clients and places >= self.clients:
            return (Mark(self.name, "unknown", "critical"),)
        return ()

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        clients = SHORT.distinct(seen.clients, at)
        servers = many(clients, "server", about=seen.clients.estimated)
        return Judgement(
            summary=f"{view.value} refuses addresses as unknown for {servers} that"
            f" have long sent us mail, as {', '.join(SHORT.names(seen.recipients)[:3])}. Look at"
            " its recipient map or directory: this mail bounces",
            evidence=[
                SHORT.evidence("servers that suddenly miss", seen.clients, at, self.clients),
                SHORT.evidence("providers", seen.places, at, self.clients),
            ],
            targets=SHORT.names(seen.recipients),
            targets_count=SHORT.distinct(seen.recipients, at),
            checks=[f"each had {self.provider} messages accepted in 7 days"],
        )
