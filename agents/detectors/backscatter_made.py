"""Bounces that we make of other people's forgeries.

A gateway that accepts mail for recipients that do not exist must report it to the sender, and
the sender is forged: it is the spammer's second way to the victim (a reverse NDR attack).
"""

from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import DAY, Counts, Distinct, Window
from schemas import net
from schemas.events import Bounce, Message
from schemas.findings import Evidence, Severity

NAME = "backscatter_made"
HOUR = Window(3600.0)
FAILED = ("bounced", "expired", "")  # a report of delay or success is asked for, or ends nothing


class Seen(Struct, array_like=True):
    reports: Counts = field(default_factory=Counts)
    accepted: Counts = field(default_factory=Counts)  # messages from outside
    feeders: Distinct = field(default_factory=Distinct)  # who sent what is reported
    failed: Distinct = field(default_factory=Distinct)  # to whom
    victims: Distinct = field(default_factory=Distinct)  # who gets the reports


class BackscatterMade(Detector, frozen=True, kw_only=True):
    """One shape: reports. The subject is the gateway that makes them.

    What a login or one of our own hosts had sent is reported to its real sender, and does not
    count; a relay that hides who had sent it must be told as one of our own networks.
    """

    name = NAME
    technique = "T1498.002"  # Network Denial of Service: Reflection Amplification
    blind_to = "automatic replies to forged mail, which are messages like any other"
    hears: ClassVar = {"g": (Bounce, Message)}
    state = Seen

    reports: int = 20  # an hour, for mail from outside without a login *
    share: float = 0.05  # of the messages accepted from outside *
    grave: float = 10.0  # times the reports: high instead of medium *
    feeder: int = 5  # reports that a client must have caused to be named as one who feeds it *
    feeder_share: float = 0.1  # of all reports *

    @property
    def horizon(self) -> float:
        return float(DAY)

    def observe(self, event: Bounce | Message, seen: Seen, view: View) -> Iterable[Mark]:
        client = event.client
        if not client or event.account or client in view.site.own:
            return ()
        if type(event) is Message:
            HOUR.add(seen.accepted, event.at)
        elif type(event) is Bounce and event.direction == "made" and event.status in FAILED:
            count = HOUR.add(seen.reports, event.at)
            HOUR.see(seen.feeders, net.client(client), event.at)
            if event.failed_recipient:
                HOUR.see(seen.failed, event.failed_recipient, event.at)
            if event.recipient:
                HOUR.see(seen.victims, event.recipient, event.at)
            if count >= self.reports and self._share(seen, event.at) >= self.share:
                return (Mark(NAME, "reports", self._severity(count)),)
        return ()

    def _share(self, seen: Seen, at: float) -> float:
        accepted = HOUR.total(seen.accepted, at)
        reports = HOUR.total(seen.reports, at)
        return reports / max(1, accepted, reports)

    def _severity(self, count: int) -> Severity:
        return "high" if count >= self.grave * self.reports else "medium"

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        count = HOUR.total(seen.reports, at)
        failed = ", ".join(HOUR.names(seen.failed)[:3])
        least = max(self.feeder, self.feeder_share * count)
        return Judgement(
            summary=f"{view.value} made {count} reports in an hour about mail that came from "
            f"outside, to senders that are likely forged; it was for {failed or 'unknown names'}"
            f"{' and others' if HOUR.distinct(seen.failed, at) > 3 else ''}. The cure: refuse "
            "unknown recipients at RCPT (in Postfix relay_recipient_maps or "
            "reject_unverified_recipient)",
            evidence=[
                Evidence("reports made in an hour", count, self.reports),
                Evidence(
                    "reports of all accepted mail",
                    round(100 * self._share(seen, at), 1),
                    100 * self.share,
                    "%",
                ),
                HOUR.evidence("clients that feed it", seen.feeders, at, 0),
                HOUR.evidence("recipients that failed", seen.failed, at, 0),
            ],
            clients=[name for name, times in HOUR.top(seen.feeders) if times >= least],
            targets=HOUR.names(seen.victims),
            targets_count=HOUR.distinct(seen.victims, at),
        )
