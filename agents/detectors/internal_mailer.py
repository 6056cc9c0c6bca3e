"""A host of our own network sends mail that nobody asked it for: it is infected.

What tells it from a printer or a business program is that it writes to many people who never
heard of it, under many names, and that much of it comes back. Relays, business programs and NAT
gateways that may are declared as ``[network] trusted``.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import DAY, Counts, Distinct, Window
from agents.words import many
from schemas.events import Connection, Message, Recipient
from schemas.findings import Evidence, Severity, Target, Wish

HOUR = Window(3600.0)
TODAY = Window(DAY)


class Seen(Struct, array_like=True):
    recipients: Counts = field(default_factory=Counts)
    refused: Counts = field(default_factory=Counts)  # of them
    senders: Distinct = field(default_factory=Distinct)  # in an hour
    daily: Distinct = field(default_factory=Distinct)  # in a day
    names: Distinct = field(default_factory=Distinct)  # HELO
    direct: Counts = field(default_factory=Counts)  # connections to port 25 elsewhere


class InternalMailer(Detector, frozen=True, kw_only=True):
    """Shapes: many_senders, many_names, refused, direct (past our gateways, as a firewall or its
    flows tell), volume. The subject is the host."""

    name = "internal_mailer"
    technique = "T1204"  # User Execution
    blind_to = (
        "hosts behind one address with others, mail past our gateways and firewalls, and names in"
        " HELO that the log does not tell (sendmail's, and Postfix's of mail that it takes)"
    )
    hears: ClassVar = {"c": (Message, Recipient, Connection)}
    state = Seen

    recipients: int = 100  # in an hour *
    senders: int = 10  # in an hour *
    daily: int = 40  # senders in a day *
    names: int = 3  # of the host in HELO *
    refused: float = 0.2  # of its recipients, from 50 on *
    least: int = 50
    direct: int = 100  # connections to port 25 elsewhere in an hour *

    @property
    def horizon(self) -> float:
        return 86400.0

    def minds(self, event: Any, view: View) -> bool:
        return event.client in view.site.own and not view.trusted

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark]:
        if not self.minds(event, view):
            return ()
        at = event.at
        if type(event) is Connection:
            self._named(event.helo, seen, at)
            if event.reason == "port_25":
                HOUR.add(seen.direct, at)
            return self._shapes(seen, at)
        if event.account:
            return ()
        self._named(event.helo, seen, at)
        if type(event) is Message:
            HOUR.add(seen.recipients, at, max(1, event.recipients))
            HOUR.see(seen.senders, event.sender, at)
            TODAY.see(seen.daily, event.sender, at)
        elif event.verdict != "accepted":
            HOUR.add(seen.recipients, at)
            HOUR.add(seen.refused, at)
        return self._shapes(seen, at)

    @staticmethod
    def _named(helo: str, seen: Seen, at: float) -> None:
        """What the host calls itself. A refusal by Postfix tells it, a message that Exim or
        Exchange takes as well; a message that Postfix takes does not."""
        if helo:
            HOUR.see(seen.names, helo.lower(), at)

    def _shapes(self, seen: Seen, at: float) -> Iterable[Mark]:
        recipients = HOUR.total(seen.recipients, at)
        signs: list[tuple[str, Severity]] = []
        hourly, daily = HOUR.distinct(seen.senders, at), TODAY.distinct(seen.daily, at)
        if hourly >= self.senders or daily >= self.daily:
            signs.append(("many_senders", "high"))
        if HOUR.distinct(seen.names, at) >= self.names:
            signs.append(("many_names", "high"))
        if recipients >= self.least and HOUR.total(seen.refused, at) >= self.refused * recipients:
            signs.append(("refused", "high"))
        if HOUR.total(seen.direct, at) >= self.direct:
            signs.append(("direct", "high"))
        if recipients >= self.recipients:
            signs.append(("volume", "medium"))
        return [Mark(self.name, *sign) for sign in signs[:1]]

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        recipients = HOUR.total(seen.recipients, at)
        refused = HOUR.total(seen.refused, at)
        senders = HOUR.distinct(seen.senders, at)
        direct = HOUR.total(seen.direct, at)
        wrote = (
            f"wrote to {many(recipients, 'recipient')} in an hour without a login,"
            f" {refused} of them refused, as"
            f" {many(senders, 'sender', about=seen.senders.estimated)}"
        )
        if mark.shape == "direct":
            wrote = f"made {many(direct, 'connection')} to port 25 of others in an hour"
        elif mark.shape == "many_names":
            wrote += f"; in HELO it called itself {', '.join(HOUR.names(seen.names))}"
        return Judgement(
            summary=f"{view.value}, a host of ours that is no relay, {wrote}",
            evidence=[
                Evidence("recipients in an hour", recipients, self.recipients),
                HOUR.evidence("senders", seen.senders, at, self.senders),
                TODAY.evidence("senders in a day", seen.daily, at, self.daily),
                HOUR.evidence("HELO names", seen.names, at, self.names),
                Evidence("connections to port 25", direct, self.direct),
                Evidence(
                    "refused",
                    round(100 * refused / max(1, recipients), 1),
                    100 * self.refused,
                    "%",
                ),
            ],
            clients=[view.value],
            targets=HOUR.names(seen.senders),
            targets_count=senders,
            wish=Wish("notify", Target("network", view.value)),
        )
