"""Bounces that answer nothing: somebody sends in the name of one of our addresses.

The reports of the mail that other servers could not deliver then come to us, from servers that
do nothing wrong. So the finding accuses nobody: it names the address, and who reports most.

Where the report itself was read (an intake of mails), the ledger of what the address sent proves
whose mail it is about; where only the log tells that a report came, their number must be far above
what the address ever sent.
"""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from msgspec import Struct, field

from agents.destination import leaves
from agents.detector import Detector, Judgement, Mark, View
from agents.ledger import Ledger
from agents.windows import DAY, Counts, Distinct, Window
from agents.words import said
from schemas import keys, net
from schemas.events import Bounce, Delivery, Recipient, Signal
from schemas.findings import Evidence, Severity, Target, Wish
from schemas.keys import LONGEST

NAME = "backscatter_received"
HOUR = Window(3600.0)
WEEK = Window(7 * DAY, 14)
TODAY = Window(DAY)
LATELY = Window(2 * DAY)
MINUTE = Window(60.0, 12)
TELLS = 5  # reports between two words to the domain
PARTS = 64  # addresses of a domain that are counted one by one
FAILED = ("bounced", "expired", "")  # a report of delay or success is no refusal
FASTEST = 8  # reflectors whose pace is watched at a time


class Seen(Struct, array_like=True):
    """What is known of an address, or of a domain."""

    reports: Distinct = field(default_factory=Distinct)  # by Message-ID, in an hour
    reflectors: Distinct = field(default_factory=Distinct)  # who brought them
    paces: dict[str, Counts] = field(default_factory=dict)  # of the reflectors seen last
    received: Counts = field(default_factory=Counts)  # reports, in a week
    daily: Counts = field(default_factory=Counts)  # reports, in a day
    networks: Distinct = field(default_factory=Distinct)  # that brought them, in a day
    lately: Counts = field(default_factory=Counts)  # recipients elsewhere, in two days
    sent: Counts = field(default_factory=Counts)  # recipients elsewhere, in a week
    ledger: Ledger = field(default_factory=Ledger)  # Message-IDs and recipients of what it sent
    ours: Counts = field(default_factory=Counts)  # reports about mail that it sent, in an hour
    alien: Counts = field(default_factory=Counts)  # about mail that it did not send
    # a domain: reports to names that nobody has, and those that its addresses told of
    strays: Counts = field(default_factory=Counts)
    parts: dict[str, list[int]] = field(default_factory=dict)  # address: slice, reports


