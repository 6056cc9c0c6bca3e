"""A client asks whether we relay for strangers.

Most do it by mistake: a customer's program with the wrong port (stale_client), a newsletter with
a typing mistake in the domain, a partner that writes to a domain which we gave up. One mail that
is tried again and again is one question. What tells a probe is that it does not stop, or that it
tries the forms of address by which servers have been talked into relaying: foreign, null and own
senders; percent, bang and source routes; literals and quotes.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import DAY, Counts, Distinct, Window
from agents.words import many, said
from schemas import net
from schemas.events import Message, Recipient
from schemas.findings import Evidence, Target, Wish
from schemas.keys import Site

SHORT = Window(600.0)
HOUR = Window(3600.0, 30)  # slices of 2 min, so that 10 min can be read from it
TODAY = Window(DAY)
WEEK = Window(7 * DAY, 14)
COLD = "less than a week was seen: it may be a customer with the wrong port"


class Seen(Struct, array_like=True):
    denied: Counts = field(default_factory=Counts)  # in an hour
    shapes: Distinct = field(default_factory=Distinct)  # sender's and recipient's, in an hour
    targets: Distinct = field(default_factory=Distinct)  # recipients
    week: Counts = field(default_factory=Counts)
    clients: Distinct = field(default_factory=Distinct)  # of a network, in a day
    pairs: Distinct = field(default_factory=Distinct)  # senders with recipients, in an hour
    mail: float = 0.0  # when a message of the client was accepted


class RelayProbe(Detector, frozen=True, kw_only=True):
    """Shapes: forms (it tries forms of address), insistent, patient (now and then for days), asked;
    network (its neighbours take turns)."""

    name = "relay_probe"
    technique = "T1595"  # Active Scanning
    blind_to = (
        "where our domains are not set: servers that refuse relaying with the words of another"
        " refusal"
    )
    hears: ClassVar = {"c": (Recipient, Message), "n": (Recipient,)}
    state = Seen

    asked: int = 2  # distinct pairs of sender and recipient denied in 10 min *
    insistent: int = 8  # denials in an hour, of as many pairs as make one ask *
    forms: int = 3  # distinct forms of sender and recipient in an hour *
    patient: int = 5  # denials in a week *
    neighbours: int = 4  # clients of a network in a day, *
    together: int = 8  # denials of them *
    seconds: float = 3600.0  # of a block, at least
    partner: float = 604800.0  # seconds that a client is known after mail of it was accepted *

    @property
    def horizon(self) -> float:
        return float(DAY)

    @property
    def memory(self) -> float:
        return WEEK.seconds

    def minds(self, event: Any, view: View) -> bool:
        if view.trusted or event.account:
            return False
        return type(event) is Message or _denied(event, view.site)

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark]:
        if not self.minds(event, view):
            return ()
        if type(event) is Message:
            seen.mail = max(seen.mail, event.at)
            return ()
        at, site = event.at, view.site
        if view.past.any(at) or (view.around.any(at) and _is_customer(event.sender, site)):
            return ()  # a customer of ours on the wrong port
        HOUR.see(seen.targets, event.recipient, at)
        if view.key[0] == "n":
            clients = TODAY.see(seen.clients, net.client(event.client), at)
            denied = TODAY.add(seen.denied, at)
            stands = clients >= self.neighbours and denied >= self.together
            return (Mark(self.name, "network", "medium"),) if stands else ()
        denied = HOUR.add(seen.denied, at)
        HOUR.see(seen.pairs, f"{event.sender} {event.recipient}", at)
        pairs, short = HOUR.distinct(seen.pairs, at), HOUR.since(seen.pairs, at, SHORT.seconds)
        shape = f"{_sender(event.sender, site)} to {form(event.recipient, site)}"
        forms = HOUR.see(seen.shapes, shape, at)
        week = WEEK.add(seen.week, at)
        if forms >= self.forms:
            return (Mark(self.name, "forms", "medium"),)
        if seen.mail and at - seen.mail <= self.partner:
            return ()  # it writes to us as well: a partner with an old address
        if denied >= self.insistent and pairs >= self.asked:
            return (Mark(self.name, "insistent", "medium"),)
        if short >= self.asked:
            return (Mark(self.name, "asked", "low"),)
        return (Mark(self.name, "patient", "low"),) if week >= self.patient else ()

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        if view.key[0] == "n":
            return self._judge_network(seen, view)
        denied = HOUR.total(seen.denied, at)
        forms = HOUR.distinct(seen.shapes, at)
        week = WEEK.total(seen.week, at)
        wish = None
        if mark.shape not in ("asked", "patient"):
            target = Target("network", view.value)
            wish = Wish("reject", target, self.seconds, against=COLD if view.cold else "")
        return Judgement(
            summary=f"{view.value} asked {many(week, 'time')} in a week whether we relay:"
            f" {', '.join(HOUR.names(seen.shapes))}",
            evidence=[
                Evidence(
                    "pairs refused in 10 min",
                    HOUR.since(seen.pairs, at, SHORT.seconds),
                    self.asked,
                ),
                Evidence("refused in an hour", denied, self.insistent),
                Evidence("forms of address", forms, self.forms),
                Evidence("refused in a week", week, self.patient),
            ],
            clients=[view.value],
            targets=HOUR.names(seen.targets),
            targets_count=HOUR.distinct(seen.targets, at),
            checks=["no login from its network in 30 days"],
            wish=wish,
        )

    def _judge_network(self, seen: Seen, view: View) -> Judgement:
        at = view.at
        clients, denied = TODAY.distinct(seen.clients, at), TODAY.total(seen.denied, at)
        target = Target("network", view.value)
        return Judgement(
            summary=f"{said(clients, about=seen.clients.estimated)} addresses of {view.value}"
            f" asked {many(denied, 'time')} in a day whether we relay",
            evidence=[
                TODAY.evidence("clients", seen.clients, at, self.neighbours),
                Evidence("refused in a day", denied, self.together),
            ],
            clients=TODAY.names(seen.clients),
            clients_count=clients,
            targets=HOUR.names(seen.targets),
            checks=["no login from the network in 30 days"],
            wish=Wish("reject", target, self.seconds, against=COLD if view.cold else ""),
        )


def _denied(event: Recipient, site: Site) -> bool:
    """Whether a stranger was refused who wanted mail relayed. Some servers (OpenSMTPD) refuse a
    recipient of another domain with the words for a mailbox that nobody has."""
    if event.verdict != "unknown" or event.command or not site.domains:
        return event.verdict == "relay_denied"
    if "@" not in event.recipient or site.local(event.recipient):
        return False
    return event.client not in site.own


def _is_customer(sender: str, site: Site) -> bool:
    """Whether it may be one of ours who sends: in our name, as far as our names are known."""
    return not site.domains or site.local(sender)


def _sender(sender: str, site: Site) -> str:
    if not sender:
        return "null sender"
    return "own sender" if site.local(sender) else "foreign sender"


def form(recipient: str, site: Site) -> str:
    """How a recipient is written: RFC 5321 (4.1.1.3 and appendix C: source routes) and the
    gateways' forms before it."""
    name, at, domain = recipient.rpartition("@")
    if recipient.startswith("@"):
        return "source route"
    if not at:
        return "bang path" if "!" in recipient else "bare name"
    if domain.startswith("["):
        return "address literal"
    if name.startswith('"'):
        return "quoted"
    if name.startswith("imceasmtp-"):
        return "encapsulated"
    for sign, called in (("%", "percent route"), ("!", "bang path"), ("@", "double address")):
        if sign in name:
            return called
    return "own domain" if site.local(recipient) else "plain"
