"""An address answers by itself, again and again: a loop, or a robot that answers everybody.

RFC 3834 (section 2) asks for one answer to one sender in some days, and for none to mail without
a sender. A storm floods the other side, tells strangers who is away, and gets us listed.
"""

from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import DAY, Counts, Distinct, Window
from schemas import keys
from schemas.events import Delivery, Message
from schemas.findings import Evidence, Target, Wish

HOUR = Window(3600.0)
SHORT = Window(600.0)


class Seen(Struct, array_like=True):
    replies: Counts = field(default_factory=Counts)  # messages, in an hour
    partners: Distinct = field(default_factory=Distinct)  # who is answered, in 10 min
    automatic: float = 0.0  # when it was last known to answer by itself


class AutoReplyStorm(Detector, frozen=True, kw_only=True):
    """Shapes: loop (two addresses answer each other), rate. The subject is the address.

    What is an automatic reply is the server's or the intake's word (`message.auto`).
    """

    name = "auto_reply_storm"
    technique = "T1499"  # Endpoint Denial of Service
    blind_to = "replies that neither the log nor the mail says are automatic"
    hears: ClassVar = {"m": (Message, Delivery)}
    state = Seen

    rate: int = 50  # automatic replies of one address in an hour *
    loop: int = 10  # to one address in 10 min *
    robots: tuple[str, ...] = ()  # addresses that answer everybody by design: ticket systems

    @property
    def horizon(self) -> float:
        return float(DAY)

    def minds(self, event: Message | Delivery, view: View) -> bool:
        return type(event) is Message and event.auto

    def observe(self, event: Message | Delivery, seen: Seen, view: View) -> Iterable[Mark]:
        if type(event) is Message:
            if not event.auto or view.value in self.robots:
                return ()
            seen.automatic = max(seen.automatic, event.at)
            if HOUR.add(seen.replies, event.at, max(1, event.recipients)) >= self.rate + 1:
                return (Mark(self.name, "rate", "medium"),)
            return ()
        return self._answered(event, seen, view)  # type: ignore[arg-type]

    def _answered(self, event: Delivery, seen: Seen, view: View) -> Iterable[Mark]:
        """A delivery of an address that answers by itself."""
        if not seen.automatic or event.at - seen.automatic > SHORT.seconds:
            return ()
        if keys.mailbox(event.sender, view.site.default_domain) != view.value:
            return ()
        SHORT.see(seen.partners, event.recipient, event.at)
        if SHORT.times(seen.partners, event.recipient) > self.loop:
            return (Mark(self.name, "loop", "high"),)
        return ()

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        replies = HOUR.total(seen.replies, view.at)
        partner, most = next(iter(SHORT.top(seen.partners)), ("", 0))
        said = f"{most} of them to {partner} in 10 min: a loop" if mark.shape == "loop" else ""
        return Judgement(
            summary=f"{view.value} sent {replies} automatic replies in an hour"
            + f"; {said}" * bool(said),
            evidence=[
                Evidence("automatic replies in an hour", replies, self.rate),
                Evidence("to one address in 10 min", most, self.loop),
            ],
            targets=[partner] if mark.shape == "loop" else [],
            wish=Wish("notify", Target("address", view.value)),
        )