class BackscatterReceived(Detector, frozen=True, kw_only=True):
    """Shapes: joe_job (many reports to an address), slow (in a day), one_reflector (one server
    floods it), domain.

    A report has the null sender and comes from elsewhere; our own have no client. A log does not
    tell which mail it answers, so an address must get far more of them than it ever sent mail:
    that keeps a mailing with real bounces, read receipts and absence notes silent.
    """

    name = NAME
    technique = "T1656"  # Impersonation
    blind_to = (
        "reports to an address that itself sends about as much mail as is reported, and "
        "servers that report with a sender of their own"
    )
    hears: ClassVar = {"m": (Delivery, Bounce), "d": (Recipient, Signal)}
    state = Seen

    reports: int = 20  # null-sender messages an hour to one address *
    alien: float = 0.8  # of those whose mail is known: about mail that it did not send *
    ratio: float = 3.0  # so many times what the address sent in 7 days *
    daily: int = 20  # in a day, where they are *
    daily_ratio: float = 10.0  # so many times what it sent in 7 days *
    networks: int = 8  # or come from so many, and are more than what it sent in two days *
    minute: int = 7  # from one client to one address in a minute [mailcow]
    domain: int = 100  # an hour, to all addresses of a domain *
    grave: float = 10.0  # times the threshold: high instead of medium *
    # local parts that begin like this are sent reports by design (RFC 7489, RFC 8460, RFC 5965)
    collectors: tuple[str, ...] = ("dmarc", "rua", "ruf", "tlsrpt", "smtp-tls", "fbl", "arf")

    @property
    def horizon(self) -> float:
        return float(DAY)

    @property
    def memory(self) -> float:
        return WEEK.seconds

    def observe(
        self, event: Delivery | Bounce | Recipient | Signal, seen: Seen, view: View
    ) -> Iterable[Mark | Signal]:
        if isinstance(event, Delivery):
            if event.status == "deferred":
                return ()  # it comes again
            if event.sender:
                self._sent(event, seen, view)
            elif self._is_report(event, view):
                report = event.message_id or f"{event.gateway}/{event.queue_id}"
                return self._report(report, event.client, seen, view)
        elif isinstance(event, Bounce):
            if event.direction == "received":
                report = event.queue_id or f"{event.about}/{event.failed_recipient}"
                return self._bounced(event, report, seen, view)
        elif isinstance(event, Recipient):
            if event.verdict == "unknown" and not event.sender:
                HOUR.add(seen.strays, event.at)
                HOUR.see(seen.reflectors, net.client(event.client), event.at)
                return self._domain(seen, view)
        elif event.kind == "backscatter":
            self._part(event, seen)
            return self._domain(seen, view)
        return ()

    def _sent(self, event: Delivery, seen: Seen, view: View) -> None:
        """Count what the address sent. Only mail that was handed on, or refused, to strangers
        can be reported by strangers."""
        name = keys.mailbox(event.sender, view.site.default_domain)
        inside = event.account or not event.client or event.client in view.site.own
        if inside and name == view.value and leaves(event, view.site):
            WEEK.add(seen.sent, event.at)
            LATELY.add(seen.lately, event.at)
            seen.ledger.note(event.recipient, event.at)
            if event.message_id:
                seen.ledger.note(event.message_id, event.at)

    def _bounced(
        self, event: Bounce, report: str, seen: Seen, view: View
    ) -> Iterator[Mark | Signal]:
        """A report was read. Who watches what the address sends is told of one on its mail."""
        if self._whose(event, report, seen) and event.status in FAILED:
            yield Signal(
                at=event.at,
                about=view.key,
                kind="reported",
                account=view.value,
                detail=report[:LONGEST],
            )
        yield from self._report(report, event.client, seen, view)

    def _whose(self, event: Bounce, report: str, seen: Seen) -> bool:
        """Whether a new report is about mail of ours, as far as the ledger can tell."""
        at = event.at
        if HOUR.holds(seen.reports, report, at):
            return False
        about, recipient = event.about.strip("<>"), event.failed_recipient
        if (about and seen.ledger.holds(about)) or (recipient and seen.ledger.holds(recipient)):
            HOUR.add(seen.ours, at)
            return True
        if (about or recipient) and seen.ledger.complete(at):
            HOUR.add(seen.alien, at)
        return False

    def _is_report(self, event: Delivery, view: View) -> bool:
        """Whether mail without a sender came to an address of ours from somewhere else."""
        if not event.client or event.account:
            return False
        site = view.site
        ours = site.domains or event.client in site.own  # else an edge may relay it to a mailbox
        return not (ours and leaves(event, site))

    def _report(self, report: str, client: str, seen: Seen, view: View) -> Iterator[Mark | Signal]:
        at = view.at
        if view.value.startswith(self.collectors) or HOUR.holds(seen.reports, report, at):
            return
        count = HOUR.see(seen.reports, report, at)
        received = WEEK.add(seen.received, at)
        daily = TODAY.add(seen.daily, at)
        pace = 0
        if client:
            reflector = net.client(client)
            HOUR.see(seen.reflectors, reflector, at)
            TODAY.see(seen.networks, net.network(client), at)
            pace = MINUTE.add(self._pace(seen, reflector), at)
        alien = self._is_alien(received, seen, at)
        if alien and count >= self.reports:
            yield Mark(NAME, "joe_job", self._severity(count, self.reports))
        elif alien and pace >= self.minute:
            yield Mark(NAME, "one_reflector", "medium")
        elif daily >= self.daily and (
            (alien and daily > self.daily_ratio * WEEK.total(seen.sent, at))
            or (count < self.reports and self._is_slow(daily, received, seen, at))
        ):
            yield Mark(NAME, "slow", "low")
        if not alien:
            return
        name, _, domain = view.value.rpartition("@")
        if name and received % TELLS == 0:
            yield Signal(
                at=at,
                about=f"d:{domain}",
                kind="backscatter",
                account=view.value,
                detail=str(count),
            )

    def _is_alien(self, received: int, seen: Seen, at: float) -> bool:
        """Whether the reports answer nothing that it sent: proved where the mail of most of them
        is known, else by their number."""
        proved = self._proved(seen, at)
        if proved is None:
            return received > self.ratio * WEEK.total(seen.sent, at)
        return proved

    def _proved(self, seen: Seen, at: float) -> bool | None:
        """Whether the reports of the hour are about mail of others; None where too few tell."""
        alien = HOUR.total(seen.alien, at)
        judged = alien + HOUR.total(seen.ours, at)
        if 2 * judged < HOUR.distinct(seen.reports, at):
            return None
        return alien >= self.alien * judged

    def _is_slow(self, daily: int, received: int, seen: Seen, at: float) -> bool:
        """Whether the reports of a day answer nothing that it sent. Mail is reported once, by
        who got it: many servers report more than there was mail only where it was not its own.
        An address that gets as many every day is sent them by design."""
        spread = TODAY.distinct(seen.networks, at) >= self.networks
        new = daily > received - daily
        more = daily > LATELY.total(seen.lately, at)
        return spread and new and more and self._proved(seen, at) is not False

    def _pace(self, seen: Seen, reflector: str) -> Counts:
        pace = seen.paces.pop(reflector, None) or Counts()
        if len(seen.paces) >= FASTEST:
            del seen.paces[next(iter(seen.paces))]
        seen.paces[reflector] = pace
        return pace

    def _part(self, event: Signal, seen: Seen) -> None:
        """Remember how many reports an address told of in its last hour: the most counts, so
        that to hear it again changes nothing."""
        if not event.detail.isdecimal():
            return
        now, count = HOUR.slice(event.at), int(event.detail[:9])
        before = seen.parts.pop(event.account, [now, 0])
        if now - before[0] > HOUR.slices:
            before = [now, 0]
        if len(seen.parts) >= PARTS:
            del seen.parts[next(iter(seen.parts))]
        seen.parts[event.account] = [max(now, before[0]), max(count, before[1])]

    def _domain(self, seen: Seen, view: View) -> Iterator[Mark]:
        count = self._of_domain(seen, view.at)
        if count >= self.domain:
            yield Mark(NAME, "domain", self._severity(count, self.domain))

    def _of_domain(self, seen: Seen, at: float) -> int:
        """Reports of the last hour, without those to addresses that are told of by themselves."""
        oldest = HOUR.slice(at) - HOUR.slices
        told = sum(
            count for when, count in seen.parts.values() if when >= oldest and count < self.reports
        )
        return HOUR.total(seen.strays, at) + told

    def _severity(self, count: int, threshold: int) -> Severity:
        return "high" if count >= self.grave * threshold else "medium"

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at, value = view.at, view.value
        reflectors = HOUR.evidence("servers that report", seen.reflectors, at, 0)
        most = ", ".join(name for name, _ in HOUR.top(seen.reflectors)[:3]) or "servers unknown"
        if mark.shape == "domain":
            count = self._of_domain(seen, at)
            return Judgement(
                summary=f"{count} reports in an hour to addresses of {value} answer nothing that "
                f"they sent; most come from {most}. The mail is forged: publish DMARC, sign "
                "return paths, and refuse reports to addresses that do not exist",
                evidence=[
                    Evidence("reports in an hour", count, self.domain),
                    reflectors,
                ],
                targets=list(seen.parts) or [value],
                wish=Wish("notify", Target("domain", value)),
            )
        count = HOUR.distinct(seen.reports, at)
        daily = TODAY.total(seen.daily, at)
        pace = max((MINUTE.total(pace, at) for pace in seen.paces.values()), default=0)
        sent, lately = WEEK.total(seen.sent, at), LATELY.total(seen.lately, at)
        alien, ours = HOUR.total(seen.alien, at), HOUR.total(seen.ours, at)
        proved = []
        if alien:
            percent = round(100 * alien / (alien + ours), 1)
            proved = [Evidence("proved not ours", percent, 100 * self.alien, "%")]
        hourly = said(count, about=seen.reports.estimated)
        told = (
            f"{daily} reports in a day" if mark.shape == "slow" else f"{hourly} reports in an hour"
        )
        return Judgement(
            summary=f"{told} to {value} answer nothing that it sent; most "
            f"come from {most}. The mail is forged: refuse mail without a sender to this address "
            "for a day, and sign return paths",
            evidence=[
                HOUR.evidence("reports in an hour", seen.reports, at, self.reports),
                Evidence("reports in a day", daily, self.daily),
                TODAY.evidence("networks in a day", seen.networks, at, self.networks),
                Evidence("reports from one server in a minute", pace, self.minute),
                Evidence("reports in 7 days", WEEK.total(seen.received, at), self.ratio * sent),
                reflectors,
                *proved,
            ],
            targets=[value],
            checks=[
                f"the address wrote to {sent} recipients elsewhere in 7 days, {lately} in two",
                f"of the reports in an hour, {ours} are about its own mail, {alien} are not",
            ],
            wish=Wish("notify", Target("address", value)),
        )
