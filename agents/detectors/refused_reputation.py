"""A receiver does not want our mail: not this one, but ours at all.

Most blocks are in nobody's public list; the only one who says so is the server that refuses. A
refusal for reputation speaks of us at once. One for policy may speak of a single mail: only where
it hits several senders of ours alike is it about us.
"""

from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import DAY, Distinct, Window
from agents.words import many
from schemas import keys
from schemas.events import Bounce, Delivery

HOUR = Window(3600.0)
RECEIVERS = 32  # remembered of a gateway; beyond that the one longest unheard of goes
DOMAINS = 256  # of which it is known who receives for them
LONGEST_REPLY = 300
SHARED = ("ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org")  # under a country
REPUTATION = ("listed", "reputation")  # as logs and as reports of failures call it
CURES = {
    "reputation": "The cure: find the spam that went out (accounts in other hands, relaying,"
    " forwards), then ask the receiver or its list to be taken off",
    "policy": "The cure: read what it asks for: SPF, DKIM and DMARC of our domains, the reverse"
    " name, how much may come at once",
}


class Receiver(Struct, array_like=True):
    """What one receiver refused, in an hour."""

    reputation: Distinct = field(default_factory=Distinct)  # mails
    policy: Distinct = field(default_factory=Distinct)
    senders: Distinct = field(default_factory=Distinct)  # that policy hit
    replies: dict[str, str] = field(default_factory=dict)  # the newest, by cause


class Seen(Struct, array_like=True):
    receivers: dict[str, Receiver] = field(default_factory=dict)  # the newest heard of is last
    homes: dict[str, str] = field(default_factory=dict)  # who receives for a domain


class RefusedReputation(Detector, frozen=True, kw_only=True):
    """Shapes: reputation, policy. The subject is our gateway; one finding for each receiver."""

    name = "refused_reputation"
    technique = "T1584.004"  # Compromise Infrastructure: Server
    blind_to = "receivers that take our mail and hide it, and words that no pattern knows"
    hears: ClassVar = {"g": (Delivery, Bounce)}
    state = Seen

    refusals: int = 3  # mails refused for reputation by one receiver in an hour *
    policy_refusals: int = 3  # mails refused for policy *
    policy_senders: int = 3  # of as many senders *

    @property
    def horizon(self) -> float:
        return float(DAY)

    def minds(self, event: Delivery | Bounce, view: View) -> bool:
        return event.reason in keys.UNWELCOME and not view.site.local(_recipient(event))

    def observe(self, event: Delivery | Bounce, seen: Seen, view: View) -> Iterable[Mark]:
        if not self.minds(event, view):
            return ()
        at = event.at
        name = _receiver(event, seen)
        receiver = seen.receivers.pop(name, None) or Receiver()
        seen.receivers[name] = receiver
        _bound(seen.receivers, RECEIVERS)
        cause = "reputation" if event.reason in REPUTATION else "policy"
        _quote(event, receiver, cause)
        if cause == "reputation":
            count = HOUR.see(receiver.reputation, _mail(event), at)
            return (Mark(self.name, cause, "high", name),) if count >= self.refusals else ()
        count = HOUR.see(receiver.policy, _mail(event), at)
        senders = HOUR.see(receiver.senders, _sender(event), at)
        if count >= self.policy_refusals and senders >= self.policy_senders:
            return (Mark(self.name, cause, "medium", name),)
        return ()

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        receiver = seen.receivers.get(mark.about) or Receiver()
        mails = receiver.reputation if mark.shape == "reputation" else receiver.policy
        refused = many(HOUR.distinct(mails, at), "mail", about=mails.estimated)
        reply = receiver.replies.get(mark.shape, "")
        said = f': "{reply}"' if reply else ""
        return Judgement(
            summary=f"{mark.about} refused {refused} of {view.value} in an hour for"
            f" {mark.shape}{said}. {CURES[mark.shape]}",
            evidence=[
                HOUR.evidence(
                    "mails refused for reputation", receiver.reputation, at, self.refusals
                ),
                HOUR.evidence(
                    "mails refused for policy", receiver.policy, at, self.policy_refusals
                ),
                HOUR.evidence(
                    "senders refused for policy", receiver.senders, at, self.policy_senders
                ),
            ],
        )


def _recipient(event: Delivery | Bounce) -> str:
    return event.recipient if isinstance(event, Delivery) else event.failed_recipient


def _sender(event: Delivery | Bounce) -> str:
    """Whose mail it was: a report goes to its sender."""
    return event.sender if isinstance(event, Delivery) else event.recipient


def _mail(event: Delivery | Bounce) -> str:
    """One mail to one recipient, however often it is tried and reported."""
    about = event.queue_id or event.message_id if isinstance(event, Delivery) else event.about
    return f"{about} {_recipient(event)}"


def _receiver(event: Delivery | Bounce, seen: Seen) -> str:
    """Who refused: the owner of the server, where a delivery has shown it; else the domain."""
    domain = _recipient(event).rpartition("@")[2]
    if isinstance(event, Delivery) and "." in event.relay:
        seen.homes.pop(domain, None)
        seen.homes[domain] = _owner(event.relay)
        _bound(seen.homes, DOMAINS)
    return seen.homes.get(domain, domain)


def _owner(host: str) -> str:
    """The registered part of a host's name, as far as it can be told without a list: two labels,
    three under co.uk, com.br and the like."""
    labels = host.lower().rstrip(".").split(".")
    return ".".join(labels[-3:] if labels[-2] in SHARED else labels[-2:])


def _quote(event: Delivery | Bounce, receiver: Receiver, cause: str) -> None:
    """Only reports of failures carry the reply; a delivery has at least its status."""
    if isinstance(event, Bounce) and event.reply:
        receiver.replies[cause] = event.reply[:LONGEST_REPLY]
    elif event.enhanced:
        receiver.replies.setdefault(cause, event.enhanced)


def _bound(kept: dict[str, Receiver] | dict[str, str], most: int) -> None:
    if len(kept) > most:
        del kept[next(iter(kept))]
