"""Mail from outside that came around the hosted filter which all of it is to pass.

Whoever knows a gateway's own address can deliver there, and no filter sees it. A stray message
comes from a sender that remembers an old MX record; much of it, or spam, from somebody who
looked for the way around. The gateway is watched for the hole, and each client for its use of it;
where many use it, only the gateway is spoken of: its port is what must be closed.
"""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import DAY, Counts, Distinct, Window
from agents.words import many
from schemas import net
from schemas.events import Message, Signal, Verdict
from schemas.findings import Evidence, Target, Wish

NAME = "filter_bypass"
TODAY = Window(DAY)
WEEK = Window(7 * DAY, 14)
TOLD = Window(3600.0, 4)
HOUR = 3600.0
WAYS = 4  # gateways of one client
SHOWN = 8  # clients of a gateway, by name
BAD = ("spam", "virus")
AROUND, AROUND_SPAM = "around_filter", "around_filter_spam"  # kinds of signals


class Way(Struct, array_like=True):
    """What a client brought to one gateway."""

    messages: Counts = field(default_factory=Counts)
    spam: Counts = field(default_factory=Counts)  # what a filter of ours thought of them
    told: float = 0.0  # when the gateway last said that it was around the filter
    said: float = 0.0  # when the gateway was last told of spam


class Seen(Struct, array_like=True):
    # of a client
    ways: dict[str, Way] = field(default_factory=dict)  # by gateway
    # of a gateway
    through: Counts = field(default_factory=Counts)  # messages of the filter, in a week
    around: Counts = field(default_factory=Counts)  # of others, in a day
    clients: Distinct = field(default_factory=Distinct)
    spammers: Distinct = field(default_factory=Distinct)
    told: Distinct = field(default_factory=Distinct)  # clients whose watcher was told lately


