"""Guessing addresses: recipients that do not exist, one after the other.

Watched from three sides: the client, the network around it, and the domain that the guesses
claim to come from. Postfix logs no accepted RCPT, but a message with the number of its
recipients; other servers log both: the larger of the two counts is how many were accepted.
"""

import math
from collections.abc import Iterable, Iterator
from typing import ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View, Withdraw
from agents.windows import DAY, Counts, Distinct, Window
from agents.words import said
from schemas import net
from schemas.events import Message, Recipient, Signal
from schemas.findings import Action, Evidence, Target, Wish
from schemas.keys import LONGEST

NAME = "directory_harvest"
WEEK = Window(7 * DAY, 7)
TODAY = Window(DAY, 2880)  # slices of 30 s, so that ten minutes and an hour can be read from it
SHARES = Window(DAY)
TOLD = Window(3600.0, 4)
SENDERS = 8  # domains of one big provider that are watched at a time
BEGUN = 8  # messages that one client sends at a time
QUEUE_ID = 40  # characters
ASKS = 300.0  # seconds between two questions to a gateway
WAITING = 64  # clients of a network or a domain by name


class Tally(Struct, array_like=True):
    """Recipients by what became of them, over a day."""

    unknown: Distinct = field(default_factory=Distinct)
    missed: Counts = field(default_factory=Counts)  # each time that one was unknown
    nameless: Counts = field(default_factory=Counts)  # of them, from the null sender
    other: Counts = field(default_factory=Counts)  # refused for any other reason
    accepted: Counts = field(default_factory=Counts)  # at RCPT
    taken: Counts = field(default_factory=Counts)  # with a message
    asked: Counts = field(default_factory=Counts)  # of the missed, by VRFY or EXPN

    def note(self, event: Recipient) -> None:
        if _guesses(event):
            TODAY.see(self.unknown, event.recipient, event.at)
            SHARES.add(self.missed, event.at)
            if event.command:
                SHARES.add(self.asked, event.at)
            elif not event.sender:
                SHARES.add(self.nameless, event.at)
        elif event.verdict == "accepted":
            SHARES.add(self.accepted, event.at)
        elif event.verdict != "deferred":  # it comes again
            SHARES.add(self.other, event.at)

    def good(self, at: float) -> int:
        """Recipients that were accepted."""
        return max(SHARES.total(self.accepted, at), SHARES.total(self.taken, at))

    def share(self, at: float) -> float:
        """The part of all recipients that does not exist, 0 to 1."""
        missed = SHARES.total(self.missed, at)
        return missed / max(1, missed + SHARES.total(self.other, at) + self.good(at))

    def surely(self, at: float, errors: float) -> float:
        """The least part that may not exist, were there more of them: the lower end of Wilson's
        interval (1927), so many standard errors wide. A list of which some are gone may begin
        with those."""
        missed = SHARES.total(self.missed, at)
        n = max(1, missed + SHARES.total(self.other, at) + self.good(at))
        share, z = missed / n, errors * errors
        spread = errors * math.sqrt(share * (1 - share) / n + z / (4 * n * n))
        return (share + z / (2 * n) - spread) / (1 + z / n)

    def null_share(self, at: float) -> float:
        """The part of the unknown ones that came without a sender, 0 to 1."""
        return SHARES.total(self.nameless, at) / max(1, SHARES.total(self.missed, at))


class Seen(Struct, array_like=True):
    tally: Tally = field(default_factory=Tally)
    messages: Counts = field(default_factory=Counts)  # accepted, over a week
    senders: dict[str, Tally] = field(default_factory=dict)  # of a big provider, by domain
    begun: list[str] = field(default_factory=list)  # messages of which a recipient was accepted
    told: Distinct = field(default_factory=Distinct)  # domains that were told of this client
    answered: float = 0.0  # when the first answer was asked for
    # of a network or a domain: the clients that guessed, those of them that do nothing else,
    # and by name those of a network, or those that a domain has not told yet what it sees
    clients: Distinct = field(default_factory=Distinct)
    guessers: Distinct = field(default_factory=Distinct)
    waiting: list[str] = field(default_factory=list)
    asked: float = 0.0  # when the gateway was asked last whether its directory is broken
    fault: float = 0.0  # when it said so


