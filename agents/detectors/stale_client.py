"""A device keeps trying an old password: no attack, a word to the help desk.

What tells it from a guesser is that it has one password only, or that the account is at home
here: this client or its network opened it in the last 30 days. Nobody is accused, nothing is
decided.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from schemas import keys
from schemas.events import Auth
from schemas.findings import Evidence

ACCOUNTS = 16  # of one client that are followed at once
AT_ONCE = 1000  # tries that one line may report; what claims more is not believed


class Run(Struct, array_like=True):
    """Failures at one account that look like one device's."""

    password: str = ""  # the newest fingerprint
    tries: int = 0
    at: float = 0.0


class Seen(Struct, array_like=True):
    runs: dict[str, Run] = field(default_factory=dict)  # by account, the newest last


class StaleClient(Detector, frozen=True, kw_only=True):
    """Shapes: known_account, one_password."""

    name = "stale_client"
    blind_to = "devices in new places where the log tells neither account nor password"
    hears: ClassVar = {"c": (Auth,)}
    state = Seen

    window: float = 86400.0  # seconds without a try that end a run
    tries: int = 10  # alike, without a success between them *

    @property
    def sleeps(self) -> bool:
        return True

    @property
    def horizon(self) -> float:
        return self.window

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark]:
        if event.outcome == "ok":
            if seen.runs:
                seen.runs.pop(keys.mailbox(event.account, view.site.default_domain), None)
        elif event.outcome == "failed" and event.account and not view.trusted:
            account = keys.mailbox(event.account, view.site.default_domain)
            known = view.knows(account)
            run = self._run(event, account, known, seen)
            if run.tries >= self.tries and (known or event.password):
                return (Mark(self.name, "known_account" if known else "one_password", "info"),)
        return ()

    def _run(self, event: Auth, account: str, known: bool, seen: Seen) -> Run:
        run = seen.runs.pop(account, None)
        alike = run is not None and (known or run.password == event.password)
        if run is None or not alike or event.at - run.at > self.window:
            run = Run()
        if len(seen.runs) >= ACCOUNTS:
            del seen.runs[next(iter(seen.runs))]
        run.password = event.password
        run.tries += min(max(event.count, 1), AT_ONCE)
        run.at = max(run.at, event.at)
        seen.runs[account] = run
        return run

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        stale = [name for name, run in seen.runs.items() if run.tries >= self.tries]
        most = max((run.tries for run in seen.runs.values()), default=0)
        return Judgement(
            summary=f"{view.value} keeps trying an old password at {', '.join(stale)}",
            evidence=[Evidence("tries alike", most, self.tries)],
            targets=stale,
        )
