"""Gateways that take steps about people: once for each decision, whatever is restarted, and noted
in the trail of changes.

A step is a program or a call of somebody else's service and takes its time, so a thread takes
them, one after the other. What fails is tried again, later each time, and keeps no other step
back. A renewed decision is carried out again.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, Literal

from schemas.audit import MACHINE, What, entry
from schemas.findings import ACTIONS, Action, Decision
from streams import needs
from streams.done import Done, Entry
from streams.gateway import Gateway, GatewayError, GatewaySettings, Note, Site

RANK = {action: rank for rank, action in enumerate(ACTIONS)}
PAUSES = (1.0, 60.0)  # seconds until what failed is tried again, doubled each time

From = Action | Literal[""]
"""The mildest action of a decision from which a step is taken; "" never."""

Taken = Iterator[tuple[Entry, str]]
"""Decisions with what came of a step."""


class SteppingSettings(GatewaySettings, frozen=True):
    folder: str = "/var/lib/mailwarden"  # what was done is remembered there


class Stepping(Gateway):
    """A subclass names its `steps` in the order in which they are taken, each a setting of type
    `From`, and defines `names`, `take` and, where a step can be undone, `undo`."""

    Settings = SteppingSettings
    settings: SteppingSettings
    steps: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "",
        lifted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(settings, name, lifted)
        self._clock = clock
        self._site: Site | None = None
        self._done = Done(Path(self.settings.folder) / "done.json")
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=self.name)
        self._running: Future[None] | None = None
        self._failed = ""
        self._pause = PAUSES[0]
        self._again = 0.0

    # -- what a subclass says -----------------------------------------------------------------

    def names(self, decision: Decision, step: str) -> bool:
        """Whether the decision is about somebody for whom the step can be taken."""
        raise NotImplementedError

    def take(self, step: str, entries: Sequence[Entry]) -> Taken:
        """Take a step for these decisions. Raises GatewayError where one fails; those before it
        are done."""
        raise NotImplementedError

    def undo(self, found: Entry, step: str) -> str:
        """Undo a step that was taken; what came of it, "" where it cannot be undone. Raises
        GatewayError."""
        return ""

    def pending(self) -> bool:
        """Whether there is other work for the thread: then `work` is called."""
        return False

    def work(self) -> None:
        """Raises GatewayError."""

    # -- what a gateway does ------------------------------------------------------------------

    def connect(self, site: Site) -> None:
        self._site = site

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def needs(self) -> list[Note]:
        """Where it remembers what was done."""
        return [needs.folder(self.settings.folder)]

    def reaches(self, decision: Decision) -> bool:
        return bool(self.asked(decision))

    def enforce(self, decisions: Sequence[Decision]) -> bool:
        wanted = {one.id: one for one in decisions if self.asked(one)}
        if self._running is not None:
            if not self._running.done():
                return False
            self._finish(self._running.exception())
        gone, due = self._done.left(wanted), self._due(wanted.values())
        if not (gone or due or self._done.unsafe or self.pending()):
            return True
        if self._clock() < self._again:
            raise GatewayError(self._failed)
        self._running = self._pool.submit(self._work, gone, due)
        return False

    def asked(self, decision: Decision) -> list[str]:
        """The steps that a decision asks for, in their order."""
        return [
            step
            for step in self.steps
            if (least := self.least(step))
            and RANK[decision.action] >= RANK[least]
            and self.names(decision, step)
        ]

    def least(self, step: str) -> From:
        found: From = getattr(self.settings, step)
        return found

    # -- what is behind it --------------------------------------------------------------------

    def _finish(self, error: BaseException | None) -> None:
        self._running = None
        if error is None:
            self._failed, self._pause, self._again = "", PAUSES[0], 0.0
            return
        self._failed = str(error) or type(error).__name__
        self._again = self._clock() + self._pause
        self._pause = min(2 * self._pause, PAUSES[1])

    def _due(self, wanted: Iterable[Decision]) -> list[tuple[str, Entry]]:
        """What is not done yet."""
        return [
            (step, found)
            for found in map(self._done.of, wanted)
            for step in self.asked(found.decision)
            if step not in found.steps
        ]

    def _work(self, gone: list[Entry], due: list[tuple[str, Entry]]) -> None:
        """Undo and take all steps that can be. Raises GatewayError with those that cannot."""
        failures: dict[str, str] = {}
        for found in gone:
            self._try("undo", failures, self._undo, found)
        for step in self.steps:
            left = [found for name, found in due if name == step]
            while left:
                before = len(left)
                self._try(step, failures, self._take, step, left)
                left = left[1:] if len(left) == before else left  # that one has failed
        if self.pending():
            self._try("list", failures, self.work)
        if self._done.unsafe:
            self._try("memory", failures, self._done.keep, self._clock())
        if failures:
            raise GatewayError("; ".join(f"{step}: {why}" for step, why in failures.items()))

    def _try(
        self, step: str, failures: dict[str, str], work: Callable[..., None], *given: object
    ) -> None:
        try:
            work(*given)
        except GatewayError as error:
            failures.setdefault(step, str(error))

    def _take(self, step: str, left: list[Entry]) -> None:
        """Take a step for as many as can be; they leave the list."""
        for found, said in self.take(step, list(left)):
            left.remove(found)
            found.steps.append(step)
            self._note("done", found.decision, f"{step}: {said}")
            self._done.keep(self._clock())

    def _undo(self, found: Entry) -> None:
        """The decision is in force no more."""
        for step in list(reversed(found.steps)):
            said = self.undo(found, step)
            if said:
                found.steps.remove(step)
                self._note("undone", found.decision, f"{step}: {said}")
        found.active = False
        self._done.keep(self._clock())

    def _note(self, what: What, decision: Decision, detail: str) -> None:
        if self._site is not None:
            noted = entry(what, decision, at=self._clock(), by=MACHINE, detail=detail)
            self._site.record([noted])


def rested(found: Entry, seconds: float) -> None:
    """Wait until a decision has been known for so long: other gateways carry it out meanwhile."""
    time.sleep(min(seconds, max(0.0, found.seen + seconds - time.monotonic())))
