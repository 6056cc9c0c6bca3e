"""Mail of a stranger went through us to another stranger: we are an open relay.

One message that leaves is enough: whoever finds an open relay tells all others. A relay that is
meant has a login, a certificate, a trusted address or a domain of ours at one end. Mail to one
foreign domain alone may be for one that we relay for and that nobody has told us of: that is for
a person to look at.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import DAY, Counts, Distinct, Window
from agents.words import many
from schemas import keys
from schemas.events import Delivery
from schemas.findings import Evidence, Target, Wish

TODAY = Window(DAY)


class Seen(Struct, array_like=True):
    left: Counts = field(default_factory=Counts)  # deliveries, in a day
    senders: Distinct = field(default_factory=Distinct)
    recipients: Distinct = field(default_factory=Distinct)
    domains: Distinct = field(default_factory=Distinct)  # theirs
    gateways: Distinct = field(default_factory=Distinct)


class OpenRelay(Detector, frozen=True, kw_only=True):
    """Shapes: relayed, one_domain. The subject is the client; the cure is ours."""

    name = "open_relay"
    technique = "T1584.004"  # Compromise Infrastructure: Server
    blind_to = "sites whose own domains are not configured, and relaying under one of our names"
    hears: ClassVar = {"c": (Delivery,)}
    state = Seen

    @property
    def horizon(self) -> float:
        return float(DAY)

    def minds(self, event: Any, view: View) -> bool:
        if event.status != "sent" or view.trusted or view.site.local(event.sender):
            return False
        return keys.relayed(event, view.site)

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark]:
        if not self.minds(event, view) or view.past.any(event.at):
            return ()  # it logs in elsewhere; a neighbour's logins excuse nobody
        at = event.at
        TODAY.see(seen.senders, event.sender or "<>", at)
        TODAY.see(seen.recipients, event.recipient, at)
        TODAY.see(seen.gateways, event.gateway, at)
        TODAY.add(seen.left, at)
        if TODAY.see(seen.domains, event.recipient.rpartition("@")[2], at) > 1:
            return (Mark(self.name, "relayed", "critical"),)
        return (Mark(self.name, "one_domain", "medium"),)

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        left = TODAY.total(seen.left, at)
        recipients = TODAY.distinct(seen.recipients, at)
        elsewhere = many(recipients, "recipient", about=seen.recipients.estimated)
        gateways = ", ".join(TODAY.names(seen.gateways))
        cure = (
            "The cure: who may relay (in Postfix smtpd_relay_restrictions: permit_mynetworks,"
            " permit_sasl_authenticated, reject_unauth_destination)"
        )
        wish = Wish("reject", Target("network", view.value))
        if mark.shape == "one_domain":
            (domain,) = TODAY.names(seen.domains)
            cure = f"If we relay for {domain}, it belongs to [site] domains. {cure}"
            wish = Wish("notify", wish.target)
        return Judgement(
            summary=f"{gateways} took mail of {view.value}, who is no user and no relay of ours,"
            f" for {elsewhere} elsewhere. {cure}",
            evidence=[
                Evidence("messages that left", left, 1),
                TODAY.evidence("recipients elsewhere", seen.recipients, at, 0),
                TODAY.evidence("senders", seen.senders, at, 0),
            ],
            clients=[view.value],
            targets=TODAY.names(seen.recipients),
            targets_count=recipients,
            checks=["no login, not trusted, no login of its own in 30 days"],
            wish=wish,
        )
