"""Why nothing was said of an innocent: what the replay saw of it, and the check that held.

Both are taken from the events and from the detectors' settings, never from the story.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct, field

from agents.demo.truth import Innocent
from schemas import keys, net
from schemas.events import Auth, Connection, Delivery, Fact, Message, Recipient
from schemas.keys import Site

Settings = dict[str, Any]  # the detectors, by name


class Tally(Struct):
    """What was seen of one innocent, over the whole replay."""

    looks: int = 0  # connections
    opened: int = 0  # logins that succeeded
    failed: int = 0  # and that did not
    errors: int = 0  # by our own server's fault
    accounts: set[str] = field(default_factory=set)  # failed
    passwords: set[str] = field(default_factory=set)  # wrong ones, by fingerprint
    unknown: set[str] = field(default_factory=set)  # recipients that do not exist
    misses: int = 0  # each time that one was named,
    senderless: int = 0  # and of these, from the null sender
    delivered: int = 0  # recipients of the mail that it brought
    reports: int = 0  # mail from the null sender that it got
    sent: int = 0  # recipients of the mail that it sent
    bounced: int = 0  # of them


class Watch:
    """Follows the innocents through a replay: call it with each event."""

    def __init__(self, innocents: Iterable[Innocent], site: Site) -> None:
        self.tallies: dict[str, Tally] = {}
        self._clients: dict[str, Tally] = {}
        self._accounts: dict[str, Tally] = {}
        self._site = site
        self._fold: dict[type[Fact], Callable[..., None]] = {
            Auth: self._auth,
            Recipient: self._recipient,
            Message: self._message,
            Delivery: self._delivery,
            Connection: self._connection,
        }
        for innocent in innocents:
            tally = self.tallies[innocent.name] = Tally()
            self._clients.update(dict.fromkeys(innocent.clients, tally))
            if not innocent.clients:
                self._accounts.update(dict.fromkeys(innocent.accounts, tally))

    def __call__(self, event: Fact) -> None:
        fold = self._fold.get(type(event))
        if fold is not None:
            fold(event)

    def _of(self, client: str) -> Tally | None:
        return self._clients.get(net.client(client)) if client else None

    def _owner(self, address: str) -> Tally | None:
        return self._accounts.get(keys.mailbox(address, self._site.default_domain))

    def _connection(self, event: Connection) -> None:
        tally = self._of(event.client)
        if tally is not None:
            tally.looks += event.outcome == "opened"

    def _auth(self, event: Auth) -> None:
        tally = self._of(event.client)
        if tally is None:
            return
        if event.outcome == "ok":
            tally.opened += event.count
        elif event.outcome == "error":
            tally.errors += event.count
        else:
            tally.failed += event.count
            tally.accounts.add(event.account)
            if event.password:
                tally.passwords.add(event.password)

    def _recipient(self, event: Recipient) -> None:
        tally = self._of(event.client)
        if tally is not None and event.verdict == "unknown":
            tally.unknown.add(event.recipient)
            tally.misses += 1
            tally.senderless += not event.sender

    def _message(self, event: Message) -> None:
        tally = self._of(event.client)
        if tally is not None:
            tally.delivered += event.recipients

    def _delivery(self, event: Delivery) -> None:
        if event.sender:
            tally = self._owner(event.account or event.sender)
            if tally is not None:
                tally.sent += 1
                tally.bounced += event.status == "bounced"
        elif event.client:
            tally = self._owner(event.recipient)
            if tally is not None:
                tally.reports += 1


def seen(tally: Tally) -> str:
    """What was seen, in words; only what there was."""
    counts = (
        (tally.looks, "connections"),
        (tally.opened, "logins"),
        (tally.failed, "failed logins"),
        (tally.errors, "logins that our server failed"),
        (tally.delivered, "recipients delivered to"),
        (tally.misses, "recipients unknown"),
        (tally.sent, "recipients written to"),
        (tally.bounced, "bounces"),
        (tally.reports, "null-sender messages received"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in counts if count)


def check(tally: Tally, innocent: Innocent, settings: Settings, site: Site) -> str:
    """The condition that keeps the gravest suspicion silent, in numbers; empty where nothing
    was near one."""
    return next(_checks(tally, innocent, settings, site), "")


def _checks(tally: Tally, innocent: Innocent, settings: Settings, site: Site) -> Iterator[str]:
    logins = settings["auth_dictionary"]
    if any(client in site.trusted for client in innocent.clients):
        yield "a trusted address: it stands between us and the real clients"
    if len(tally.accounts) >= logins.accounts and tally.opened > tally.failed:
        yield (
            f"{len(tally.accounts)} accounts fail, but {tally.opened:,} logins succeed beside "
            f"{tally.failed} that do not (a dictionary fails more than it succeeds)"
        )
    if tally.failed >= logins.passwords > len(tally.passwords):
        yield (
            f"{_many(len(tally.accounts), 'account')}, {_many(len(tally.passwords), 'password')} "
            f"(guessing: {logins.passwords} passwords)"
        )
    if tally.errors and tally.failed < logins.accounts:
        yield f"{tally.errors} of our server's own errors count for nobody"
    if 0 < tally.failed < logins.passwords:
        yield (
            f"{_many(tally.failed, 'failed login')} (guessing: {logins.passwords}) at "
            f"{_many(len(tally.accounts), 'account')} (a dictionary: {logins.accounts})"
        )
    yield from _of_mail_brought(tally, settings["directory_harvest"])
    if tally.sent and any(account in site.bulk for account in innocent.accounts):
        yield "declared: it may send much"
    yield from _of_a_mailbox(tally, settings["backscatter_received"], settings["account_burst"])
    if not (tally.failed or tally.misses or tally.sent or tally.delivered):
        yield "tries no login and names no recipient"


def _of_mail_brought(tally: Tally, harvest: Any) -> Iterator[str]:
    if len(tally.unknown) >= harvest.quick:
        if tally.senderless >= harvest.null_share * tally.misses:
            yield (
                f"{tally.senderless / tally.misses:.0%} of them from the null sender "
                f"(a harvest: under {harvest.null_share:.0%})"
            )
        share = tally.misses / (tally.misses + tally.delivered)
        yield f"{share:.0%} of its recipients are unknown (a harvest: {harvest.share:.0%})"
    elif tally.unknown:
        yield f"{_many(len(tally.unknown), 'unknown recipient')} (a harvest: {harvest.quick})"


def _of_a_mailbox(tally: Tally, reports: Any, burst: Any) -> Iterator[str]:
    if 0 < tally.reports < reports.ratio * tally.sent:
        yield (
            f"{_many(tally.reports, 'report')} for {tally.sent} that it sent "
            f"(a joe job: {reports.ratio:g} times as many)"
        )
    elif tally.reports:
        yield f"{_many(tally.reports, 'report')} (a joe job: {reports.reports} an hour)"
    if tally.sent:
        yield (
            f"{tally.sent} recipients, {tally.bounced / tally.sent:.1%} bounced "
            f"(a burst: {burst.hourly} in an hour, or {burst.bounces:.0%})"
        )


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
