"""Actions for an account that is in other hands: people are told, mail that waits is purged (and
kept), sessions end.

To limit what it sends is the policy server's business, to hold or refuse it that of Postfix's
table of accounts, to take no login that of Dovecot's deny file or policy; this is what they cannot
do. Nothing of it happens unless it is switched on.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from schemas.audit import MACHINE, What, entry
from schemas.findings import ACTIONS, Decision
from streams.gateway import Gateway, GatewayError, GatewaySettings, Note, Site
from streams.gateways.account_actions import dovecot, notice
from streams.gateways.account_actions.done import Done, Entry
from streams.gateways.account_actions.programs import run
from streams.gateways.account_actions.queue import Kept, Purged, Queue
from streams.gateways.account_actions.settings import AccountActionsSettings, From

__all__ = ["AccountActions", "AccountActionsSettings", "Kept", "Queue"]

STEPS = ("kick", "purge", "notify", "command")
"""In the order in which they are taken: who is out cannot send what is purged next."""

RANK = {action: rank for rank, action in enumerate(ACTIONS)}
PAUSES = (1.0, 60.0)  # seconds until a failed step is tried again, doubled each time


SETTLED = 1.5  # seconds after which other gateways lock out whoever is put out: Dovecot looks at
# its files once a second

Task = tuple[str, Entry]
"""A step that is to be taken for a decision."""


class AccountActions(Gateway):
    """The steps are programs and mails, and take their time: they are taken by a thread, one
    after the other, and those that fail again and again until they do not. Each is taken once for
    a decision, whatever is restarted, and is noted in the trail of changes."""

    Settings = AccountActionsSettings
    blind_to = "sessions of SMTP that are open already, and programs that ask another passdb"
    settings: AccountActionsSettings

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "account_actions",
        lifted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(settings, name, lifted)
        self._clock = clock
        self._site: Site | None = None
        self._done = Done(Path(self.settings.folder) / "done.json")
        self._queue = Queue(self.settings)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="accounts")
        self._running: Future[None] | None = None
        self._failed = ""
        self._pause = PAUSES[0]
        self._again = 0.0

    def connect(self, site: Site) -> None:
        self._site = site

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def reaches(self, decision: Decision) -> bool:
        return bool(dovecot.login(decision)) and any(self._steps(decision))

    def enforce(self, decisions: Sequence[Decision]) -> bool:
        wanted = {one.id: one for one in decisions if self.reaches(one)}
        if self._running is not None:
            if not self._running.done():
                return False
            error, self._running = self._running.exception(), None
            if error is not None:
                self._failed = str(error)
                self._again = self._clock() + self._pause
                self._pause = min(2 * self._pause, PAUSES[1])
            else:
                self._failed, self._pause, self._again = "", PAUSES[0], 0.0
        gone, due = self._done.left(wanted), self._due(wanted.values())
        if not (gone or due or self._done.unsafe):
            return True
        if self._clock() < self._again:
            raise GatewayError(self._failed)
        self._running = self._pool.submit(self._work, gone, due)
        return False

    def review(self) -> list[Note]:
        settings = self.settings
        switched_on = [f"{step} from {least} on" for step in STEPS if (least := self._least(step))]
        if not switched_on:
            return [Note(False, "no step is switched on: nothing is done about accounts")]
        notes = [Note(True, ", ".join(switched_on))]
        if settings.notify and not settings.help_desk and not settings.tell_user:
            notes.append(Note(False, "notify: neither help_desk nor tell_user says whom"))
        return notes

    # -- what is to be done -------------------------------------------------------------------

    def _least(self, step: str) -> From:
        found: From = getattr(self.settings, step)
        return found

    def _steps(self, decision: Decision) -> list[str]:
        """The steps that a decision asks for, in their order."""
        kind = decision.target.kind
        return [
            step
            for step in STEPS
            if (least := self._least(step))
            and RANK[decision.action] >= RANK[least]
            and (kind == "account" or step == "kick")
        ]

    def _due(self, wanted: Iterable[Decision]) -> list[Task]:
        """What is not done yet."""
        return [
            (step, found)
            for found in map(self._done.of, wanted)
            for step in self._steps(found.decision)
            if step not in found.steps
        ]

    # -- the thread ---------------------------------------------------------------------------

    def _work(self, gone: list[Entry], due: list[Task]) -> None:
        """Undo and take all steps that can be. Raises GatewayError with those that cannot."""
        failures: dict[str, str] = {}
        for found in gone:
            self._try("undo", failures, self._undo, found)
        for step in STEPS:
            entries = [found for name, found in due if name == step]
            if step == "purge" and entries:
                self._try(step, failures, self._purge, entries)
            elif step != "purge":
                for found in entries:
                    self._try(step, failures, self._take, step, found)
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

    def _take(self, step: str, found: Entry) -> None:
        decision = found.decision
        match step:
            case "kick":
                time.sleep(min(SETTLED, max(0.0, found.seen + SETTLED - time.monotonic())))
                said = dovecot.kick(decision, self.settings)
            case "notify":
                account = dovecot.login(decision)
                said = notice.send(decision, account, found.steps, self.settings)
            case _:
                said = self._command(self.settings.begin, decision)
        self._did(found, step, said)

    def _purge(self, entries: list[Entry]) -> None:
        """Of all of them in one look at the queue."""
        domain = self.settings.login_domain
        by_account = {
            name: found
            for found in entries
            for name in dovecot.spellings(dovecot.login(found.decision), domain)
        }
        purged = self._queue.purge(by_account)
        for found in entries:
            names = dovecot.spellings(dovecot.login(found.decision), domain)
            total = sum((purged[name] for name in names), Purged())
            self._did(found, "purge", str(total))

    def _undo(self, found: Entry) -> None:
        """The decision is in force no more. Sessions that ended and people who were told stay so;
        purged mail waits for a person (`mailwarden purged`)."""
        if "command" in found.steps:
            said = self._command(self.settings.end, found.decision)
            found.steps.remove("command")
            self._note("undone", found.decision, f"command: {said}")
        found.active = False
        self._done.keep(self._clock())

    def _command(self, command: Sequence[str], decision: Decision) -> str:
        if not command:
            return "no command is configured"
        run(command, self.settings.timeout, given=msgspec.json.encode(decision))
        return f"{command[0]} was run"

    def _did(self, found: Entry, step: str, said: str) -> None:
        found.steps.append(step)
        self._note("done", found.decision, f"{step}: {said}")
        self._done.keep(self._clock())

    def _note(self, what: What, decision: Decision, detail: str) -> None:
        if self._site is not None:
            noted = entry(what, decision, at=self._clock(), by=MACHINE, detail=detail)
            self._site.record([noted])