class DirectoryHarvest(Detector, frozen=True):
    """A client tries names until some exist.

    An honest client misses now and then, among mail that is delivered: so it is the share of
    its recipients that do not exist, and their number, that tell. Reports that answer forged
    mail come from the null sender and are backscatter. A provider that carries everybody's
    mail is judged for each of its senders' domains, and never blocked.
    """

    name = NAME
    technique = "T1589.002"  # Gather Victim Identity Information: Email Addresses
    blind_to = (
        "guessing from the null sender (it looks like backscatter), guessing hidden among as "
        "much mail to addresses that exist, one single message that found an address before it "
        "went on to guess, and servers that accept every recipient"
    )
    hears: ClassVar = {
        "c": (Recipient, Message, Signal),
        "n": (Recipient, Message),
        "d": (Recipient, Signal),
    }
    state = Seen
    weighs: ClassVar = ("fast", "slow", "network")

    quick: int = 10  # distinct unknown recipients in a short while *
    quick_seconds: float = 600.0  # the short while
    hourly: int = (
        25  # distinct unknown recipients in an hour [Cisco ESA: 25 invalid recipients an hour]
    )
    hour_seconds: float = 3600.0  # the hour
    share: float = 0.5  # unknown ones of the client's recipients [Forcepoint: 50 %]
    errors: float = 2.0  # standard errors that the share must be above that: 95 % sure *
    null_share: float = 0.5  # of the unknown ones from the null sender: it is backscatter *
    slow: int = 10  # in a day, where nothing was accepted *
    slow_share: float = 0.9  # unknown ones of its recipients then *
    slow_block: int = 25  # from so many on it is more than an alert *
    spread: int = 50  # in a day, of a network or a sender's domain *
    spread_share: float = 0.8  # unknown ones of its recipients; clients that only guess *
    spread_clients: int = 2  # fewer are no network: the client itself is the subject *
    provider: int = 20  # messages accepted in 7 days: it carries other people's mail *
    patience: float = 600.0  # seconds; who goes on after the first answer is refused *
    fault: float = 1800.0  # seconds of silence after a gateway said that its directory is broken *

    @property
    def horizon(self) -> float:
        return float(DAY)

    @property
    def memory(self) -> float:
        return WEEK.seconds

    # -- what is seen -----------------------------------------------------------------------

    def observe(
        self, event: Recipient | Message | Signal, seen: Seen, view: View
    ) -> Iterable[Mark | Signal | Withdraw]:
        letter = view.key[0]
        if isinstance(event, Signal):
            return self._told(event, seen, view)
        if event.account or view.trusted:
            return ()  # a login's typing mistakes are judged with the account
        if isinstance(event, Message):
            self._accepted(event, letter, seen)
        elif (event.sender or letter != "d") and event.at - seen.fault > self.fault:
            seen.tally.note(event)
            if letter == "c":
                return self._asking(event, self._client(event, seen, view), seen, view)
            if _guesses(event):
                return self._asking(event, self._neighbour(event, letter, seen, view), seen, view)
        return ()

    def _asking(
        self, event: Recipient, said: Iterable[Mark | Signal], seen: Seen, view: View
    ) -> Iterator[Mark | Signal]:
        """What is said; and with a finding the question to the gateway (directory_fault) whether
        it is our own directory that is broken."""
        found = False
        for each in said:
            found |= type(each) is Mark
            yield each
        if found and event.gateway and event.at - seen.asked >= ASKS:
            seen.asked = event.at
            yield Signal(
                at=event.at, about=f"g:{event.gateway}", kind="harvesting", detail=view.key
            )

    def _neighbour(
        self, event: Recipient, letter: str, seen: Seen, view: View
    ) -> Iterable[Mark | Signal]:
        """A client of this network, or of mail from this domain, guesses."""
        client = net.client(event.client)
        if letter == "d":
            TODAY.see(seen.clients, client, event.at)
            return self._domain(seen, view)
        if not TODAY.holds(seen.clients, client, event.at):
            seen.waiting = [*seen.waiting[1 - WAITING :], client]
        TODAY.see(seen.clients, client, event.at)
        return self._network(seen, view)

    def _accepted(self, event: Message, letter: str, seen: Seen) -> None:
        count = max(1, event.recipients)
        SHARES.add(seen.tally.taken, event.at, count)
        if letter != "c":
            return  # only a client is asked whether it is a provider
        WEEK.add(seen.messages, event.at)
        sender = seen.senders and seen.senders.get(_domain(event.sender))
        if sender:
            SHARES.add(sender.taken, event.at, count)

    def _client(self, event: Recipient, seen: Seen, view: View) -> Iterable[Mark | Signal]:
        domain = _domain(event.sender)
        if domain and (domain in seen.senders or _guesses(event)):
            self._of_sender(seen, domain).note(event)
        if not _guesses(event) or self._is_under_way(event, seen):
            return ()
        return self._guess(domain, seen, view)

    def _guess(self, domain: str, seen: Seen, view: View) -> Iterator[Mark | Signal]:
        at, tally = view.at, seen.tally
        if self._is_provider(seen, at):
            if domain and self._is_fast(seen.senders[domain], at):
                yield Mark(NAME, "provider", "low", domain)
            return
        if self._is_backscatter(tally, at):
            return
        if self._is_fast(tally, at):
            yield self._marked(seen, "fast", view)
        elif self._is_slow(tally, at):
            yield self._marked(seen, "slow", view)
        if not domain or TOLD.holds(seen.told, domain, at):
            return
        if tally.share(at) >= self.spread_share:
            TOLD.see(seen.told, domain, at)
            yield Signal(at=at, about=f"d:{domain}", kind="guesser", client=view.value)

    def _is_under_way(self, event: Recipient, seen: Seen) -> bool:
        """Whether others of this message were accepted, and it is still to come: then it counts,
        and nothing is concluded before the next one."""
        message = event.queue_id[:QUEUE_ID]
        if not message:
            return False
        again = message in seen.begun
        if not again:
            seen.begun = [*seen.begun[1 - BEGUN :], message]
        return again

    def _told(self, event: Signal, seen: Seen, view: View) -> Iterator[Mark | Signal | Withdraw]:
        if event.kind == "fault":
            why = f"the directory of {event.gateway} is broken: it refuses addresses that exist"
            for about in ("", *seen.senders):
                yield Withdraw(NAME, why, about)
            seen.fault, seen.answered = max(seen.fault, event.at), 0.0
            seen.tally = Tally()
            seen.senders.clear()
        elif event.at - seen.fault <= self.fault:
            return
        elif event.kind == "guesser":
            if not TODAY.holds(seen.guessers, event.client, event.at):
                seen.waiting = [*seen.waiting[1 - WAITING :], event.client]
            TODAY.see(seen.guessers, event.client, event.at)
            yield from self._domain(seen, view)
        elif event.kind == "harvest" and NAME not in view.open:
            tally = seen.tally
            if self._is_provider(seen, event.at):
                return
            if tally.share(event.at) >= self.share and not self._is_backscatter(tally, event.at):
                yield self._marked(seen, "took_part", view)

    def _network(self, seen: Seen, view: View) -> Iterator[Mark]:
        tally, at = seen.tally, view.at
        if (
            TODAY.distinct(tally.unknown, at) >= self.spread
            and TODAY.distinct(seen.clients, at) >= self.spread_clients
            and tally.share(at) >= self.spread_share
            and not self._is_backscatter(tally, at)
        ):
            yield self._marked(seen, "network", view)

    def _domain(self, seen: Seen, view: View) -> Iterator[Mark | Signal]:
        at = view.at
        clients = TODAY.distinct(seen.clients, at)
        if (
            TODAY.distinct(seen.tally.unknown, at) >= self.spread
            and clients >= self.spread_clients
            and TODAY.distinct(seen.guessers, at) >= self.spread_share * clients
        ):
            yield Mark(NAME, "domain", "medium")
            waiting, seen.waiting = seen.waiting, []
            for client in waiting:
                yield Signal(at=at, about=f"c:{client}", kind="harvest", client=client)

    # -- what it amounts to -----------------------------------------------------------------

    def _is_provider(self, seen: Seen, at: float) -> bool:
        return WEEK.total(seen.messages, at) >= self.provider

    def _is_backscatter(self, tally: Tally, at: float) -> bool:
        return tally.null_share(at) >= self.null_share

    def _is_fast(self, tally: Tally, at: float) -> bool:
        return (
            TODAY.distinct(tally.unknown, at) >= min(self.quick, self.hourly)
            and tally.surely(at, self.errors) >= self.share
            and (
                TODAY.since(tally.unknown, at, self.quick_seconds) >= self.quick
                or TODAY.since(tally.unknown, at, self.hour_seconds) >= self.hourly
            )
        )

    def _is_slow(self, tally: Tally, at: float) -> bool:
        return (
            TODAY.distinct(tally.unknown, at) >= self.slow
            and not tally.good(at)
            and tally.share(at) >= self.slow_share
        )

    def _marked(self, seen: Seen, shape: str, view: View) -> Mark:
        if NAME not in view.open:
            seen.answered = 0.0
        if not seen.answered and not self._is_mild(shape, seen, view.at):
            seen.answered = view.at
        return Mark(NAME, shape, "medium")

    def _is_mild(self, shape: str, seen: Seen, at: float) -> bool:
        """Whether it is only an alert, as long as nothing worse came before."""
        return shape == "slow" and TODAY.distinct(seen.tally.unknown, at) < self.slow_block

    def _of_sender(self, seen: Seen, domain: str) -> Tally:
        """The tally of a sender's domain; the one that was quiet longest makes room for it."""
        tally = seen.senders.pop(domain, None) or Tally()
        if len(seen.senders) >= SENDERS:
            del seen.senders[next(iter(seen.senders))]
        seen.senders[domain] = tally
        return tally

    # -- in words ---------------------------------------------------------------------------

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at, shape = view.at, mark.shape
        tally = seen.senders.get(mark.about, seen.tally)
        missed = TODAY.distinct(tally.unknown, at)
        asked = SHARES.total(tally.asked, at)
        evidence = self._evidence(shape, tally, seen, at)
        clients = [view.value]
        if shape == "network":
            clients = seen.waiting
        elif shape == "domain":
            clients = [*TODAY.names(seen.guessers), *seen.waiting]
        elif shape == "provider":
            clients = []
        return Judgement(
            summary=_SUMMARIES[shape].format(
                who=view.value,
                about=mark.about,
                missed=said(missed, about=tally.unknown.estimated),
                fate="do not exist or were only asked for" if asked else "do not exist",
            ),
            evidence=evidence,
            clients=clients,
            targets=TODAY.names(tally.unknown),
            targets_count=missed,
            checks=[
                f"{tally.good(at)} recipients were accepted",
                f"{tally.null_share(at):.0%} of the unknown ones came from the null sender",
                *(
                    [f"{asked} were asked for by VRFY or EXPN, whether they exist or not"]
                    if asked
                    else []
                ),
            ],
            wish=self._wish(shape, seen, view),
        )

    def _evidence(self, shape: str, tally: Tally, seen: Seen, at: float) -> list[Evidence]:
        share = round(100 * tally.share(at), 1)
        if shape in ("fast", "provider"):
            return [
                _recent("unknown recipients in 10 min", tally, at, self.quick_seconds, self.quick),
                _recent("unknown recipients in 1 h", tally, at, self.hour_seconds, self.hourly),
                Evidence("unknown of all recipients", share, 100 * self.share, "%"),
            ]
        if shape == "slow":
            return [
                TODAY.evidence("unknown recipients in 24 h", tally.unknown, at, self.slow),
                Evidence("unknown of all recipients", share, 100 * self.slow_share, "%"),
            ]
        if shape == "took_part":
            return [Evidence("unknown of all recipients", share, 100 * self.share, "%")]
        clients = TODAY.distinct(seen.clients, at)
        found = [
            TODAY.evidence("unknown recipients in 24 h", tally.unknown, at, self.spread),
            TODAY.evidence("clients that guess", seen.clients, at, self.spread_clients),
        ]
        if shape == "network":
            return [
                *found,
                Evidence("unknown of all recipients", share, 100 * self.spread_share, "%"),
            ]
        guessers = round(100 * TODAY.distinct(seen.guessers, at) / max(1, clients), 1)
        return [
            *found,
            Evidence("clients that only guess", guessers, 100 * self.spread_share, "%"),
        ]

    def _wish(self, shape: str, seen: Seen, view: View) -> Wish | None:
        if shape in ("provider", "domain") or not seen.answered:
            return None
        goes_on = view.at - seen.answered >= self.patience
        action: Action = "reject" if goes_on else "tarpit"
        return Wish(action, Target("network", view.value))


def _guesses(event: Recipient) -> bool:
    """Whether a client named an address that does not exist; or asked for one by VRFY or EXPN,
    which nobody needs to deliver mail (RFC 5321, 7.3), whatever the answer was."""
    return event.verdict == "unknown" or event.command != ""


def _domain(sender: str) -> str:
    return sender.rpartition("@")[2][:LONGEST] if "@" in sender else ""


def _part(tally: Tally, at: float, seconds: float) -> int:
    return TODAY.since(tally.unknown, at, seconds)


def _recent(sign: str, tally: Tally, at: float, seconds: float, threshold: float) -> Evidence:
    return Evidence(sign, _part(tally, at, seconds), threshold, estimated=tally.unknown.estimated)


_SUMMARIES = {
    "fast": "{who} guesses addresses: {missed} {fate}",
    "slow": "{who} guesses addresses slowly: {missed} {fate}",
    "took_part": "{who} guesses addresses, as many do with it: {missed} {fate}",
    "provider": "mail from {about} through {who} guesses addresses: {missed} {fate}",
    "network": "clients of {who} guess addresses: {missed} {fate}",
    "domain": "clients that say they are {who} guess addresses: {missed} {fate}",
}
