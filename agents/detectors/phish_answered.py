"""An account writes to an address that phishers collect answers at: it may have told its password.

The addresses are those of a list that a site keeps or takes from others (``[phishing]``). One
mail is enough, whatever became of it: who answers has been asked.
"""

from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.windows import DAY, Distinct, Window
from schemas import keys
from schemas.events import Delivery
from schemas.findings import Evidence, Target, Wish

TODAY = Window(DAY)


class Seen(Struct, array_like=True):
    collectors: Distinct = field(default_factory=Distinct)  # addresses of the list, in a day


class PhishAnswered(Detector, frozen=True, kw_only=True):
    """Shape: answered. The subject is the account that wrote."""

    name = "phish_answered"
    technique = "T1598"  # Phishing for Information
    blind_to = "collectors that no list names, and answers given on a web page"
    hears: ClassVar = {"m": (Delivery,)}
    state = Seen

    @property
    def horizon(self) -> float:
        return float(DAY)

    def minds(self, event: Delivery, view: View) -> bool:
        return _collector(event) in view.site.phishing

    def observe(self, event: Delivery, seen: Seen, view: View) -> Iterable[Mark]:
        collector = _collector(event)
        if collector not in view.site.phishing:
            return ()
        if view.value not in (
            keys.mailbox(event.account, view.site.default_domain),
            keys.mailbox(event.sender, view.site.default_domain),
        ):
            return ()
        TODAY.see(seen.collectors, collector, event.at)
        return (Mark(self.name, "answered", "medium"),)

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        count = TODAY.distinct(seen.collectors, view.at)
        named = [name for name, _ in TODAY.top(seen.collectors)]
        others = f" and {count - 1} more" if count > 1 else ""
        return Judgement(
            summary=f"{view.value} wrote to {named[0]}{others}, which phishers read: "
            "it may have told its password",
            evidence=[Evidence("addresses of phishers", count, 1)],
            targets=named,
            targets_count=count,
            wish=Wish("notify", Target("account", view.value)),
        )


def _collector(event: Delivery) -> str:
    """The address that was written to."""
    return keys.mailbox(event.original or event.recipient)
