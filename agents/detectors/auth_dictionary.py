"""One client guesses passwords: the same account again and again, or many accounts.

What tells an attacker from a colleague is the *shape* of what fails, not how much: how many
accounts it tries that it never opened, whether they exist, how few passwords it has for each.
An account that this client, or its network, opened in the last month is no guess when it fails
(a phone with a stale password), and what succeeds from a client outweighs what fails (an office
behind one address).
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View
from agents.names import alike, bare, called, foreign, namesake
from agents.windows import Counts, Distinct, Window, fingerprint, merged, window
from agents.words import many
from schemas import keys
from schemas.events import Auth, Signal
from schemas.findings import Evidence, Severity, Target, Wish

TRIED = 8  # accounts whose passwords are counted at once; more of them are a dictionary
OPENED = 16  # accounts opened amid guesses that are remembered
AT_ONCE = 1000  # tries that one line may report; what claims more is not believed
AGAIN = 3600.0  # seconds between two words to an account's watchers about one breach
COLD = "less than a week of logins was seen: this client may always have done so"


class Tried(Struct, array_like=True):
    """What was tried at one account."""

    passwords: Distinct = field(default_factory=Distinct)  # fingerprints, in `window`
    daily: Distinct = field(default_factory=Distinct)  # fingerprints, in `day`
    blind: Counts = field(default_factory=Counts)  # tries whose password the log does not tell


class Seen(Struct, array_like=True):
    """What is known of a client.

    An account is *strange* here when neither the client nor its network opened it in 30 days.
    """

    accounts: Distinct = field(default_factory=Distinct)  # strange ones that failed, in `window`
    unknown: Distinct = field(default_factory=Distinct)  # those of them that do not exist
    strange: Distinct = field(default_factory=Distinct)  # strange ones that failed, in `day`
    tries: Counts = field(default_factory=Counts)  # at them
    pauses: Counts = field(default_factory=Counts)  # tries that came `pause` after another
    absent: Counts = field(default_factory=Counts)  # tries at accounts that do not exist, in `day`
    honeypots: Distinct = field(default_factory=Distinct)  # names that nobody has
    nameless: Counts = field(default_factory=Counts)  # failures that name no account, in `window`
    nameless_day: Counts = field(default_factory=Counts)
    opened: Distinct = field(default_factory=Distinct)  # what it opened, in `day`
    tried: dict[int, Tried] = field(default_factory=dict)  # the accounts tried last
    suspects: dict[str, float] = field(default_factory=dict)  # opened amid failures: when
    breached: dict[str, float] = field(default_factory=dict)  # opened by a guesser: when told
    shape: str = ""  # the newest that names an account, if any does
    last: float = 0.0  # its newest guess


class AuthDictionary(Detector, frozen=True, kw_only=True):
    """Shapes: guessing, dictionary, unknown_names, stuffing, slow, nameless.

    Where a client opens an account amid its guesses, the account's watchers are told (signal
    ``breach``; `detail` is the number of further accounts that it guessed at).
    """

    name = "auth_dictionary"
    technique = "T1110.001"
    blind_to = (
        "a botnet with one guess for each address (auth_distributed); guesses at accounts that"
        " the client's own network uses; Postfix releases that do not log the account"
    )
    hears: ClassVar = {"c": (Auth,)}
    enriched = True  # an account that does not exist
    state = Seen

    window: float = 600.0  # seconds
    day: float = 86400.0  # seconds: the look-back of successes, and of slow guessing
    passwords: int = 10  # wrong ones at one account [weakforced]
    accounts: int = 5  # distinct ones failed [Sentinel: filter for shared addresses]
    wide: int = 8  # accounts in a day, at any pace, where nothing ever succeeded *
    daily: int = 20  # wrong passwords at one account in a day, where the log tells them apart *
    unknown: int = 3  # accounts that do not exist *
    stuffed: int = 15  # accounts, [Elastic]
    thin: int = 2  # tries at most for each [Elastic]
    share: float = 0.8  # of them [Elastic]
    slow_tries: int = 5  # in a day *
    slow_accounts: int = 3  # *
    pause: float = 600.0  # seconds: the median gap of a slow guesser *
    nameless: int = 10  # failures without an account *
    patience: int = 10  # times as many from a client with good evidence *
    credit: int = 5  # logins of one account in a day that speak for its client *
    lucky: int = 3  # accounts that a guesser opens, before it is asked whether it is one: *
    luck: float = 0.2  # more of the accounts that it failed at are opened by people only *
    others: int = 2  # further accounts guessed at tell a thief from a person who mistypes *
    alike: float = 0.8  # of two names: one is the other mistyped, and no further account *
    provider: int = 10  # accounts opened in 30 days make a webmail, fetcher or proxy *
    honeypot_seconds: float = 86400.0  # how long who tries a honeypot stays out

    @property
    def horizon(self) -> float:
        return self.day

    # -- what happened --------------------------------------------------------------------------

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark | Signal]:
        if view.trusted:
            return ()
        if event.outcome == "ok":
            return self._success(event, seen, view)
        if event.outcome == "failed":
            return self._failure(event, seen, view)
        return ()

    def _failure(self, event: Auth, seen: Seen, view: View) -> Iterable[Mark | Signal]:
        account = keys.mailbox(event.account, view.site.default_domain)
        tries = min(max(event.count, 0), AT_ONCE)
        if account:
            if _known(account, seen, view):
                return ()  # a phone with an old password (stale_client)
            self._guess(event, account, tries, seen, view)
        else:
            self._short.add(seen.nameless, event.at, tries)
            self._long.add(seen.nameless_day, event.at, tries)
        found = self._named(account, seen, view) if account else self._nameless(seen, view)
        said: tuple[Mark, ...] = ()
        if found is not None:
            shape, severity = found
            if account or self.name not in view.open:
                seen.shape = shape
            said = (Mark(self.name, shape, severity),)
        return self._suspected(event, said, seen, view) if seen.suspects else said

    def _suspected(
        self, event: Auth, said: tuple[Mark, ...], seen: Seen, view: View
    ) -> Iterator[Mark | Signal]:
        """Say what was found, and tell of what was opened before enough was known."""
        yield from said
        if self._stands(seen, view):
            for suspect, at in list(seen.suspects.items()):
                del seen.suspects[suspect]
                if event.at - at <= self.day:
                    yield from self._breach(event, suspect, seen, view)

    def _success(self, event: Auth, seen: Seen, view: View) -> Iterable[Mark | Signal]:
        account = keys.mailbox(event.account, view.site.default_domain)
        if not account:
            return ()
        if not seen.last and not seen.nameless_day.slices:  # nothing ever failed here
            self._long.see(seen.opened, account, event.at)
            return ()
        known = _known(account, seen, view) and account not in seen.suspects
        if not known and not self._came_over(account, seen, view):
            if self._stands(seen, view):
                return self._guessed_right(event, account, seen, view)
            if self._amid_guesses(account, seen, view):
                _keep(seen.suspects, account, event.at, OPENED)
        self._welcome(event, account, seen, view)
        return ()

    def _guessed_right(
        self, event: Auth, account: str, seen: Seen, view: View
    ) -> Iterator[Mark | Signal]:
        yield from self._breach(event, account, seen, view)
        self._welcome(event, account, seen, view)

    def _welcome(self, event: Auth, account: str, seen: Seen, view: View) -> None:
        if self.name not in view.open:
            self._long.see(seen.opened, account, event.at)
        seen.tried.pop(fingerprint(account), None)
        _forgive(account, seen)

    def _tried(self, account: str, seen: Seen) -> Tried:
        mark = fingerprint(account)
        tried = seen.tried.pop(mark, None) or Tried()
        _keep(seen.tried, mark, tried, TRIED)
        return tried

    def _guess(self, event: Auth, account: str, tries: int, seen: Seen, view: View) -> None:
        name, elsewhere = called(account, view.site), foreign(account, view.site)
        tried = self._tried(account, seen)
        self._short.see(seen.accounts, name, event.at, tries, name=account)
        self._long.see(seen.strange, name, event.at, tries, name=account)
        self._long.add(seen.tries, event.at, tries)
        if event.password:
            self._short.see(tried.passwords, event.password, event.at)
            self._long.see(tried.daily, event.password, event.at)
        else:
            self._short.add(tried.blind, event.at, tries)
        if tries:
            if seen.last and event.at - seen.last >= self.pause:
                self._long.add(seen.pauses, event.at)
            seen.last = max(seen.last, event.at)
        if event.reason == "unknown_account" and not elsewhere:
            self._short.see(seen.unknown, name, event.at, name=account)
            self._long.add(seen.absent, event.at, max(tries, 1))
        if _is_honeypot(account, view):
            self._long.see(seen.honeypots, name, event.at, name=account)

    # -- what it amounts to ---------------------------------------------------------------------

    def _named(self, account: str, seen: Seen, view: View) -> tuple[str, Severity] | None:
        """The gravest shape that stands, of those that need to know the account."""
        at = view.at
        if _is_honeypot(account, view):
            return "unknown_names", "high"
        if self._long.total(seen.tries, at) <= self._logins(seen, at) or self._provider(seen, view):
            return None
        if self._is_stuffing(seen, at):
            return "stuffing", "high"
        if self._short.distinct(seen.unknown, at) >= self.unknown:
            return "unknown_names", "medium"
        if self._short.distinct(seen.accounts, at) >= self.accounts:
            return "dictionary", "medium"
        if self._long.distinct(seen.strange, at) >= self.wide and not view.past.any(at):
            return "dictionary", "medium"
        tried = seen.tried[fingerprint(account)]
        if self._passwords(tried, at) >= self.passwords:
            return "guessing", "medium"
        if self._long.distinct(tried.daily, at) >= self.daily:
            return "guessing", "medium"
        if self._is_slow(seen, view):
            return "slow", "medium" if self._long.total(seen.absent, at) else "low"
        return None

    def _nameless(self, seen: Seen, view: View) -> tuple[str, Severity] | None:
        """The log tells no account: only how many failures, and whether anything ever succeeded."""
        at = view.at
        daily = self._long.total(seen.nameless_day, at)
        if daily <= self._logins(seen, at):
            return None
        patience = self.patience if view.past.any(at) else 1
        if self._short.total(seen.nameless, at) >= self.nameless * patience:
            return "nameless", "low"
        if daily >= self.nameless and not _favoured(view):
            return "nameless", "low"
        return None

    def _is_stuffing(self, seen: Seen, at: float) -> bool:
        if self._long.distinct(seen.strange, at) < self.stuffed:
            return False
        return self._long.seldom(seen.strange, self.thin) >= self.share * len(seen.strange.seen)

    def _is_slow(self, seen: Seen, view: View) -> bool:
        """At least half of the gaps between its tries are pauses: so is the median."""
        tries = self._long.total(seen.tries, view.at)
        return (
            tries >= self.slow_tries
            and self._long.distinct(seen.strange, view.at) >= self.slow_accounts
            and 2 * self._long.total(seen.pauses, view.at) >= tries - 1
            and not view.past.any(view.at)
        )

    def _passwords(self, tried: Tried, at: float) -> int:
        """Wrong passwords at one account. A try whose password the log does not tell may be any."""
        return self._short.distinct(tried.passwords, at) + self._short.total(tried.blind, at)

    def _logins(self, seen: Seen, at: float) -> int:
        """What speaks for a client: its logins in a day, of one account no more than `credit`."""
        tries, most = self._long.tries(seen.opened, at), self.credit
        return sum([min(times, most) for times in tries]) if tries else 0

    def _provider(self, seen: Seen, view: View) -> bool:
        """Whether it fetches or relays for many: it opens more accounts than it fails at."""
        opened = view.past.count(view.at)
        return opened >= self.provider and opened > self._long.distinct(seen.strange, view.at)

    def _amid_guesses(self, account: str, seen: Seen, view: View) -> bool:
        """Whether an account was opened as a guesser opens it, though no shape stands yet: it
        failed here before, or nothing else but such accounts ever succeeded from here."""
        if self._long.holds(seen.strange, bare(account), view.at):
            return True
        others = view.past.count(view.at) - len(seen.suspects)
        tries = self._long.total(seen.tries, view.at)
        return others <= 0 and tries > self._logins(seen, view.at)

    def _came_over(self, account: str, seen: Seen, view: View) -> bool:
        """Whether only the account's namesake elsewhere failed here: somebody who had a mailbox
        in another house, and uses its login at first."""
        return self._long.holds(seen.strange, namesake(account), view.at) and not (
            self._long.holds(seen.strange, bare(account), view.at)
        )

    def _own_slips(self, account: str, seen: Seen, at: float) -> int:
        """How many of the accounts that failed are this one, mistyped or not."""
        self._long.distinct(seen.strange, at)
        slips = {fingerprint(bare(account)), fingerprint(namesake(account))}
        slips |= {
            mark for mark, name in seen.strange.names.items() if alike(name, account) > self.alike
        }
        return len(slips & seen.strange.seen.keys())

    def _stands(self, seen: Seen, view: View) -> bool:
        """Whether this client was found guessing. Failures without a name may be those of a
        neighbour's phone: only a known past tells them apart from a guess that was right."""
        if self.name in view.open and seen.shape == "nameless" and view.cold:
            return False
        return self.name in view.open or "auth_distributed" in view.open

    def _breach(self, event: Auth, account: str, seen: Seen, view: View) -> Iterator[Mark | Signal]:
        told = seen.breached.get(account)
        if told is not None and abs(event.at - told) < AGAIN:
            return
        others = self._long.distinct(seen.strange, event.at)
        if len(seen.breached) >= self.lucky and len(seen.breached) > self.luck * others:
            return  # nobody guesses so well: people who move, or come back after an outage
        _keep(seen.breached, account, event.at, OPENED)
        others -= self._own_slips(account, seen, event.at)
        if others >= self.others and self.name in view.open:
            yield Mark(self.name, seen.shape, "critical")
        yield Signal(
            at=event.at,
            gateway=event.gateway,
            about=f"m:{account}",
            kind="breach",
            client=view.value,
            account=account,
            detail=str(others),
        )

    # -- why ------------------------------------------------------------------------------------

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        strange = self._long.distinct(seen.strange, at)
        tries = self._long.total(seen.tries, at)
        nameless = self._long.total(seen.nameless_day, at)
        logins = self._logins(seen, at)
        passwords = max((self._passwords(tried, at) for tried in seen.tried.values()), default=0)
        daily = max((len(tried.daily.seen) for tried in seen.tried.values()), default=0)
        counts = [
            self._short.evidence("accounts", seen.accounts, at, self.accounts),
            self._short.evidence("unknown accounts", seen.unknown, at, self.unknown),
            self._long.evidence("honeypots", seen.honeypots, at, 1),
            Evidence("passwords at one account", passwords, self.passwords),
            Evidence("passwords at one account in a day", daily, self.daily),
            self._long.evidence("accounts in a day", seen.strange, at, self.wide),
            Evidence("failures in a day", tries + nameless, logins + 1),
            Evidence("failures without a name", nameless, self.nameless),
            Evidence("accounts opened", len(seen.breached), 1),
        ]
        return Judgement(
            summary=_summary(view.value, tries, nameless, strange, seen),
            evidence=[seen_count for seen_count in counts if seen_count.count],
            clients=[view.value],
            targets=merged(seen.strange.names.values(), seen.honeypots.names.values(), 100),
            targets_count=strange,
            checks=[
                f"logins that speak for the client in a day: {logins}",
                f"accounts that it opened in 30 days: {view.past.count(at)}",
            ],
            wish=self._wish(mark, seen, view),
        )

    def _wish(self, mark: Mark, seen: Seen, view: View) -> Wish:
        client = Target("network", view.value)
        if mark.shape == "nameless":
            against = (
                "logins succeed from there, and the log does not tell whose fail"
                if _favoured(view)
                else _cold(view)
            )
            return Wish("tarpit", client, against=against)
        if seen.honeypots.seen:
            return Wish("drop", client, seconds=self.honeypot_seconds)
        if seen.breached:
            return Wish("drop", client)
        if mark.severity == "low":
            return Wish("drop", client, against="slow, and the accounts exist: it may be people")
        return Wish("drop", client, against=self._unsure(seen, view))

    def _unsure(self, seen: Seen, view: View) -> str:
        """What speaks against shutting it out, if anything. While little past is known, as many
        accounts as no household has are enough, if nobody at all ever got in from there."""
        many_accounts = self._long.distinct(seen.strange, view.at) >= self.stuffed
        return "" if many_accounts and not _favoured(view) else _cold(view)

    @cached_property
    def _short(self) -> Window:
        return window(self.window)

    @cached_property
    def _long(self) -> Window:
        return window(self.day)


