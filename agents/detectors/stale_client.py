"""A device keeps trying an old password: no attack, a word to the help desk.

What tells it from a guesser is that it has one password only, or that the account is at home
here: this client or its network opened it in the last 30 days. Mail of a client that logs in
here, brought without a login, is refused as relaying: its program has the wrong port. Nobody is
accused, nothing is decided.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from schemas import keys
from schemas.events import Auth, Recipient
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
    ports: dict[str, Run] = field(default_factory=dict)  # mail without a login, by sender


class StaleClient(Detector, frozen=True, kw_only=True):
    """Shapes: known_account, one_password, wrong_port."""

    name = "stale_client"
    blind_to = "devices in new places where the log tells neither account nor password"
    hears: ClassVar = {"c": (Auth, Recipient)}
    state = Seen

    window: float = 86400.0  # seconds without a try that end a run
    tries: int = 10  # alike, without a success between them *
    denials: int = 3  # refused as relaying, of one sender *

    @property
    def sleeps(self) -> bool:
        return True

    @property
    def horizon(self) -> float:
        return self.window

    def minds(self, event: Any, view: View) -> bool:
        return type(event) is Auth or event.verdict == "relay_denied"

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark]:
        if type(event) is Recipient:
            return self._refused(event, seen, view)
        if event.outcome == "ok":
            if seen.runs:
                seen.runs.pop(keys.mailbox(event.account, view.site.default_domain), None)
        elif event.outcome == "failed" and event.account and not view.trusted:
            account = keys.mailbox(event.account, view.site.default_domain)
            known = view.knows(account)
            alike = known or (
                account in seen.runs and seen.runs[account].password == event.password
            )
            run = self._run(event, account, alike, seen.runs)
            run.password = event.password
            run.tries += min(max(event.count, 1), AT_ONCE)
            if run.tries >= self.tries and (known or event.password):
                return (Mark(self.name, "known_account" if known else "one_password", "info"),)
        return ()

    def _refused(self, event: Recipient, seen: Seen, view: View) -> Iterable[Mark]:
        """Mail elsewhere without a login, in the name of one of ours or from where one logs in."""
        if event.verdict != "relay_denied" or event.account or view.trusted:
            return ()
        ours = not view.site.domains or view.site.local(event.sender)
        if not view.past.any(event.at) and not (ours and view.around.any(event.at)):
            return ()
        run = self._run(event, event.sender[: keys.LONGEST], True, seen.ports)
        run.tries += 1
        return (Mark(self.name, "wrong_port", "info"),) if run.tries >= self.denials else ()

    def _run(self, event: Auth | Recipient, name: str, alike: bool, runs: dict[str, Run]) -> Run:
        """What is alike goes on; what is not, or was quiet for long, begins anew."""
        run = runs.pop(name, None)
        if run is None or not alike or event.at - run.at > self.window:
            run = Run()
        if len(runs) >= ACCOUNTS:
            del runs[next(iter(runs))]
        run.at = max(run.at, event.at)
        runs[name] = run
        return run

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        stale = [name for name, run in seen.runs.items() if run.tries >= self.tries]
        most = max((run.tries for run in seen.runs.values()), default=0)
        senders = [name for name, run in seen.ports.items() if run.tries >= self.denials]
        denials = max((run.tries for run in seen.ports.values()), default=0)
        said = []
        if stale:
            said.append(f"keeps trying an old password at {', '.join(stale)}")
        if senders:
            said.append(
                f"sends mail of {', '.join(senders)} without a login, as to a port for servers:"
                " its program must use submission (587 or 465) and log in"
            )
        counts = [
            Evidence("tries alike", most, self.tries),
            Evidence("refused without a login", denials, self.denials),
        ]
        return Judgement(
            summary=f"{view.value} {'; '.join(said)}",
            evidence=[count for count in counts if count.count],
            targets=[*stale, *senders],
        )
