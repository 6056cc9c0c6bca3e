"""What is to be done about accounts that were in other hands, and what of it is.

A person ticks a task, or the trail of changes does: a password that somebody else than the account
itself set, mail that was taken out of the queue, a block list that was asked, a pardon. What an
account did itself proves nothing, for a thief may have done it: that is told as a hint.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from schemas.audit import MACHINE, Audit
from schemas.incidents import TASKS, Task, Tick

ACCOUNTS = 20  # whose tasks are listed each; those of more are ticked for all together


class Meaning(Struct, frozen=True):
    what: str
    how: str  # where to, in a few words
    each: bool = True  # to be done for each account


MEANINGS: dict[Task, Meaning] = {
    "password": Meaning(
        "a new password, and not the old one again",
        "tell the owner by phone or in person; ask what was opened or typed where",
    ),
    "sessions": Meaning(
        "sessions and app passwords ended",
        "at every place that keeps a login: IMAP, webmail, phones, app passwords, OAuth consents",
    ),
    "mailbox": Meaning(
        "rules, forwards and identity checked",
        "rules that delete or forward, Reply-To, signature, delegates, recovery address",
    ),
    "queue": Meaning("queued mail purged", "mailwarden purged list shows what was taken out"),
    "recipients": Meaning(
        "recipients who were reached are listed and told",
        "mailwarden alerts show names them; those inside first",
        each=False,
    ),
    "delisting": Meaning(
        "block lists asked to take us off",
        "mailwarden listed list; say it with mailwarden listed asked",
        each=False,
    ),
    "release": Meaning("the account released", "mailwarden decisions pardon account:NAME"),
}


class Entry(Struct, frozen=True):
    """A task for one account, or for all."""

    task: Task
    account: str  # "": for all
    done: Tick | None = None
    hint: str = ""  # what was seen that may be it


def playbook(hijacked: Sequence[str], ticks: Iterable[Tick], trail: Iterable[Audit]) -> list[Entry]:
    """The tasks of an incident, in the order in which they are to be done. Empty where no account
    was in other hands."""
    if not hijacked:
        return []
    done: dict[tuple[Task, str], Tick] = {}
    hints: dict[tuple[Task, str], str] = {}
    for entry in sorted(trail, key=lambda one: one.at):
        for tick in _proved(entry):
            done.setdefault((tick.task, tick.account), tick)
        for task, account, hint in _hinted(entry):
            hints[task, account] = hint
    done.update({(tick.task, tick.account): tick for tick in ticks})  # a person's word counts more
    found = []
    for task in TASKS:
        each = MEANINGS[task].each
        for account in hijacked[:ACCOUNTS] if each else ("",):
            proof = done.get((task, account)) or done.get((task, ""))
            hint = "" if proof else hints.get((task, account), "")
            found.append(Entry(task, account, proof, hint))
    return found


def _proved(entry: Audit) -> Iterator[Tick]:
    kind, _, account = entry.target.partition(":")
    by, at = entry.by or MACHINE, entry.at
    if entry.what == "asked":
        yield Tick(task="delisting", at=at, by=by, note=entry.detail)
    if kind != "account":
        return
    if entry.what == "pardoned":
        yield Tick(task="release", account=account, at=at, by=by, note=entry.reason)
    elif entry.what == "done" and entry.detail.startswith("purge:"):
        yield Tick(task="queue", account=account, at=at, by=by, note=entry.detail)
    elif entry.what == "changed" and entry.action == "password" and not _own(entry, account):
        yield Tick(task="password", account=account, at=at, by=by, note="as the log says")


def _hinted(entry: Audit) -> Iterator[tuple[Task, str, str]]:
    kind, _, account = entry.target.partition(":")
    if kind != "account":
        return
    if entry.what == "done" and entry.detail.startswith("kick:"):
        yield "sessions", account, "mail sessions were ended; app passwords are not known here"
    elif entry.what == "changed" and entry.action == "password":
        where = f" from {entry.detail}" if entry.detail else ""
        yield "password", account, f"set by the account itself{where}: was it the owner?"
    elif entry.what == "changed":
        yield "mailbox", account, f"{entry.action} changed by {entry.by or 'somebody'}"


def _own(entry: Audit, account: str) -> bool:
    """Whether the account did it itself, or nobody says who did."""
    local = account.partition("@")[0]
    return entry.by.lower() in ("", MACHINE, account, local)
