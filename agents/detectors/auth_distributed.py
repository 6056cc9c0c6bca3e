"""Many clients guess together, or one so slowly that no lockout sees it.

Three watchers: the mailbox sees many clients at one account and tells each of them that it took
part; the network sees its addresses fail in turn; the client sees its own paced tries over many
accounts (a password spray), and answers for its part in what a mailbox saw.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, ClassVar

from msgspec import Struct, field
from msgspec.structs import replace

from agents.detector import Detector, Judgement, Mark, View, Withdraw
from agents.names import bare, called, namesake
from agents.windows import Counts, Distinct, Window, window
from agents.words import many, said
from schemas import keys, net
from schemas.events import Auth, Signal
from schemas.findings import LISTED, Evidence, Target, Wish

ATTACKED = 8  # accounts that a client is told to have attacked, by name
AT_ONCE = 1000  # tries that one line may report; what claims more is not believed
COLD = "less than a week of logins was seen: they may have been welcome before"


class Seen(Struct, array_like=True):
    """What is known of a mailbox, a network or a client, each in its own fields."""

    clients: Distinct = field(default_factory=Distinct)  # m, n: that failed
    places: Distinct = field(default_factory=Distinct)  # m: their /16s or /32s
    tries: Counts = field(default_factory=Counts)  # m, n
    suspects: dict[str, float] = field(default_factory=dict)  # m, n: clients by name, last try
    told: dict[str, float] = field(default_factory=dict)  # m: those of them that were told: when
    accounts: Distinct = field(default_factory=Distinct)  # c: strange ones that failed, in a day
    recent: Distinct = field(default_factory=Distinct)  # c: of them, in a dictionary's window
    fast: float = 0.0  # c: when it was last as fast as a dictionary
    attacked: dict[str, float] = field(default_factory=dict)  # c: accounts with many guessers
    passed: dict[str, float] = field(default_factory=dict)  # c: newcomers' accounts, told as breach


class AuthDistributed(Detector, frozen=True, kw_only=True):
    """Shapes: one_account (subject: the account), took_part and password_spray (the client),
    one_network (the network)."""

    name = "auth_distributed"
    technique = "T1110.003"
    blind_to = (
        "a campaign whose clients each try once at accounts that nobody else tries: it needs"
        " the whole site"
    )
    hears: ClassVar = {"m": (Auth,), "n": (Auth,), "c": (Auth, Signal)}
    state = Seen

    window: float = 3600.0  # seconds [Elastic]
    clients: int = 5  # at one account [Elastic: 5 IPs]
    places: int = 3  # /16 or /32 that they come from [Elastic: 3 ASN]
    tries: int = 10  # [Elastic]
    day: float = 86400.0  # seconds: of a network and of a spray
    neighbours: int = 4  # failing addresses of one network *
    network_tries: int = 20  # *
    sprayed: int = 5  # accounts [Elastic, Splunk]
    spray_least: int = 2  # tries at each [Splunk]
    spray_most: int = 6  # [Splunk]
    lockout: int = 8  # tries at an account: more would lock it
    company: int = 2  # further accounts that log in at a place: people are there *
    pace: float = 600.0  # seconds in which a spray stays below `sprayed` accounts: the
    # window of auth_dictionary, which sees what is faster

    @property
    def sleeps(self) -> bool:
        return True

    @property
    def horizon(self) -> float:
        return self.day

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark | Signal | Withdraw]:
        if view.trusted:
            return ()
        if type(event) is Signal:
            return self._hear(event, seen, view)
        if not event.client:
            return ()
        if event.outcome == "failed":
            tries = min(max(event.count, 1), AT_ONCE)
            letter = view.key[0]
            if letter == "c":
                return self._client(event, tries, seen, view)
            watch = self._mailbox if letter == "m" else self._network
            return watch(event, tries, seen, view)
        if event.outcome == "ok":
            return self._forgive(event, seen, view)
        return ()

    # -- one account, many clients ----------------------------------------------------------

    def _mailbox(self, event: Auth, tries: int, seen: Seen, view: View) -> Iterable[Mark | Signal]:
        at, client = event.at, net.client(event.client)
        if view.past.knows(net.network(client), at):
            return ()  # the owner's own place
        hour = self._hour
        clients = hour.see(seen.clients, client, at)
        places = hour.see(seen.places, view.site.place(client), at)
        enough = hour.add(seen.tries, at, tries) >= self.tries
        _keep(seen.suspects, client, at, LISTED)
        stands = clients >= self.clients and places >= self.places and enough
        if stands or self.name in view.open:
            return self._tell(event, stands, seen, view)
        return ()

    def _tell(self, event: Auth, stands: bool, seen: Seen, view: View) -> Iterator[Mark | Signal]:
        """Tell every client of the last day that it took part, each once a day."""
        if stands:
            yield Mark(self.name, "one_account", "high")
        for client, at in seen.suspects.items():
            told = seen.told.get(client)
            if event.at - at <= self.day and (told is None or event.at - told > self.day):
                _keep(seen.told, client, event.at, LISTED)
                yield Signal(
                    at=event.at,
                    gateway=event.gateway,
                    about=f"c:{client}",
                    kind="took_part",
                    client=client,
                    account=view.value,
                )
        seen.suspects.clear()

    # -- one network --------------------------------------------------------------------------

    def _network(self, event: Auth, tries: int, seen: Seen, view: View) -> Iterable[Mark]:
        at, client = event.at, net.client(event.client)
        _keep(seen.suspects, client, at, LISTED)
        clients = self._long.see(seen.clients, client, at)
        failures = self._long.add(seen.tries, at, tries)
        if clients >= self.neighbours and failures >= self.network_tries and not view.past.any(at):
            return (Mark(self.name, "one_network", "high"),)
        return ()

    # -- one client ---------------------------------------------------------------------------

    def _client(self, event: Auth, tries: int, seen: Seen, view: View) -> Iterable[Mark]:
        at = event.at
        account = keys.mailbox(event.account, view.site.default_domain)
        if not account or view.knows(account):
            return ()
        name = called(account, view.site)
        accounts = self._long.see(seen.accounts, name, at, tries, name=account)
        if self._pace.see(seen.recent, name, at) >= self.sprayed:
            seen.fast = max(seen.fast, at)
        if accounts >= self.sprayed and at - seen.fast > self.day and self._is_spray(seen, view):
            return (Mark(self.name, "password_spray", "high"),)
        if seen.attacked and self.name in view.open:
            return (Mark(self.name, "took_part", "medium"),)  # and goes on
        return ()

    def _is_spray(self, seen: Seen, view: View) -> bool:
        tries = self._long.tries(seen.accounts, view.at)
        few = [count for count in tries if self.spray_least <= count <= self.spray_most]
        return (
            len(few) >= self.sprayed
            and max(tries) <= self.lockout
            and view.past.count(view.at) < len(few)
        )

    def _hear(self, word: Signal, seen: Seen, view: View) -> Iterable[Mark | Signal]:
        if word.kind == "newcomer":
            return self._newcomer(word, seen, view)
        if word.kind == "took_part" and not view.past.any(word.at):
            _keep(seen.attacked, word.account, word.at, ATTACKED)
            return (Mark(self.name, "took_part", "medium"),)
        return ()

    def _newcomer(self, word: Signal, seen: Seen, view: View) -> Iterable[Signal]:
        """An account under attack was opened from here, where it never was. A place where more
        people of ours log in than fail is where its owner sits with them."""
        if self._has_company(word.account, seen, view):
            return ()
        _keep(seen.passed, word.account, word.at, ATTACKED)
        return (replace(word, about=f"m:{word.account}", kind="breach"),)

    def _has_company(self, account: str, seen: Seen, view: View) -> bool:
        past, at = view.past, view.at
        company = past.count(at) - past.knows(account, at)
        return company >= self.company and company > self._long.distinct(seen.accounts, at)

    def _excuse(self, seen: Seen, view: View) -> Iterator[Signal]:
        """Others of ours log in here as well by now: what was told as a breach was none."""
        for account in list(seen.passed):
            if self._has_company(account, seen, view):
                del seen.passed[account]
                yield Signal(at=view.at, about=f"m:{account}", kind="excused", client=view.value)

    def _forgive(self, event: Auth, seen: Seen, view: View) -> Iterable[Signal | Withdraw]:
        """Who opens the account is no guesser there: a person who travels, a typing mistake. If
        a thief guessed right, auth_breach tells of it."""
        if seen.passed:
            return self._excuse(seen, view)
        if seen.clients.seen:
            client = net.client(event.client)
            seen.suspects.pop(client, None)
            self._long.drop(seen.clients, client)
            if seen.told.pop(client, None) is not None:
                return (Withdraw(self.name, "it logged in", client=client),)
        if seen.accounts.seen:
            account = keys.mailbox(event.account, view.site.default_domain)
            for name in (bare(account), namesake(account)):
                self._long.drop(seen.accounts, name)
                self._long.drop(seen.recent, name)
            if not seen.accounts.seen and seen.attacked.keys() <= {account}:
                seen.attacked.clear()
                why = f"{view.value} logged in as {account}, and failed nowhere else"
                return (Withdraw(self.name, why),)
        return ()

    # -- why ------------------------------------------------------------------------------------

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        if view.key[0] == "m":
            return self._judge_mailbox(seen, view)
        if view.key[0] == "n":
            return self._judge_network(seen, view)
        return self._judge_client(seen, view)

    def _judge_mailbox(self, seen: Seen, view: View) -> Judgement:
        """The clients answer for themselves; the account is the victim."""
        hour, at = self._hour, view.at
        clients = hour.distinct(seen.clients, at)
        tries = hour.total(seen.tries, at)
        places = hour.distinct(seen.places, at)
        return Judgement(
            summary=f"{many(clients, 'client', about=seen.clients.estimated)} of"
            f" {many(places, 'provider', about=seen.places.estimated)} guessed at {view.value},"
            f" {tries} tries in {self.window / 60:.0f} min",
            evidence=[
                hour.evidence("clients", seen.clients, at, self.clients),
                hour.evidence("places", seen.places, at, self.places),
                Evidence("tries", tries, self.tries),
            ],
            clients=[*seen.told, *seen.suspects],
            clients_count=clients,
            targets=[view.value],
            wish=Wish("notify", Target("account", view.value)),
        )

    def _judge_network(self, seen: Seen, view: View) -> Judgement:
        clients = self._long.distinct(seen.clients, view.at)
        failures = self._long.total(seen.tries, view.at)
        return Judgement(
            summary=f"{said(clients, about=seen.clients.estimated)} addresses of {view.value}"
            f" failed {failures} times in a day,"
            " none ever succeeded",
            evidence=[
                self._long.evidence("failing addresses", seen.clients, view.at, self.neighbours),
                Evidence("failures", failures, self.network_tries),
            ],
            clients=[client for client, at in seen.suspects.items() if view.at - at <= self.day],
            clients_count=clients,
            checks=["no login from the network in 30 days"],
            wish=Wish("drop", Target("network", view.value), against=_cold(view)),
        )

    def _judge_client(self, seen: Seen, view: View) -> Judgement:
        tries = self._long.tries(seen.accounts, view.at)
        accounts, about = self._long.distinct(seen.accounts, view.at), seen.accounts.estimated
        passwords = max(sum(tries), accounts)  # tries are known of the accounts that are kept
        counts = [
            self._long.evidence("accounts", seen.accounts, view.at, self.sprayed),
            Evidence("tries at one account", max(tries, default=0), self.lockout),
            Evidence("accounts under attack by many", len(seen.attacked), 1),
        ]
        part = f", took part in the guessing at {', '.join(seen.attacked)}" * bool(seen.attacked)
        return Judgement(
            summary=f"{view.value} tried {many(passwords, 'password', about=about)} at"
            f" {many(accounts, 'account', about=about)}{part}",
            evidence=[count for count in counts if count.count],
            clients=[view.value],
            targets=[*seen.attacked, *self._long.names(seen.accounts)],
            checks=[f"accounts that it opened in 30 days: {view.past.count(view.at)}"],
            wish=Wish("drop", Target("network", view.value), against=_cold(view)),
        )

    @cached_property
    def _hour(self) -> Window:
        return window(self.window)

    @cached_property
    def _pace(self) -> Window:
        return window(self.pace)

    @cached_property
    def _long(self) -> Window:
        return window(self.day)


def _cold(view: View) -> str:
    return COLD if view.cold else ""


def _keep(values: dict[str, float], name: str, at: float, at_most: int) -> None:
    """Put `name` last; the first one goes where there are too many."""
    values.pop(name, None)
    if len(values) >= at_most:
        del values[next(iter(values))]
    values[name] = at
