"""The mail of an account that lies in Postfix's queue, by postqueue(1), postcat(1), postsuper(1).

A message belongs to the login by which it was submitted, which its queue file knows
(``sasl_username``); its sender may be anybody, and a sender may be forged. Queue ids are used
again: what is to be deleted is put on hold first, and looked at once more. Nothing is deleted that
was not kept; what cannot be kept stays on hold.
"""

import heapq
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, field

from streams import atomic
from streams.gateway import GatewayError
from streams.gateways.account_actions.programs import lines, run
from streams.gateways.account_actions.settings import AccountActionsSettings

AT_ONCE = 100  # messages that one call of postcat looks at
MARK = b"*** ENVELOPE RECORDS "
LOGIN = b"named_attribute: sasl_username="
END = b"*** MESSAGE CONTENTS "


class _Recipient(Struct):
    address: str = ""


class Queued(Struct):
    """A line of ``postqueue -j``."""

    queue_id: str
    arrival_time: float = 0.0
    sender: str = ""
    recipients: list[_Recipient] = field(default_factory=list)


class Kept(Struct, frozen=True):
    """A mail that was taken out of the queue; its text lies beside it."""

    id: str  # the queue id, and when it was kept
    account: str
    at: float  # Unix seconds
    sender: str
    recipients: list[str]
    size: int


class Purged(Struct, frozen=True):
    kept: int = 0  # messages
    held: int = 0  # those that there was no room for

    def __add__(self, other: "Purged") -> "Purged":
        return Purged(self.kept + other.kept, self.held + other.held)

    def __str__(self) -> str:
        held = f", {self.held} put on hold for want of room" if self.held else ""
        return f"{self.kept} mails purged{held}"


_queued = msgspec.json.Decoder(Queued)
_kept = msgspec.json.Decoder(Kept)


class Queue:
    """The queue of one instance of Postfix, and the folder of what was taken out of it."""

    def __init__(self, settings: AccountActionsSettings) -> None:
        self._settings = settings
        self._folder = Path(settings.folder) / "purged"

    def purge(self, accounts: Iterable[str]) -> dict[str, Purged]:
        """Take out what these accounts submitted. Raises GatewayError."""
        wanted = set(accounts)
        found = self._of(wanted, self._listed())
        if not found:
            return dict.fromkeys(wanted, Purged())
        self._super("-h", [one.queue_id for one, _ in found])
        again = {one.queue_id: one for one, _ in found}
        sure = self._of(wanted, again.values())  # what it is now that nothing moves it
        kept, held = dict.fromkeys(wanted, 0), dict.fromkeys(wanted, 0)
        room = self._settings.keep_bytes - sum(one.size for one in self.kept())
        gone = []
        for one, account in sure:
            text = self._text(one.queue_id)
            if len(text) > room:
                held[account] += 1
                continue
            self._keep(one, account, text)
            room -= len(text)
            kept[account] += 1
            gone.append(one.queue_id)
        self._super("-d", gone)
        return {account: Purged(kept[account], held[account]) for account in wanted}

    # -- what was kept ------------------------------------------------------------------------

    def kept(self) -> list[Kept]:
        """The oldest first."""
        found = [_kept.decode(path.read_bytes()) for path in self._folder.glob("*.json")]
        return sorted(found, key=lambda one: (one.at, one.id))

    def restore(self, one: Kept) -> None:
        """Hand a mail to Postfix again, for the same recipients, and forget it. Raises
        GatewayError."""
        text = self._path(one.id, "eml").read_bytes()
        sender = "<>" if one.sender == "MAILER-DAEMON" else one.sender
        command = ["sendmail", *self._instance("-C"), "-oi", "-G", "-f", sender, "--"]
        run([*command, *one.recipients], self._settings.timeout, given=text)
        self.drop(one)

    def drop(self, one: Kept) -> None:
        """Forget a mail for good."""
        for kind in ("json", "eml"):
            self._path(one.id, kind).unlink(missing_ok=True)

    # -- what is behind it --------------------------------------------------------------------

    def _listed(self) -> list[Queued]:
        """The newest messages of the queue."""
        command = ["postqueue", *self._instance("-c"), "-j"]
        with lines(command, self._settings.timeout) as said:
            queued = (_queued.decode(line) for line in said if line.strip())
            found = heapq.nlargest(
                self._settings.looked_at, queued, key=lambda one: one.arrival_time
            )
        return [one for one in found if one.queue_id.isalnum()]

    def _of(self, accounts: set[str], queued: Iterable[Queued]) -> list[tuple[Queued, str]]:
        """Those of the messages that the accounts submitted."""
        by_id = {one.queue_id: one for one in queued}
        found = []
        ids = list(by_id)
        for start in range(0, len(ids), AT_ONCE):
            for name, account in self._logins(ids[start : start + AT_ONCE]):
                if account in accounts:
                    found.append((by_id[name], account))
        return found

    def _logins(self, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Queue id and login, in lower case, of those that have one. postcat ends at the first
        message that is no more: then each is asked for alone."""
        command = ["postcat", *self._instance("-c"), "-qe"]
        try:
            said = run([*command, *ids], self._settings.timeout)
        except GatewayError:
            if len(ids) > 1:
                for one in ids:
                    yield from self._logins([one])
            return
        name, inside = "", False
        for line in said.splitlines():
            if line.startswith(MARK):
                name = line.split()[-2].rpartition(b"/")[2].decode("ascii", "replace")
                inside = name in ids
            elif line.startswith(END):
                inside = False
            elif inside and line.startswith(LOGIN):
                yield name, line[len(LOGIN) :].decode(errors="replace").lower()
                inside = False

    def _text(self, name: str) -> bytes:
        return run(["postcat", *self._instance("-c"), "-qbh", name], self._settings.timeout)

    def _super(self, what: str, ids: Sequence[str]) -> None:
        """postsuper passes over messages that are no more."""
        if ids:
            command = ["postsuper", *self._instance("-c"), what, "-"]
            run(command, self._settings.timeout, given="".join(f"{i}\n" for i in ids).encode())

    def _keep(self, one: Queued, account: str, text: bytes) -> None:
        at = time.time()
        kept = Kept(
            id=f"{one.queue_id}-{at:.0f}",
            account=account,
            at=at,
            sender=one.sender,
            recipients=[recipient.address for recipient in one.recipients],
            size=len(text),
        )
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self._path(kept.id, "eml"), text)
            atomic.replace(self._path(kept.id, "json"), msgspec.json.encode(kept).decode(), 0o600)
        except OSError as error:
            raise GatewayError(f"{self._folder}: {error.strerror}") from error

    def _path(self, name: str, kind: str) -> Path:
        return self._folder / f"{name}.{kind}"

    def _instance(self, option: str) -> list[str]:
        config = self._settings.postfix_config
        return [option, config] if config else []


def _write(path: Path, text: bytes) -> None:
    """Safe on disk when this returns: what it was is deleted next."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        view = memoryview(text)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