class FilterBypass(Detector, frozen=True, kw_only=True):
    """Shapes of a gateway: stray (a message or two), open (many clients), spam (of some clients).
    Of a client: direct (it makes a habit of it), spam.

    ``[network] filters`` declares the filter; without it nothing is said. Only gateways that the
    filter delivers to are judged: the filter's own log, a gateway of other domains and an
    outgoing one see other clients by right. Logins, our own networks and whom ``[network]``
    names as upstream or allowed (backup MX, monitoring, partners) may deliver directly.
    """

    name = NAME
    technique = "T1566"  # Phishing: what the filter was to keep out
    blind_to = (
        "gateways to which the filter delivers nothing, or names its own clients (XFORWARD,"
        " PROXY) in its place, and domains that do not go through it at a gateway where others do"
    )
    hears: ClassVar = {"c": (Message, Verdict, Signal), "g": (Message, Signal)}
    state = Seen

    through: int = 10  # messages of the filter in 7 days: the gateway is behind it *
    messages: int = 5  # of a client around it in a day *
    spam: int = 3  # of them that were called spam *
    clients: int = 10  # of a gateway in a day: the gateway is open, no further one is named *
    spammers: int = 3  # clients of a gateway in a day whose mail was called spam *

    @property
    def horizon(self) -> float:
        return float(DAY)

    @property
    def memory(self) -> float:
        return WEEK.seconds

    def minds(self, event: Any, view: View) -> bool:
        if type(event) is Signal:
            return event.kind in (AROUND, AROUND_SPAM)
        site = view.site
        if not site.filters or event.account or not event.client:
            return False
        if view.trusted or event.client in site.own:
            return view.key[0] == "g" and event.client in site.filters
        return type(event) is Message or event.kind in BAD

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark | Signal]:
        if not self.minds(event, view):
            return ()
        if view.key[0] == "g":
            return self._at_gateway(event, seen, view)
        way = self._way(seen, event.gateway)
        if type(event) is Signal:
            way.told = max(way.told, event.at)
        else:
            TODAY.add(way.messages if type(event) is Message else way.spam, event.at)
        return self._of_client(event, way, seen, view)

    # -- the gateway ------------------------------------------------------------------------

    def _at_gateway(
        self, event: Message | Signal, seen: Seen, view: View
    ) -> Iterator[Mark | Signal]:
        at = event.at
        if type(event) is Signal:
            if TODAY.see(seen.spammers, event.client, at) >= self.spammers:
                yield Mark(NAME, "spam", "high")
            return
        if event.client in view.site.filters:
            WEEK.add(seen.through, at)
            return
        if WEEK.total(seen.through, at) < self.through:
            return
        client = net.client(event.client)
        TODAY.add(seen.around, at)
        if TODAY.see(seen.clients, client, at) >= self.clients:
            yield Mark(NAME, "open", "medium")
            return
        yield Mark(NAME, "stray", "low")
        if not TOLD.holds(seen.told, client, at):
            TOLD.see(seen.told, client, at)
            yield Signal(at=at, gateway=view.value, about=f"c:{client}", kind=AROUND)

    # -- the client -------------------------------------------------------------------------

    def _of_client(
        self, event: Message | Verdict | Signal, way: Way, seen: Seen, view: View
    ) -> Iterator[Mark | Signal]:
        at = event.at
        if at - way.told > DAY:
            return
        if TODAY.total(way.spam, at) and at - way.said >= HOUR:
            way.said = at
            about = f"g:{event.gateway}"
            yield Signal(at=at, about=about, kind=AROUND_SPAM, client=view.value)
        messages, spam = self._around(seen, at)
        if spam >= self.spam:
            yield Mark(NAME, "spam", "high")
        elif messages >= self.messages:
            yield Mark(NAME, "direct", "medium")

    def _way(self, seen: Seen, gateway: str) -> Way:
        way = seen.ways.pop(gateway, None) or Way()
        while len(seen.ways) >= WAYS:
            del seen.ways[next(iter(seen.ways))]
        seen.ways[gateway] = way
        return way

    def _around(self, seen: Seen, at: float) -> tuple[int, int]:
        """Messages around the filter in a day, and how many of all were called spam."""
        ways = [way for way in seen.ways.values() if at - way.told <= DAY]
        messages = sum(TODAY.total(way.messages, at) for way in ways)
        return messages, sum(TODAY.total(way.spam, at) for way in ways)

    # -- in words ---------------------------------------------------------------------------

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        return self._hole(mark, seen, view) if view.key[0] == "g" else self._user(mark, seen, view)

    def _hole(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        around, clients = TODAY.total(seen.around, at), TODAY.distinct(seen.clients, at)
        filters = [*view.site.filters]
        only = ", ".join(filters[:3]) + ", ..." * (len(filters) > 3)
        who = many(clients, "client", about=seen.clients.estimated)
        spam = TODAY.distinct(seen.spammers, at)
        worse = f"; spam came from {spam} of them" if mark.shape == "spam" else ""
        return Judgement(
            summary=f"{view.value} took {many(around, 'message')} of {who} in a day around the"
            f" filter{worse}. The cure: open port 25 of {view.value} to the filter's networks"
            f" only ({only}), and let no MX record name it",
            evidence=[
                Evidence("messages around the filter in 24 h", around, 1),
                TODAY.evidence("clients", seen.clients, at, self.clients),
                TODAY.evidence("clients that sent spam", seen.spammers, at, self.spammers),
                Evidence(
                    "messages through the filter in 7 d",
                    WEEK.total(seen.through, at),
                    self.through,
                ),
            ],
            # Who only has an old MX record is accused of nothing: the hole is the finding.
            clients=TODAY.names(seen.spammers),
            checks=[
                "no login, not ours, neither upstream nor allowed",
                f"delivered by {', '.join(TODAY.names(seen.clients)[:SHOWN])}",
            ],
        )

    def _user(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        messages, spam = self._around(seen, at)
        gateways = ", ".join(name for name, way in seen.ways.items() if at - way.told <= DAY)
        bad = mark.shape == "spam"
        return Judgement(
            summary=f"{view.value} brought {many(messages, 'message')} to {gateways} in a day"
            + f"; {spam} were called spam" * bad
            + ", around the filter that mail from outside comes through. A partner or a"
            " monitoring service that may belongs to [network] allow",
            evidence=[
                Evidence("messages around the filter in 24 h", messages, self.messages),
                Evidence("called spam", spam, self.spam),
            ],
            clients=[view.value],
            checks=["no login, not ours, neither upstream nor allowed"],
            wish=Wish("reject" if bad else "notify", Target("network", view.value)),
        )
