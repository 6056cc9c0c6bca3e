"""A client breaks the rules of SMTP, as programs do that only send spam.

It talks before the greeting or pipelines before that is allowed (RFC 5321, 4.3.1; RFC 2920),
speaks another protocol to the port, or calls itself by our own name in HELO.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import Counts, Distinct, Window
from agents.words import many
from schemas.events import Connection, Recipient
from schemas.findings import Evidence, Target, Wish

SHORT = Window(600.0)
COLD = "less than a week was seen: this client may always have done so"


class Seen(Struct, array_like=True):
    times: Counts = field(default_factory=Counts)
    ways: Distinct = field(default_factory=Distinct)


class ProtocolAbuse(Detector, frozen=True, kw_only=True):
    """One shape: rules."""

    name = "protocol_abuse"
    technique = "T1190"  # Exploit Public-Facing Application
    blind_to = "servers that let such clients pass without a word in the log"
    hears: ClassVar = {"c": (Connection, Recipient)}
    state = Seen

    times: int = 3  # in 10 min *

    @property
    def sleeps(self) -> bool:
        return True

    @property
    def horizon(self) -> float:
        return 86400.0

    def minds(self, event: Any, view: View) -> bool:
        return bool(self._way(event))

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark]:
        way = self._way(event)
        if not way or view.trusted or view.around.any(event.at):
            return ()
        SHORT.see(seen.ways, way, event.at)
        if SHORT.add(seen.times, event.at) >= self.times:
            return (Mark(self.name, "rules", "low"),)
        return ()

    def _way(self, event: Connection | Recipient) -> str:
        """How it breaks the rules; "" where it does not."""
        if type(event) is Connection:
            return (event.reason or "protocol") if event.outcome == "abuse" else ""
        return "helo" if event.reason == "helo" else ""

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        times = SHORT.total(seen.times, view.at)
        ways = ", ".join(SHORT.names(seen.ways))
        return Judgement(
            summary=f"{view.value} broke the rules of SMTP {many(times, 'time')} in 10 min: {ways}",
            evidence=[Evidence("violations in 10 min", times, self.times)],
            clients=[view.value],
            checks=["no login from its network in 30 days"],
            wish=Wish("reject", Target("network", view.value), against=COLD if view.cold else ""),
        )
