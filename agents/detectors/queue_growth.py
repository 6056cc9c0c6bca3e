"""A gateway's queue fills: with reports, with one sender's mail, or faster than it ever did.

A queue is the first thing that a flood shows in and the last thing that anybody looks at. The
watcher takes samples as they come (`queue` events: a listing, a counter) and remembers the
largest of each hour of two weeks.
"""

from collections.abc import Iterable
from statistics import median
from typing import ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from schemas.events import Queue
from schemas.findings import Evidence

HOURS = 14 * 24
LEAST_PAST = 24  # hours seen, before growth is measured by them
SENDERS = 8


class Seen(Struct, array_like=True):
    past: list[int] = field(default_factory=list)  # the most messages of each hour, newest last
    hour: int = 0
    most: int = 0
    recent: list[tuple[float, int]] = field(default_factory=list)  # samples of half an hour
    null_sender: int = 0  # of the newest sample
    size: int = 0
    top: tuple[str, int] = ("", 0)


class QueueGrowth(Detector, frozen=True, kw_only=True):
    """Shapes: reports, one_sender, growth. The subject is the gateway."""

    name = "queue_growth"
    technique = "T1499"  # Endpoint Denial of Service
    blind_to = "queues that nobody samples, and growth between two samples"
    hears: ClassVar = {"g": (Queue,)}
    state = Seen

    least: int = 200  # messages in the queue *
    share: float = 0.5  # of them with the null sender, or from one sender *
    growth: float = 5.0  # times what is usual, within `minutes` *
    minutes: float = 30.0

    @property
    def horizon(self) -> float:
        return 86400.0

    @property
    def memory(self) -> float:
        return HOURS * 3600.0

    def observe(self, event: Queue, seen: Seen, view: View) -> Iterable[Mark]:
        size = event.active + event.deferred + event.incoming + event.hold
        self._remember(seen, event.at, size)
        seen.size, seen.null_sender = size, event.null_sender
        seen.top = max(event.top_senders, key=lambda one: one[1], default=("", 0))
        if size < self.least:
            return ()
        if event.null_sender >= self.share * size:
            return (Mark(self.name, "reports", "high"),)
        if seen.top[1] >= self.share * size:
            return (Mark(self.name, "one_sender", "high"),)
        return (Mark(self.name, "growth", "medium"),) if self._has_grown(seen, size) else ()

    def _has_grown(self, seen: Seen, size: int) -> bool:
        """Far above the usual, and not so half an hour ago: a queue that stays full is no news."""
        usual = self._usual(seen)
        return (
            usual is not None
            and size >= self.growth * max(usual, 1.0)
            and min(before for _, before in seen.recent) < size / 2
        )

    def _usual(self, seen: Seen) -> float | None:
        return median(seen.past) if len(seen.past) >= LEAST_PAST else None

    def _remember(self, seen: Seen, at: float, size: int) -> None:
        hour = int(at // 3600)
        if hour > seen.hour:
            if seen.hour:
                seen.past.append(seen.most)
                del seen.past[:-HOURS]
            seen.hour, seen.most = hour, 0
        seen.most = max(seen.most, size)
        oldest = at - 60 * self.minutes
        seen.recent = [(when, many) for when, many in seen.recent[-60:] if when >= oldest]
        seen.recent.append((at, size))

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        usual = self._usual(seen)
        sender, most = seen.top
        said = {
            "reports": f"{seen.null_sender} of them are reports with the null sender",
            "one_sender": f"{most} of them are from {sender}",
            "growth": f"usual are {usual or 0:.0f}",
        }.get(mark.shape, "")
        evidence = [
            Evidence("messages in the queue", seen.size, self.least),
            Evidence("null sender", _percent(seen.null_sender, seen.size), 100 * self.share, "%"),
            Evidence("one sender", _percent(most, seen.size), 100 * self.share, "%"),
        ]
        if usual is not None:
            evidence.append(Evidence("times the usual", seen.size / max(usual, 1), self.growth))
        return Judgement(
            summary=f"the queue of {view.value} holds {seen.size} messages; {said}",
            evidence=evidence,
            targets=[sender] if mark.shape == "one_sender" else [],
        )


def _percent(part: int, whole: int) -> float:
    return round(100 * part / max(whole, 1), 1)
