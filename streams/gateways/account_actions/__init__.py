"""Actions for an account that is in other hands: people are told, mail that waits is purged (and
kept), sessions end.

To limit what it sends is the policy server's business, to hold or refuse it that of Postfix's
table of accounts, to take no login that of Dovecot's deny file or policy; this is what they cannot
do. Nothing of it happens unless it is switched on.
"""

import time
from collections.abc import Callable, Sequence

import msgspec

from schemas.findings import Decision
from streams import needs
from streams.done import Entry
from streams.gateway import GatewaySettings, Note
from streams.gateways.account_actions import dovecot, notice
from streams.gateways.account_actions.programs import run
from streams.gateways.account_actions.queue import Kept, Purged, Queue
from streams.gateways.account_actions.settings import AccountActionsSettings
from streams.stepping import Stepping, Taken, rested

__all__ = ["AccountActions", "AccountActionsSettings", "Kept", "Queue"]

SETTLED = 1.5  # seconds after which other gateways lock out whoever is put out: Dovecot looks at
# its files once a second


class AccountActions(Stepping):
    """Who is out cannot send what is purged next."""

    Settings = AccountActionsSettings
    steps = ("kick", "purge", "notify", "command")
    blind_to = "sessions of SMTP that are open already, and programs that ask another passdb"
    settings: AccountActionsSettings

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "account_actions",
        lifted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(settings, name, lifted, clock)
        self._queue = Queue(self.settings)

    def names(self, decision: Decision, step: str) -> bool:
        kind = decision.target.kind
        return (kind == "account" or step == "kick") and bool(dovecot.login(decision))

    def take(self, step: str, entries: Sequence[Entry]) -> Taken:
        if step == "purge":
            yield from self._purge(entries)
            return
        for found in entries:
            decision = found.decision
            match step:
                case "kick":
                    rested(found, SETTLED)
                    yield found, dovecot.kick(decision, self.settings)
                case "notify":
                    account = dovecot.login(decision)
                    yield found, notice.send(decision, account, found.steps, self.settings)
                case _:
                    yield found, self._command(self.settings.begin, decision)

    def undo(self, found: Entry, step: str) -> str:
        """Sessions that ended and people who were told stay so; purged mail waits for a person
        (`mailwarden purged`)."""
        return self._command(self.settings.end, found.decision) if step == "command" else ""

    def needs(self) -> list[Note]:
        """The programs of the steps that are switched on, and the relay."""
        settings = self.settings
        notes = super().needs()
        if settings.kick:
            notes.append(needs.program([settings.doveadm], "ends sessions"))
        if settings.purge:
            for name in ("postqueue", "postcat", "postsuper"):
                notes.append(needs.program([name], "purges mail", privileged=name != "postqueue"))
        if settings.notify:
            notes.append(notice.reachable(settings))
        if settings.command:
            for command in filter(None, (settings.begin, settings.end)):
                notes.append(needs.program(command, "hears of decisions"))
        return notes

    def review(self) -> list[Note]:
        settings = self.settings
        switched_on = [
            f"{step} from {least} on" for step in self.steps if (least := self.least(step))
        ]
        if not switched_on:
            return [Note("failed", "no step is switched on: nothing is done about accounts")]
        notes = [Note("ok", ", ".join(switched_on))]
        if settings.notify and not settings.help_desk and not settings.tell_user:
            notes.append(Note("failed", "notify: neither help_desk nor tell_user says whom"))
        return notes

    def _purge(self, entries: Sequence[Entry]) -> Taken:
        """Of all of them in one look at the queue."""
        domain = self.settings.login_domain
        names = {
            found.decision.id: dovecot.spellings(dovecot.login(found.decision), domain)
            for found in entries
        }
        purged = self._queue.purge({name for some in names.values() for name in some})
        for found in entries:
            total = sum((purged[name] for name in names[found.decision.id]), Purged())
            yield found, str(total)

    def _command(self, command: Sequence[str], decision: Decision) -> str:
        if not command:
            return "no command is configured"
        run(command, self.settings.timeout, given=msgspec.json.encode(decision))
        return f"{command[0]} was run"
