"""The whole site is guessed at by clients each of which does too little to be seen.

Three watchers. A client that fails and never succeeded is a *stranger*, and says so, with the
mark that it bears (service and mechanism), to one of the site's lists. The list keeps the names
and passes the word on to the site. The site counts how many strangers bear one mark, and
how many clients that failed came round and succeeded. Where strangers stand out, it tells the
lists, they ask each stranger of the last three days, and each client answers for itself: whoever
succeeded meanwhile, or tries one account over and over (a phone with a stale password), took no
part. A client that was never heard of and succeeds at once while a campaign bears its mark is
told to the account's watchers (auth_breach): one password of the campaign's list was right.
"""

import zlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from statistics import median
from typing import Any, ClassVar

from msgspec import Struct, field

from agents.detector import Detector, Judgement, Mark, View, Withdraw
from agents.windows import Counts, Distinct, Window, fingerprint, window
from agents.words import many
from schemas import keys
from schemas.events import Auth, Signal
from schemas.findings import Action, Evidence, Target, Wish

SITE = "s:site"
LISTS = 64
LISTED = 400  # strangers of one list
TRIED = 8  # accounts of a stranger that are told apart
MARKS = 8  # that are counted at once
REGISTERS = 1024  # of an estimate: thousands of clients, by 3 %
WEEKS = 4  # that the past of an hour of the week is remembered
HOURS = 168
AGAIN = 3600.0  # seconds between two words of one about the same
NEVER = (0.0, "")  # a campaign was told
COLD = "less than a week of logins was seen: they may have been welcome before"


class Stranger(Struct, array_like=True):
    """A client that fails and never succeeded, as it knows itself."""

    last: float = 0.0  # failure
    said: float = 0.0  # when it told its list
    tried: dict[int, int] = field(default_factory=dict)  # tries by account, the first TRIED
    sought: str = ""  # the mark for which it was asked
    first: float = 0.0  # failure
    incident: str = ""  # id of the campaign that it was asked about


class Listed(Struct, array_like=True):
    """The strangers of a list, and the campaigns that it was told of."""

    strangers: dict[str, tuple[float, str]] = field(default_factory=dict)  # last, mark
    told: dict[str, float] = field(default_factory=dict)  # strangers that were asked, when
    # by mark: when it was told last, and the id of the finding
    campaigns: dict[str, tuple[float, str]] = field(default_factory=dict)
    lost: int = 0


class Marked(Struct, array_like=True):
    """Who bears one mark."""

    strangers: Distinct = field(default_factory=Distinct)  # of an hour
    daily: Distinct = field(default_factory=Distinct)
    welcome: Distinct = field(default_factory=Distinct)  # came round within the hour
    welcome_daily: Distinct = field(default_factory=Distinct)
    accounts: Distinct = field(default_factory=Distinct)  # that strangers tried, in a day
    told: float = 0.0  # when the lists were told
    long: Counts = field(default_factory=Counts)  # strangers of three days
    welcome_long: Counts = field(default_factory=Counts)


class Whole(Struct, array_like=True):
    """What the site sees."""

    strangers: Distinct = field(default_factory=Distinct)  # of a quarter of an hour
    marks: dict[str, Marked] = field(default_factory=dict)
    past: dict[int, list[int]] = field(default_factory=dict)  # by hour of the week, newest last
    hour: int = 0  # of the epoch
    most: int = 0  # strangers in a quarter of it
    long: Counts = field(default_factory=Counts)  # of three days, whatever mark they bear
    welcome: Counts = field(default_factory=Counts)  # came round in three days


class Seen(Struct, array_like=True):
    """Of a client, a list or the site."""

    stranger: Stranger | None = None
    listed: Listed | None = None
    whole: Whole | None = None
    # of a client that guessed right, as it seems: the account, and how many others it had tried
    passed: str = ""
    others: int = 0


