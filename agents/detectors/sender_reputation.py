"""What the mail of two days says of the client that brings it: from 0, nothing, to 9, the worst.

No sign here is a proof, and honest servers have one or two of them: no reverse name, a list with
dead members, a forwarder whose mail fails SPF and holds spam that it was sent itself. It is their
sum that tells, after enough messages, with what the filter found clean counted against it.

Shares are of counts, never means: filters measure in scales of their own, and one message of 40
points among clean ones is no spammer. Names and SPF that no log tells are asked of the DNS where
`dns` is on; the answers come as signals, later, and nothing waits for them.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, Question, Said, View
from agents.windows import DAY, Counts, Distinct, Window
from agents.words import many
from schemas.events import Connection, Message, Recipient, Signal, Verdict
from schemas.findings import Evidence, Target, Wish
from schemas.keys import LONGEST, Site

WINDOW = Window(2 * DAY, 24)
HOUR = 3600.0
WORST = 9
SESSION = 60.0  # seconds in which what is refused to one sender is one message
ASKED = 4  # names in HELO, and as many domains of senders, that the DNS is asked about
COLD = "less than a week was seen: logins may come from it"
# Refusals that rest on what the client is or sent. Others ("denied", "policy") may be our own
# doing, and must not be evidence against those whom we refuse.
GROUNDS = frozenset({"listed", "content", "helo", "no_reverse_name", "sender", "spf"})
BAD_NAMES = {"missing": "no reverse name", "disagree": "a reverse name that does not lead back"}
SAID = {
    "spam": "spam",
    "refused": "unknown and refused recipients",
    "names": "names",
    "changes": "ever other names in HELO",
    "ours": "our name in HELO",
    "strange": "a name in HELO that is not its own",
    "forged": "senders of ours, without a login",
    "spf": "SPF fails",
    "listed": "on a block list",
    "ham": "clean mail",
    "accepted": "recipients accepted",
}


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each sign adds at most; the last two take away."""

    spam: int = 3
    refused: int = 3
    names: int = 2
    changes: int = 2
    ours: int = 2
    strange: int = 1
    forged: int = 2
    spf: int = 2
    listed: int = 2
    ham: int = 3
    accepted: int = 1


class Seen(Struct, array_like=True):
    messages: Counts = field(default_factory=Counts)  # accepted, and those refused altogether
    accepted: Counts = field(default_factory=Counts)  # recipients, at RCPT
    taken: Counts = field(default_factory=Counts)  # recipients, with a message
    refused: Counts = field(default_factory=Counts)  # recipients
    verdicts: dict[str, Counts] = field(default_factory=dict)  # of filters: messages by kind
    forged: Counts = field(default_factory=Counts)
    listed: Counts = field(default_factory=Counts)
    ours: Counts = field(default_factory=Counts)  # greetings with a name of ours
    greetings: Distinct = field(default_factory=Distinct)
    strange: Distinct = field(default_factory=Distinct)  # greetings that are not its own name
    failed: Distinct = field(default_factory=Distinct)  # senders' domains by what SPF says
    passed: Distinct = field(default_factory=Distinct)
    senders: Distinct = field(default_factory=Distinct)  # domains to ask about
    names: str = ""  # agree, missing, disagree
    sender: str = ""  # of the newest message that was refused,
    refused_at: float = 0.0  # and when its first recipient was
    next_question: float = 0.0
    content: Counts = field(default_factory=Counts)  # messages that a filter refused


