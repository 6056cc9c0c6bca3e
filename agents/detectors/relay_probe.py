"""A client asks whether we relay for strangers.

Most do it by mistake: a customer's program with the wrong port, a newsletter with a typing
mistake in the domain. What tells a probe is that it does not stop, or that it tries the forms of
address by which servers have been talked into relaying: foreign, null and own senders; percent,
bang and source routes; literals and quotes.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import Counts, Distinct, Window
from agents.words import many
from schemas.events import Recipient
from schemas.findings import Evidence, Target, Wish
from schemas.keys import Site

SHORT = Window(600.0)
HOUR = Window(3600.0)
COLD = "less than a week was seen: it may be a customer with the wrong port"


class Seen(Struct, array_like=True):
    short: Counts = field(default_factory=Counts)
    denied: Counts = field(default_factory=Counts)  # in an hour
    shapes: Distinct = field(default_factory=Distinct)  # sender's and recipient's, in an hour
    targets: Distinct = field(default_factory=Distinct)  # recipients


class RelayProbe(Detector, frozen=True, kw_only=True):
    """Shapes: forms (it tries forms of address), insistent, asked."""

    name = "relay_probe"
    technique = "T1595"  # Active Scanning
    blind_to = "servers that refuse relaying with the words of another refusal"
    hears: ClassVar = {"c": (Recipient,)}
    state = Seen

    asked: int = 2  # denials in 10 min *
    insistent: int = 8  # in an hour *
    forms: int = 3  # distinct forms of sender and recipient in an hour *
    seconds: float = 3600.0  # of a block, at least

    @property
    def sleeps(self) -> bool:
        return True

    @property
    def horizon(self) -> float:
        return 86400.0

    def minds(self, event: Any, view: View) -> bool:
        return event.verdict == "relay_denied" and not view.trusted and not event.account

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark]:
        if not self.minds(event, view):
            return ()
        if view.around.any(event.at):
            return ()  # a customer of ours on the wrong port
        at, site = event.at, view.site
        short = SHORT.add(seen.short, at)
        denied = HOUR.add(seen.denied, at)
        shape = f"{_sender(event.sender, site)} to {form(event.recipient, site)}"
        forms = HOUR.see(seen.shapes, shape, at)
        HOUR.see(seen.targets, event.recipient, at)
        if forms >= self.forms:
            return (Mark(self.name, "forms", "medium"),)
        if denied >= self.insistent:
            return (Mark(self.name, "insistent", "medium"),)
        return (Mark(self.name, "asked", "low"),) if short >= self.asked else ()

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        denied = HOUR.total(seen.denied, at)
        forms = HOUR.distinct(seen.shapes, at)
        wish = None
        if mark.shape != "asked":
            target = Target("network", view.value)
            wish = Wish("reject", target, self.seconds, against=COLD if view.cold else "")
        return Judgement(
            summary=f"{view.value} asked {many(denied, 'time')} whether we relay:"
            f" {', '.join(HOUR.names(seen.shapes))}",
            evidence=[
                Evidence("refused in 10 min", SHORT.total(seen.short, at), self.asked),
                Evidence("refused in an hour", denied, self.insistent),
                Evidence("forms of address", forms, self.forms),
            ],
            clients=[view.value],
            targets=HOUR.names(seen.targets),
            targets_count=HOUR.distinct(seen.targets, at),
            checks=["no login from its network in 30 days"],
            wish=wish,
        )


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
