"""An address answers by itself, again and again: a loop, or a robot that answers everybody.

RFC 3834 (section 2) asks for one answer to one sender in some days, and for none to mail without
a sender, to lists and to other robots. A storm floods the other side, tells strangers who is
away, and gets us listed.
"""

import re
from collections.abc import Iterable
from typing import ClassVar, Literal

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import DAY, Counts, Distinct, Window
from agents.words import many
from schemas import keys
from schemas.events import Delivery, Message
from schemas.findings import Evidence, Target, Wish

HOUR = Window(3600.0)
SHORT = Window(600.0)
TODAY = Window(DAY)

# Who writes without wanting an answer: the null sender, programs, lists. RFC 3834, section 2,
# names owner-, -request and mailer-daemon, RFC 5321 the null sender; the others are usual.
_UNASKED = re.compile(
    r"<>|(?:mailer-daemon|listserv|listproc|majordomo|bounces?|(?:do[-._]?)?no(?:t|t?[-._])?reply)"
    r"(?:[-+=][^@]*)?@.*|owner-.*|[^@]+-(?:request|owner|bounces?|noreply)(?:[-+=][^@]*)?@.*",
    re.IGNORECASE | re.DOTALL,
)


class Seen(Struct, array_like=True):
    replies: Counts = field(default_factory=Counts)  # messages, in an hour
    partners: Distinct = field(default_factory=Distinct)  # who is answered, in 10 min
    automatic: float = 0.0  # when it last answered somebody whom the log does not tell
    unasked: Counts = field(default_factory=Counts)  # replies that nobody wants, in a day
    robots: Distinct = field(default_factory=Distinct)  # to whom
    outside: Distinct = field(default_factory=Distinct)  # others who were answered, in a day


class AutoReplyStorm(Detector, frozen=True, kw_only=True):
    """Shapes: loop (two addresses answer each other), rate, unasked (it answers lists, programs,
    or the null sender), external (where replies must stay inside). The subject is the address.

    What is an automatic reply is the server's or the intake's word (`message.auto`), and so is
    whom it answers (`message.answers`); where that is not told, its deliveries tell the loop.
    Ticket systems are declared.
    """

    name = "auto_reply_storm"
    technique = "T1499"  # Endpoint Denial of Service
    blind_to = (
        "replies that neither the log nor the mail says are automatic, and whether the mail that"
        " was answered was spam, or a list's whose address looks like a person's"
    )
    hears: ClassVar = {"m": (Message, Delivery)}
    state = Seen

    rate: int = 50  # automatic replies of one address in an hour *
    loop: int = 10  # to one address in 10 min *
    unasked: int = 5  # to lists, programs and the null sender in a day *
    robots: tuple[str, ...] = ()  # addresses that answer everybody by design: ticket systems
    external_auto_replies: Literal["allowed", "never"] = "allowed"  # never: each that leaves
    # [site] domains is told

    @property
    def horizon(self) -> float:
        return float(DAY)

    def minds(self, event: Message | Delivery, view: View) -> bool:
        return type(event) is Message and event.auto

    def observe(self, event: Message | Delivery, seen: Seen, view: View) -> Iterable[Mark]:
        if type(event) is Message:
            if not event.auto or view.value in self.robots:
                return ()
            return self._replied(event, seen, view)
        return self._answered(event, seen, view)  # type: ignore[arg-type]

    def _replied(self, event: Message, seen: Seen, view: View) -> list[Mark]:
        at, answered = event.at, event.answers[: keys.LONGEST]
        marks = []
        if HOUR.add(seen.replies, at, max(1, event.recipients)) >= self.rate + 1:
            marks.append(Mark(self.name, "rate", "medium"))
        if not answered:
            seen.automatic = max(seen.automatic, at)
            return marks
        if answered != "<>":
            marks += self._exchanged(answered, at, seen)
        if _UNASKED.fullmatch(answered):
            TODAY.see(seen.robots, answered, at)
            if TODAY.add(seen.unasked, at) >= self.unasked:
                marks.append(Mark(self.name, "unasked", "medium"))
        if self._leaves(answered, view):
            TODAY.see(seen.outside, answered, at)
            marks.append(Mark(self.name, "external", "low"))
        return marks

    def _leaves(self, answered: str, view: View) -> bool:
        """Whether a reply goes out that must not. Without a list of domains nobody knows."""
        if self.external_auto_replies != "never" or not view.site.domains:
            return False
        return "@" in answered and not view.site.local(answered)

    def _answered(self, event: Delivery, seen: Seen, view: View) -> Iterable[Mark]:
        """A delivery of an address that answers by itself."""
        if not seen.automatic or event.at - seen.automatic > SHORT.seconds:
            return ()
        if keys.mailbox(event.sender, view.site.default_domain) != view.value:
            return ()
        return self._exchanged(event.recipient, event.at, seen)

    def _exchanged(self, partner: str, at: float, seen: Seen) -> Iterable[Mark]:
        SHORT.see(seen.partners, partner, at)
        if SHORT.times(seen.partners, partner) > self.loop:
            return (Mark(self.name, "loop", "high"),)
        return ()

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at, shape = view.at, mark.shape
        replies = HOUR.total(seen.replies, at)
        partner, most = next(iter(SHORT.top(seen.partners)), ("", 0))
        unasked = TODAY.total(seen.unasked, at)
        outside = TODAY.distinct(seen.outside, at)
        others = many(outside, "address", "addresses", about=seen.outside.estimated)
        said, targets, count = {
            "loop": (f"{most} of them to {partner} in 10 min: a loop", [partner], 1),
            "unasked": (
                f"{unasked} in a day to lists and programs, which nobody reads (RFC 3834)",
                TODAY.names(seen.robots),
                TODAY.distinct(seen.robots, at),
            ),
            "external": (
                f"in a day {others} outside got one, where none is to leave",
                TODAY.names(seen.outside),
                outside,
            ),
        }.get(shape, ("", [], 0))
        evidence = [
            Evidence("automatic replies in an hour", replies, self.rate),
            Evidence("to one address in 10 min", most, self.loop),
            Evidence("to lists and programs in 24 h", unasked, self.unasked),
        ]
        if self.external_auto_replies == "never":
            evidence.append(TODAY.evidence("answered outside in 24 h", seen.outside, at, 1))
        return Judgement(
            summary=f"{view.value} sent {many(replies, 'automatic reply', 'automatic replies')}"
            " in an hour" + f"; {said}" * bool(said),
            evidence=evidence,
            targets=targets,
            targets_count=count,
            wish=Wish("notify", Target("address", view.value)),
        )