class AuthCampaign(Detector, frozen=True, kw_only=True):
    """Shapes: site_campaign (subject: the site), took_part (the client)."""

    name = "auth_campaign"
    technique = "T1110.003"
    blind_to = (
        "a campaign of fewer than 20 clients an hour, 60 a day and 100 in three days; one whose"
        " clients each succeeded before"
    )
    hears: ClassVar = {"c": (Auth, Signal), "s": (Signal,)}
    state = Seen

    quarter: float = 900.0  # seconds
    stand_out: int = 10  # strangers in it, at least *
    deviations: float = 5.0  # median absolute deviations above the same hours before *
    hour: float = 3600.0  # seconds
    hourly: int = 20  # strangers that bear one mark, whatever was before *
    day: float = 86400.0  # seconds
    daily: int = 60  # *
    long: int = 100  # in `back`, whatever mark they bear; *
    part: int = 20  # of whom so many must bear one, that the campaign is told of it *
    back: float = 259200.0  # seconds before, of which the strangers are asked as well *
    accounts: int = 5  # that they tried together *
    few: int = 6  # tries of a stranger that knows one account only *
    moment: float = 600.0  # seconds in which one who mistyped still tries again: slowed only *
    company: int = 2  # accounts that log in for each that failed: people sit together there *

    def minds(self, event: Any, view: View) -> bool:
        """Most logins are of clients that have long been known."""
        return not view.past.any(event.at)

    @property
    def horizon(self) -> float:
        return self.day

    @property
    def memory(self) -> float:
        return self.back

    def observe(self, event: Any, seen: Seen, view: View) -> Iterable[Mark | Signal | Withdraw]:
        if view.key[0] == "c":
            if view.trusted:
                return ()
            if type(event) is Signal:
                return self._asked(event, seen, view)
            if event.outcome == "failed":
                return self._failed(event, seen, view)
            return self._came_round(event, seen, view) if event.outcome == "ok" else ()
        if view.key == SITE:
            return self._whole(event, seen, view)
        return self._list(event, seen)

    # -- a client ---------------------------------------------------------------------------

    def _failed(self, event: Auth, seen: Seen, view: View) -> Iterable[Mark | Signal]:
        account = keys.mailbox(event.account, view.site.default_domain)
        if view.past.any(event.at) or (account and view.knows(account)):
            return ()
        stranger = seen.stranger
        if stranger is None or event.at - stranger.last > self.back:
            stranger = seen.stranger = Stranger(first=event.at)
        stranger.last = max(stranger.last, event.at)
        tried, name = stranger.tried, fingerprint(account)
        if name in tried or len(tried) < TRIED:
            tried[name] = tried.get(name, 0) + max(event.count, 1)
        if event.at - stranger.said > AGAIN:
            stranger.said = event.at
            return (_word(event, "stranger", view.value, _mark(event), account),)
        return self._goes_on(stranger)

    def _goes_on(self, stranger: Stranger) -> Iterable[Mark]:
        """A stranger that was asked before and goes on."""
        if not self._took_part(stranger):
            return ()
        return (Mark(self.name, "took_part", "medium", incident=stranger.incident),)

    def _came_round(
        self, event: Auth, seen: Seen, view: View
    ) -> Iterator[Mark | Signal | Withdraw]:
        """A stranger succeeded. Who failed at that account only, or at one more beside it, is a
        person who mistyped, or two of them in one place; who failed at others guessed right."""
        stranger, seen.stranger = seen.stranger, None
        if seen.passed and view.past.count(event.at) > self.company * seen.others:
            about, why = f"m:{seen.passed}", f"people of ours log in at {view.value}"
            yield Signal(at=event.at, about=about, kind="excused", client=view.value)
            yield Withdraw(self.name, why)
            seen.passed = ""
        if stranger is None and not view.cold and not view.around.any(event.at):
            account = keys.mailbox(event.account, view.site.default_domain)
            if account and not view.past.any(event.at):
                yield _word(event, "newcomer", view.value, _mark(event), account)
        if stranger is None or not stranger.said or event.at - stranger.last > self.day:
            return
        account = keys.mailbox(event.account, view.site.default_domain)
        name = fingerprint(account)
        others = len(stranger.tried.keys() - {name})
        if account and others > (name in stranger.tried) and self._took_part(stranger):
            seen.passed, seen.others = account, others
            yield _breach(event, account, view.value, others)
            return
        if self.name in view.open:
            why = f"{view.value} logged in as {account} after it failed: it is somebody of ours"
            yield Withdraw(self.name, why)
        yield _word(event, "came_round", view.value, _mark(event))

    def _asked(self, word: Signal, seen: Seen, view: View) -> Iterable[Mark]:
        stranger = seen.stranger
        if word.kind != "campaign" or stranger is None or view.past.any(word.at):
            return ()
        stranger.sought, stranger.incident = word.detail, word.finding
        return self._goes_on(stranger)

    def _took_part(self, stranger: Stranger) -> bool:
        """Whether it is more than somebody's forgotten password."""
        tried = stranger.tried.values()
        return bool(stranger.sought) and not (len(tried) == 1 and max(tried) > self.few)

    # -- a list -----------------------------------------------------------------------------

    def _list(self, word: Signal, seen: Seen) -> Iterator[Signal]:
        listed = seen.listed = seen.listed or Listed()
        if word.kind == "campaign":
            listed.campaigns[word.detail] = (word.at, word.finding)
            while len(listed.campaigns) > MARKS:
                del listed.campaigns[
                    min(listed.campaigns, key=lambda mark: listed.campaigns[mark][0])
                ]
            for client, (last, mark) in list(listed.strangers.items()):
                if mark == word.detail and word.at - last <= self.back:
                    yield from self._ask(word, client, mark, listed)
        elif word.kind == "came_round":
            listed.strangers.pop(word.client, None)
            yield _passed(word, "welcomed")
        elif word.kind == "newcomer":
            since, incident = listed.campaigns.get(word.detail, NEVER)
            if word.at - since <= 2 * AGAIN:
                yield Signal(
                    at=word.at,
                    about=f"m:{word.account}",
                    kind="amid_campaign",
                    client=word.client,
                    account=word.account,
                    finding=incident,
                )
        elif word.kind == "stranger":
            before = listed.strangers.get(word.client)
            again = before is not None and word.at - before[0] <= self.back
            self._enlist(word, listed)
            yield _passed(word, "counted" if again else "first")
            if word.at - listed.campaigns.get(word.detail, NEVER)[0] <= 2 * AGAIN:
                yield from self._ask(word, word.client, word.detail, listed)

    def _enlist(self, word: Signal, listed: Listed) -> None:
        strangers = listed.strangers
        strangers.pop(word.client, None)
        while len(strangers) >= LISTED:
            gone = next(iter(strangers))
            listed.lost += word.at - strangers.pop(gone)[0] <= self.back
            listed.told.pop(gone, None)
        strangers[word.client] = (word.at, word.detail)

    def _ask(self, word: Signal, client: str, mark: str, listed: Listed) -> Iterator[Signal]:
        """Each stranger is asked once a day: it goes on telling by itself."""
        told = listed.told.get(client)
        if told is None or word.at - told > self.day:
            listed.told[client] = word.at
            yield Signal(
                at=word.at,
                about=f"c:{client}",
                kind="campaign",
                client=client,
                detail=mark,
                finding=listed.campaigns.get(mark, NEVER)[1],
            )

    # -- the site ---------------------------------------------------------------------------

    def _whole(self, word: Signal, seen: Seen, view: View) -> Iterator[Mark | Signal]:
        whole = seen.whole = seen.whole or Whole()
        at, mark = word.at, word.detail
        marked = whole.marks.get(mark)
        if marked is None:
            while len(whole.marks) >= MARKS:
                oldest = min(whole.marks, key=lambda name: whole.marks[name].daily.head)
                del whole.marks[oldest]
            marked = whole.marks[mark] = Marked()
        if word.kind == "welcomed":
            self._hour.see(marked.welcome, word.client, at)
            self._day.see(marked.welcome_daily, word.client, at)
            self._long.add(marked.welcome_long, at)
            self._long.add(whole.welcome, at)
            return
        self._remember(whole, at)
        whole.most = max(whole.most, self._quarter.see(whole.strangers, word.client, at))
        hourly = self._hour.see(marked.strangers, word.client, at)
        daily = self._day.see(marked.daily, word.client, at)
        if word.kind == "first":
            self._long.add(whole.long, at)
            self._long.add(marked.long, at)
        tried = self._day.see(marked.accounts, word.account, at)
        if tried < self.accounts or not self._outnumber(marked, hourly, daily, whole, at):
            return
        yield Mark(self.name, "site_campaign", "high")
        if at - marked.told > AGAIN:
            marked.told = at
            for number in range(LISTS):
                yield Signal(at=at, about=f"s:{number}", kind="campaign", detail=mark)

    def _outnumber(self, marked: Marked, hourly: int, daily: int, whole: Whole, at: float) -> bool:
        """Whether so many strangers are no ordinary hour or day. Those that came round were
        strangers before: the others must be more than they."""
        if hourly > 2 * self._hour.distinct(marked.welcome, at):
            if hourly >= self.hourly:
                return True
            usual = self._usual(whole, at)
            quarter = self._quarter.distinct(whole.strangers, at)
            if usual is not None and quarter >= self.stand_out and quarter > usual:
                return True
        if daily >= self.daily and daily > 2 * self._day.distinct(marked.welcome_daily, at):
            return True
        return self._is_long(whole.long, whole.welcome, self.long, at) and self._is_long(
            marked.long, marked.welcome_long, self.part, at
        )

    def _is_long(self, strangers: Counts, welcome: Counts, least: int, at: float) -> bool:
        count = self._long.total(strangers, at)
        return count >= least and count > 2 * self._long.total(welcome, at)

    def _remember(self, whole: Whole, at: float) -> None:
        """The most strangers of a quarter in each hour of the last weeks."""
        hour = int(at // 3600)
        if hour <= whole.hour:
            return
        if whole.hour:
            before = whole.past.setdefault(whole.hour % HOURS, [])
            before.append(whole.most)
            del before[:-WEEKS]
        whole.hour, whole.most = hour, 0

    def _usual(self, whole: Whole, at: float) -> float | None:
        """The most strangers that this hour of the week may have; None with too little past."""
        hour = int(at // 3600)
        before = [most for near in (-1, 0, 1) for most in whole.past.get((hour + near) % HOURS, ())]
        if len(before) < WEEKS:
            return None
        middle = median(before)
        spread = median(abs(most - middle) for most in before)
        return middle + self.deviations * max(spread, 1.0)

    # -- why --------------------------------------------------------------------------------

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        if seen.whole is not None:
            return self._judge_site(seen.whole, view)
        return self._judge_client(seen.stranger or Stranger(), view)

    def _judge_site(self, whole: Whole, view: View) -> Judgement:
        at = view.at
        name, marked = max(whole.marks.items(), key=lambda one: one[1].told)
        daily = self._day.distinct(marked.daily, at)
        accounts = self._day.distinct(marked.accounts, at)
        clients = many(daily, "client", about=marked.daily.estimated)
        named = many(accounts, "account", about=marked.accounts.estimated)
        usual = self._usual(whole, at)
        said = f", usual at this hour are {usual:.0f} in 15 min" if usual is not None else ""
        return Judgement(
            summary=f"{clients} that never succeeded failed at {named} by {name} within a day"
            + said,
            evidence=[
                self._hour.evidence("clients in an hour", marked.strangers, at, self.hourly),
                self._day.evidence("clients in a day", marked.daily, at, self.daily),
                Evidence("clients in three days", self._long.total(whole.long, at), self.long),
                self._day.evidence("accounts", marked.accounts, at, self.accounts),
                self._day.evidence("clients that came round", marked.welcome_daily, at, 0),
            ],
            clients_count=daily,  # each that took part has a finding of its own
            targets=self._day.names(marked.accounts),
            targets_count=accounts,
            checks=["clients that succeeded in 30 days, or afterwards, are left out"],
        )

    def _judge_client(self, stranger: Stranger, view: View) -> Judgement:
        tries = sum(stranger.tried.values())
        fresh = view.at - stranger.first < self.moment and len(stranger.tried) == 1
        action: Action = "tarpit" if fresh else "drop"
        return Judgement(
            summary=f"{view.value} tried {many(tries, 'password')} at"
            f" {many(len(stranger.tried), 'account')}, as one of many that try by"
            f" {stranger.sought}",
            evidence=[
                Evidence("accounts", len(stranger.tried), 0),
                Evidence("tries", tries, 0),
            ],
            clients=[view.value],
            checks=["it never succeeded in 30 days"],
            wish=Wish(action, Target("network", view.value), against=COLD if view.cold else ""),
        )

    @cached_property
    def _quarter(self) -> Window:
        return window(self.quarter, registers=REGISTERS)

    @cached_property
    def _hour(self) -> Window:
        return window(self.hour, registers=REGISTERS)

    @cached_property
    def _long(self) -> Window:
        return window(self.back)

    @cached_property
    def _day(self) -> Window:
        return window(self.day, registers=REGISTERS)


def _mark(event: Auth) -> str:
    return f"{event.service} {event.mechanism}".strip() or "password"


def _word(event: Auth, kind: str, client: str, mark: str, account: str = "") -> Signal:
    """A client's word to its list."""
    number = zlib.crc32(client.encode()) % LISTS
    return Signal(
        at=event.at, about=f"s:{number}", kind=kind, client=client, account=account, detail=mark
    )


def _breach(event: Auth, account: str, client: str, others: int) -> Signal:
    """A client that took part has opened an account: to whom it belongs must hear of it."""
    return Signal(
        at=event.at,
        gateway=event.gateway,
        about=f"m:{account}",
        kind="breach",
        client=client,
        account=account,
        detail=str(others),
    )


def _passed(word: Signal, kind: str) -> Signal:
    """A list's word to the site."""
    return Signal(
        at=word.at,
        about=SITE,
        kind=kind,
        client=word.client,
        account=word.account,
        detail=word.detail,
    )