def _summary(client: str, tries: int, nameless: int, accounts: int, seen: Seen) -> str:
    said = []
    if tries:
        named = many(accounts, "account", about=seen.strange.estimated)
        said.append(f"{many(tries, 'wrong password')} at {named}")
    if seen.honeypots.names:
        said.append(f"honeypots {', '.join(seen.honeypots.names.values())}")
    if nameless:
        said.append(f"{many(nameless, 'failure')} without a name")
    if seen.breached:
        said.append(f"opened {', '.join(seen.breached)}")
    return f"{client}: {'; '.join(said)}"


def _cold(view: View) -> str:
    return COLD if view.cold else ""


def _known(account: str, seen: Seen, view: View) -> bool:
    """Whether the client or its network opened the account in 30 days, and not by guessing."""
    return view.knows(account) and account not in seen.breached


def _favoured(view: View) -> bool:
    """Whether anything succeeded from this client or its network in 30 days."""
    return view.past.any(view.at) or view.around.any(view.at)


def _forgive(account: str, seen: Seen) -> None:
    """Who opens an account in the end only mistyped, or used the login of another house."""
    for strangers in (seen.accounts, seen.unknown, seen.strange):
        if strangers.seen:
            window(1).drop(strangers, bare(account))
            window(1).drop(strangers, namesake(account))


def _is_honeypot(account: str, view: View) -> bool:
    names = view.site.honeypots
    return bool(names) and (account in names or account.partition("@")[0] in names)


def _keep(values: dict[Any, Any], name: Any, value: Any, at_most: int) -> None:
    """Put `name` last; the first one goes where there are too many."""
    values.pop(name, None)
    if len(values) >= at_most:
        del values[next(iter(values))]
    values[name] = value
