"""A detector that counts every event of every subject, and nothing else: where it is wrong by
one, an event was lost or folded twice."""

from collections.abc import Iterator
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from schemas.events import Auth, Fact, Signal
from schemas.findings import Evidence
from schemas.keys import mailbox


class Seen(Struct, array_like=True):
    count: int = 0
    total: int = 0  # of the events' offsets: tells a loss and a repetition that cancel out
    told: set[str] = field(default_factory=set)  # accounts whose watchers we told
    heard: set[str] = field(default_factory=set)  # clients that told us


class Tally(Detector, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: ClassVar[str] = "tally"
    hears: ClassVar[dict[str, tuple[type[Fact], ...]]] = {
        "c": (Auth,),
        "n": (Auth,),
        "m": (Auth, Signal),
    }
    state: ClassVar[type[Struct]] = Seen

    many: int = 40

    @property
    def horizon(self) -> float:
        return 86_400.0

    def observe(self, event: Any, seen: Any, view: View) -> Iterator[Mark | Signal]:
        if isinstance(event, Signal):
            seen.heard.add(event.client)
            return
        seen.count += 1
        seen.total += event.offset
        if view.key[0] == "c" and seen.count > self.many // 2 and len(seen.told) < 8:
            account = mailbox(event.account)
            if account not in seen.told:
                seen.told.add(account)
                yield Signal(at=event.at, about=f"m:{account}", kind="seen", client=view.value)
        if seen.count >= self.many:
            yield Mark("tally", "many", "low")

    def judge(self, mark: Mark, seen: Any, view: View) -> Judgement:
        return Judgement(
            summary=f"{seen.count} attempts",
            evidence=[Evidence("attempts", seen.count, self.many)],
        )