class SenderReputation(Detector, frozen=True, kw_only=True):
    """One shape: reputation. The subject is the client.

    Silent about clients that someone logs in from, our own hosts and trusted ones. The null
    sender counts for nothing: reports are backscatter's matter.
    """

    name = "sender_reputation"
    technique = "T1566"  # Phishing
    blind_to = (
        "mail from the null sender, clients with fewer messages, names in HELO where the log does"
        " not tell them (Postfix tells those that it refuses), and spam that no filter sees"
    )
    hears: ClassVar = {"c": (Message, Recipient, Verdict, Connection, Signal)}
    state = Seen

    messages: int = 20  # in 48 h, before anything is said [Exchange: 20]
    level: int = 7  # from which it is told [Exchange: sender reputation level 7 of 9]
    seconds: float = 86400.0  # that it is refused for, at least [Exchange: 24 h]
    spam: float = 0.5  # share of messages that weighs in full; less weighs less *
    refused: float = 0.5  # share of recipients that does *
    good: float = 0.9  # share of clean mail, and of accepted recipients, that does *
    helos: int = 3  # names in HELO that are too many *
    forged: int = 3  # messages of our senders, without a login *
    weights: Weights = field(default_factory=Weights)  # what each sign adds
    dns: bool = False  # ask the DNS (through listed.resolvers) about names and SPF of clients

    @property
    def horizon(self) -> float:
        return WINDOW.seconds

    def minds(self, event: Any, view: View) -> bool:
        if type(event) is Signal:
            return event.kind in ("names", "helo", "spf")
        if view.trusted or event.client in view.site.own:
            return False
        if type(event) is Message or type(event) is Recipient:
            return event.sender != "" and event.account == ""
        return type(event) is Connection or event.account == ""

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Said]:
        if not self.minds(event, view):
            return ()
        if type(event) is Signal:
            return self._answered(event, seen)
        if view.past.any(event.at):
            return ()
        if type(event) is Verdict:
            worse = self._judged(event, seen)
        elif type(event) is Connection:
            worse = self._greeted(event, seen, view)
        else:
            worse = self._sent(event, seen, view)
        asks = self.dns and event.at >= seen.next_question
        if not (worse or asks) or WINDOW.total(seen.messages, event.at) < self.messages:
            return ()
        said: list[Said] = [self._question(event, seen, view)] if asks else []
        return [*said, *self._stands(seen, event.at)]

    # -- what is seen -----------------------------------------------------------------------

    def _sent(self, event: Message | Recipient, seen: Seen, view: View) -> bool:
        """Whether it makes the client look worse; likewise below."""
        at, sender = event.at, event.sender
        if self.dns and len(seen.senders.seen) < ASKED:
            WINDOW.see(seen.senders, _domain(sender), at)
        if type(event) is Message:
            WINDOW.add(seen.taken, at, max(1, event.recipients))
        elif not self._recipient(event, seen, view):  # type: ignore[arg-type]
            return False
        elif sender == seen.sender and at - seen.refused_at <= SESSION:
            return True
        else:
            seen.sender, seen.refused_at = sender, at
        WINDOW.add(seen.messages, at)
        if view.site.local(sender):
            WINDOW.add(seen.forged, at)
            return True
        return type(event) is Recipient

    def _recipient(self, event: Recipient, seen: Seen, view: View) -> bool:
        """Whether it was refused for what the client is or sent."""
        if event.reason == "no_reverse_name":
            seen.names = "missing"
        if event.verdict == "accepted":
            WINDOW.add(seen.accepted, event.at)
        if event.helo:
            self._named(event.helo, seen, view)
        if event.verdict in ("accepted", "deferred"):
            return False
        if event.verdict not in ("unknown", "relay_denied"):
            # While anything stands against the client, it may be we who refuse it.
            if view.open or event.reason not in GROUNDS:
                return False
            if event.reason == "listed":
                WINDOW.add(seen.listed, event.at)
            if event.reason == "content":
                WINDOW.add(seen.content, event.at)
                return True
        WINDOW.add(seen.refused, event.at)
        return True

    def _judged(self, event: Verdict, seen: Seen) -> bool:
        kind = event.kind
        if kind == "spf":
            fails = event.scale in ("", "fail")  # who has no word for it tells of failures only
            _put(_domain(event.sender), event.at, seen.failed if fails else seen.passed, seen)
            return fails
        if kind not in ("ham", "grey", "spam", "virus"):
            return False
        WINDOW.add(seen.verdicts.setdefault(kind, Counts()), event.at)
        return kind != "ham"

    def _greeted(self, event: Connection, seen: Seen, view: View) -> bool:
        if event.name or event.reason == "no_reverse_name":  # the server has looked
            found = "agree" if event.name else "missing"
            seen.names = seen.names if seen.names == "disagree" else found
        if event.reason == "listed" and not view.open:
            WINDOW.add(seen.listed, event.at)
        if event.helo:
            self._named(event.helo, seen, view)
        return True

    def _named(self, greeting: str, seen: Seen, view: View) -> None:
        """What it calls itself."""
        at, helo = view.at, greeting.lower()[:LONGEST]
        WINDOW.see(seen.greetings, helo, at)
        if _is_ours(helo, view.site):
            WINDOW.add(seen.ours, at)
        elif "." not in helo:
            WINDOW.see(seen.strange, helo, at)

    # -- what the DNS says ------------------------------------------------------------------

    def _question(self, event: Any, seen: Seen, view: View) -> Question:
        """At most one in an hour, and one in a day where an answer came."""
        seen.next_question = event.at + HOUR
        return Question(
            at=event.at,
            about=view.key,
            client=event.client,
            greetings=tuple(WINDOW.names(seen.greetings)[:ASKED]),
            domains=tuple(WINDOW.names(seen.senders)[:ASKED]),
        )

    def _answered(self, event: Signal, seen: Seen) -> Iterable[Mark]:
        at = event.at
        word, _, value = event.detail.partition(" ")
        if event.kind == "names":
            seen.names = word
            seen.next_question = max(seen.next_question, at + DAY)
        elif event.kind == "spf":
            _put(value, at, seen.failed if word == "fail" else seen.passed, seen)
        elif word == "own":
            WINDOW.drop(seen.strange, value)
        else:
            WINDOW.see(seen.strange, value, at)
        enough = WINDOW.total(seen.messages, at) >= self.messages
        return self._stands(seen, at) if enough else ()

    # -- what comes of it -------------------------------------------------------------------

    def _stands(self, seen: Seen, at: float) -> Iterable[Mark]:
        if _score(self._points(seen, at)) >= self.level:
            return (Mark(self.name, "reputation", "medium"),)
        return ()

    def _points(self, seen: Seen, at: float) -> dict[str, int]:
        """What each sign adds; below 0 what it takes away."""
        w = self.weights
        refused, accepted = self._recipients(seen, at)
        spam, ham = self._filtered(seen, at)
        failed = WINDOW.distinct(seen.failed, at) > WINDOW.distinct(seen.passed, at)
        return {
            "spam": _part(spam, self.spam, w.spam),
            "refused": _part(refused, self.refused, w.refused),
            "names": w.names * (seen.names in BAD_NAMES),
            "changes": w.changes * (WINDOW.distinct(seen.greetings, at) >= self.helos),
            "ours": w.ours * bool(WINDOW.total(seen.ours, at)),
            "strange": w.strange * bool(WINDOW.distinct(seen.strange, at)),
            "forged": w.forged * (WINDOW.total(seen.forged, at) >= self.forged),
            "spf": w.spf * failed,
            "listed": w.listed * bool(WINDOW.total(seen.listed, at)),
            "ham": -_part(ham, self.good, w.ham),
            "accepted": -_part(accepted, self.good, w.accepted),
        }

    def _recipients(self, seen: Seen, at: float) -> tuple[float, float]:
        """Shares of those refused and of those accepted. Some servers log who was accepted, some
        how many a message had, some both."""
        refused = WINDOW.total(seen.refused, at)
        accepted = max(WINDOW.total(seen.accepted, at), WINDOW.total(seen.taken, at))
        every = max(1, refused + accepted)
        return refused / every, accepted / every

    def _filtered(self, seen: Seen, at: float) -> tuple[float, float]:
        """Shares of spam and of clean mail. A filter's own log has every verdict, the server's
        what was refused for it: then all other messages were no spam."""
        kinds = {kind: WINDOW.total(counts, at) for kind, counts in seen.verdicts.items()}
        judged = max(1, sum(kinds.values()), WINDOW.total(seen.messages, at))
        spam = kinds.get("spam", 0) + kinds.get("virus", 0)
        spam = max(spam, WINDOW.total(seen.content, at))
        return spam / judged, kinds.get("ham", 0) / judged

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        points = self._points(seen, at)
        score = _score(points)
        messages = WINDOW.total(seen.messages, at)
        refused, _ = self._recipients(seen, at)
        spam, ham = self._filtered(seen, at)
        words = {**SAID, "names": BAD_NAMES.get(seen.names, "")}
        signs = [f"{words[sign]} ({count:+d})" for sign, count in points.items() if count]
        return Judgement(
            summary=f"{view.value} has a reputation of {score}, where {WORST} is the worst, after"
            f" {many(messages, 'message')} in 48 h: {', '.join(signs)}",
            evidence=[
                Evidence("reputation", score, self.level),
                Evidence("messages in 48 h", messages, self.messages),
                Evidence("spam", round(100 * spam, 1), 100 * self.spam, "%"),
                Evidence("clean mail", round(100 * ham, 1), 0, "%"),
                Evidence("recipients refused", round(100 * refused, 1), 100 * self.refused, "%"),
                WINDOW.evidence("names in HELO", seen.greetings, at, self.helos),
                Evidence("senders of ours", WINDOW.total(seen.forged, at), self.forged),
                WINDOW.evidence("domains that fail SPF", seen.failed, at, 0),
            ],
            clients=[view.value],
            checks=["no login from it in 30 days, and none of our hosts"],
            wish=Wish(
                "reject",
                Target("network", view.value),
                self.seconds,
                against=COLD if view.cold else "",
            ),
        )


def _score(points: dict[str, int]) -> int:
    return min(WORST, max(0, sum(points.values())))


def _part(share: float, full: float, weight: int) -> int:
    """The part of a weight that a share has earned, in whole points."""
    return min(weight, int(weight * share / full))


def _domain(sender: str) -> str:
    return sender.rpartition("@")[2][:LONGEST]


def _put(domain: str, at: float, into: Distinct, seen: Seen) -> None:
    """Note what SPF says of a domain; only its newest word counts."""
    for known in (seen.failed, seen.passed):
        WINDOW.drop(known, domain)
    WINDOW.see(into, domain, at)


def _is_ours(helo: str, site: Site) -> bool:
    return helo in site.domains or helo.partition(".")[2] in site.domains
