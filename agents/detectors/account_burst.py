"""An account that is no longer its owner's: what it sends gives it away.

Signs are counted, each in its own window, and each one that stands has a weight. No sign is
enough for more than an alert; a sign stays for a day, so that it does not matter in which order
the watchers of other subjects speak. What is much is measured by the account's own past, once
three days of it are known, and by caps that hold for everybody.
"""

import re
from collections.abc import Iterable
from typing import ClassVar, Literal

from msgspec import Struct, field

from agents.account import habits
from agents.account.habits import Day, Habits, awake, usual
from agents.account.places import Places
from agents.account.signs import (
    ALONE,
    AWAY,
    BEFORE,
    OUTCOMES,
    SIGNS,
    UNITS,
    Sign,
    Standing,
    Weights,
    total,
    word,
)
from agents.destination import leaves
from agents.detector import Detector, Judgement, Mark, View, Withdraw
from agents.windows import DAY, Counts, Distinct, Window
from agents.words import many
from schemas import keys, net
from schemas.events import Auth, Change, Complaint, Delivery, Message, Recipient, Signal
from schemas.findings import Evidence, Severity, Target, Wish

NAME = "account_burst"
SHORT = Window(600.0)
HOUR = Window(3600.0)
TODAY = Window(DAY)
LARGE = 4  # messages with many recipients whose deliveries are followed at a time
REACHED = 16  # colleagues that a hijacked account wrote to, by name
QUEUE_ID = 40  # characters

TOO_LATE = 1 << 40  # a day that never comes
ABUSE = frozenset({"", "abuse", "fraud", "virus", "phish", "phishing", "spam"})  # complaints
HIDES = frozenset({"rule", "forward"})  # changes
SIGNS_AS = frozenset({"identity", "signature"})  # changes that may send answers elsewhere
ADDRESS = re.compile(r"[^\s<>,;:\"']+@[^\s<>,;:\"']+")

COMPLAINTS = frozenset({"complaints", "complained"})

# Senders of lists and of mail about mail (RFC 2142, RFC 3834), where no login is behind them
MACHINERY = re.compile(
    r"(?:owner-[^@]*|[^@]*-(?:owner|bounces?|request|return|errors)|mailer-daemon|majordomo"
    r"|listserv|mailman)(?:@.*)?"
)


class Seen(Struct, array_like=True):
    accepted: Counts = field(default_factory=Counts)  # recipients of its messages, in an hour
    outside: Counts = field(default_factory=Counts)  # attempts to deliver elsewhere
    inside: Counts = field(default_factory=Counts)  # deliveries to mailboxes of ours
    messages: Counts = field(default_factory=Counts)  # in a day
    gone: Counts = field(default_factory=Counts)  # recipients elsewhere whose fate is known
    tried: Counts = field(default_factory=Counts)  # all recipients whose fate is known
    refused: Counts = field(default_factory=Counts)  # of them
    nameless: Counts = field(default_factory=Counts)  # messages with the null sender
    places: Places = field(default_factory=Places)  # that it sends from
    senders: Distinct = field(default_factory=Distinct)  # envelope senders
    signs: dict[str, Standing] = field(default_factory=dict)
    habits: Habits = field(default_factory=Habits)
    short: Counts = field(default_factory=Counts)  # messages, in 10 min
    climb: list[tuple[float, int]] = field(default_factory=list)  # ever more recipients: when
    limited: Counts = field(default_factory=Counts)  # recipients refused for being too many
    complained: Counts = field(default_factory=Counts)  # reports of abuse, in a day
    login: float = 0.0  # its newest mail with a login
    grace: float = 0.0  # released by a person: nothing is said until then
    logged: float = 0.0  # its newest delivery: before the first, all recipients count as others'
    large: dict[str, list[int]] = field(default_factory=dict)  # messages: recipients, attempts to
    # deliver elsewhere, deliveries here
    dark: Counts = field(default_factory=Counts)  # recipients elsewhere at unusual hours, in a day
    reports: Distinct = field(default_factory=Distinct)  # that came back about its mail, in a day
    reached: list[str] = field(default_factory=list)  # colleagues it wrote to since a sign stood


class AccountBurst(Detector, frozen=True, kw_only=True):
    """The shape is the strongest sign that stands: guessed_before, changed (a rule or forward was
    made, or a foreign return address), complaints, complained (fewer), clients, senders, bounces,
    volume, probing (ever more recipients), limits (it ran into ours), surge (an hour against its
    own past), pace (messages in 10 min), daily (a day against its own past), fan_out, inside,
    networks, new_place, strange_hour, attacked (by many, and nobody is known to have come in),
    tested (from a new place a lone message to one recipient, some time before all others).

    The subject is the login; without one, the sender of mail from our own hosts. An account
    that others guess at is a victim: that sign counts only beside what it sends itself.
    """

    name = NAME
    technique = "T1078"  # Valid Accounts
    blind_to = (
        "a thief who sends no more than the owner might, through a network of the owner's, to "
        "addresses that exist; and volume where no deliveries are logged"
    )
    hears: ClassVar = {"m": (Message, Delivery, Recipient, Signal, Change, Complaint, Auth)}
    state = Seen

    hourly: int = 500  # recipients elsewhere in an hour [Exchange Online: 500]
    daily: int = 2000  # recipients elsewhere in a day [Google Workspace: 2,000]
    inside: int = 1000  # recipients here in an hour *
    least_hourly: int = 60  # recipients in an hour that may be too many for an account *
    times: float = 10.0  # its own usual hour *
    pace: int = 30  # messages in 10 min, *
    pace_times: float = 5.0  # and so many times its own *
    known: int = 3  # days that an account must have been seen before its past counts *
    early: float = (
        2.0  # until then it counts where its mail bounces, and for so many times as much *
    )
    fan_out: int = 50  # recipients of one message, *
    small: int = 10  # of an account whose messages usually have fewer *
    climbs: int = 4  # messages in an hour, each with more recipients, *
    summit: int = 10  # the last of them with so many *
    limits: int = 3  # recipients in an hour refused for being too many *
    least_daily: int = 120  # recipients elsewhere in a day that may be too many for an account *
    daily_times: float = 5.0  # its own usual day *
    night: int = 20  # recipients elsewhere in a day, at hours at which it never sends *
    complained: float = 0.001  # reports of abuse by messages in a day: a word [Amazon SES: 0.1 %]
    complaints: float = 0.005  # of which something must be done [Amazon SES: 0.5 %]
    complaint_messages: int = 20  # in a day, before that share says anything *
    least_complaints: int = 3  # and so many at least *
    bounce_messages: int = 20  # in a day, before the share of refused recipients says anything *
    bounces: float = 0.1  # of recipients refused [Amazon SES: 5 % is reviewed, 10 % paused]
    least_refused: int = 3  # refused recipients that it takes at least *
    clients: int = 5  # that it sends through in an hour, *
    client_places: int = 4  # from so many /16 or /32 *
    daily_clients: int = 20  # in a day [Wazuh: 132 clients, one mail each]
    networks: int = 10  # /16 or /32 that it sends from in a day *
    senders: int = 5  # envelope senders under one login in a day *
    nameless: int = 5  # messages with a login and the null sender in a day *
    alone: float = 300.0  # seconds of silence after a first message that make it a test *
    then: int = 5  # messages in 10 min that follow it *
    weights: Weights = field(default_factory=Weights)  # what each sign adds
    medium: int = 3  # sum of the weights that makes a finding
    high: int = 5  # sum that makes it grave
    critical: int = 7
    at_home: int = 5  # sum that makes a finding where all was sent from its own places *
    lead: float = 7200.0  # seconds before the first sign: who was there before is its owner *
    grace: float = 86400.0  # seconds of silence after a person released the account *
    strongest: Literal["notify", "limit", "hold", "lock"] = "limit"  # that may be asked for
    protected: tuple[str, ...] = ()  # accounts that only a person may act on

    @property
    def horizon(self) -> float:
        return float(DAY)

    @property
    def memory(self) -> float:
        return (habits.DAYS + 1.0) * DAY

    # -- what is seen -----------------------------------------------------------------------

    def observe(
        self,
        event: Message | Delivery | Recipient | Signal | Change | Complaint | Auth,
        seen: Seen,
        view: View,
    ) -> Iterable[Mark | Withdraw]:
        if type(event) is Auth:
            return self._login(event, seen, view)
        if _is_named(view.site.bulk, view):
            return ()
        if type(event) is Signal:
            if event.kind == "excused":
                return self._excused(event, seen, view)
            stands = self._told(event, seen)
        elif event.at < seen.grace:
            return ()
        elif type(event) is Message:
            stands = self._is_its(event, seen, view) and self._message(event, seen, view)
        elif type(event) is Delivery:
            stands = self._delivery(event, seen, view)
        elif type(event) is Recipient:
            stands = self._recipient(event, seen)
        elif type(event) is Complaint:
            stands = self._complaint(event, seen)
        else:
            stands = type(event) is Change and self._change(event, seen, view)
        if not stands:
            return ()
        if "auth_distributed" in view.open:
            self._stand(seen, "attacked", 1, 1, event.at)
        signs = self._standing(seen, event.at)
        score = total(signs, self.weights)
        if score >= (self.at_home if self._is_at_home(signs, seen, view) else self.medium):
            return (Mark(NAME, signs[0], self._severity(score)),)
        return ()

    def minds(self, event: object, view: View) -> bool:
        return type(event) is not Auth

    def _login(self, event: Auth, seen: Seen, view: View) -> Iterable[Mark]:
        """Remember when it first came from where it never was: who was there before the first
        sign is its owner."""
        if event.outcome == "ok" and event.client:
            seen.places.login(event.client, event.at, view.past)
        return ()

    def _is_at_home(self, signs: list[Sign], seen: Seen, view: View) -> bool:
        """Whether all was sent from where the account has long been, as its owner may and as
        malware on the owner's machine does: then more must speak against it."""
        if view.cold or not view.past.homes(view.at) or AWAY & set(signs):
            return False
        return seen.places.are_old(view.at, view.past)

    def _told(self, event: Signal, seen: Seen) -> bool:
        if event.kind == "released":
            seen.grace = max(seen.grace, event.at + self.grace)
            seen.signs.clear()
        if event.at < seen.grace:
            return False
        if event.kind == "reported":
            TODAY.see(seen.reports, event.detail, event.at)
            return self._bounces(seen, event.at)
        if event.kind != "breach":
            return False
        seen.places.guessed(event.client)
        return self._stand(seen, "guessed_before", 1, 1, event.at)

    def _excused(self, event: Signal, seen: Seen, view: View) -> Iterable[Withdraw]:
        """It was the owner who opened the account where it never was."""
        seen.places.excuse(event.client)
        if seen.places.intruders or seen.signs.pop("guessed_before", None) is None:
            return ()
        if total(self._standing(seen, event.at), self.weights) >= self.medium:
            return ()
        why = f"nobody broke in: {event.client} is where others of ours log in as well"
        return (Withdraw(NAME, why),)

    def _is_its(self, event: Message | Delivery, seen: Seen, view: View) -> bool:
        """Whether the subject sent it. What it sent with a login passes other hosts of ours
        without one: then that is the same mail again."""
        domain = view.site.default_domain
        if event.account:
            if keys.mailbox(event.account, domain) != view.value:
                return False
            seen.login = max(seen.login, event.at)
            return True
        if event.at - seen.login <= DAY:
            return False
        if event.client and event.client not in view.site.own:
            return False  # a stranger says that it comes from here
        if view.site.domains and not view.site.local(event.sender):
            return False
        name = keys.mailbox(event.sender, domain)
        return name == view.value and not MACHINERY.fullmatch(name)

    def _message(self, event: Message, seen: Seen, view: View) -> bool:
        at, count = event.at, max(1, event.recipients)
        HOUR.add(seen.accepted, at, count)
        short = SHORT.add(seen.short, at)
        TODAY.add(seen.messages, at)
        before, known = seen.habits.before(at), self._is_known(seen, view)
        stands = self._habitual(0 if seen.logged else count, known, seen, at)
        if short > max(self.pace, self.pace_times * usual([day.pace for day in before])):
            stands |= self._stand(seen, "pace", short, self.pace, at)
        largest = self._largest(event, count, known, before, seen)
        stands |= largest or self._climbs(count, seen, at)
        seen.habits.note(at, self._elsewhere(seen, at), count, short, count)
        if event.account:
            stands |= self._senders(event, seen)
            if event.client and not view.trusted and event.client not in view.site.own:
                stands |= self._clients(event, seen, view)
        return stands | self._volume(seen, at)

    def _is_known(self, seen: Seen, view: View) -> bool:
        """Whether the account was seen for so long that its past counts."""
        first = min(day for day in (seen.habits.oldest(), view.past.oldest(), TOO_LATE) if day)
        return int(view.at) // DAY - first >= self.known

    def _elsewhere(self, seen: Seen, at: float) -> int:
        """Recipients of others in an hour, as far as is known: those of accepted messages, less
        those who had it here, and no more than were tried."""
        accepted = HOUR.total(seen.accepted, at)
        if not seen.logged:
            return accepted
        return min(HOUR.total(seen.outside, at), accepted - HOUR.total(seen.inside, at))

    def _habitual(self, count: int, known: bool, seen: Seen, at: float) -> bool:
        """The signs that are measured by the account's own past. `count` further recipients of
        others are known of now."""
        scale = 1.0 if known else self._early(seen, at)
        if not scale:
            return False
        stands, habits = False, seen.habits
        hourly, gone = self._elsewhere(seen, at), TODAY.total(seen.gone, at)
        if hourly > scale * self.least_hourly:
            most = scale * self.times * usual([day.hourly for day in habits.before(at)])
            if hourly > most:
                most = max(scale * self.least_hourly, most)
                stands |= self._stand(seen, "surge", hourly, most, at)
        if gone > scale * self.least_daily:
            most = scale * self.daily_times * usual([day.daily for day in habits.before(at)])
            if gone > most:
                most = max(scale * self.least_daily, most)
                stands |= self._stand(seen, "daily", gone, most, at)
        if known and count and not awake(habits.before(at), at):
            dark = TODAY.add(seen.dark, at, count)
            often = len(habits.before(at)) >= self.known
            stands |= (
                often
                and dark > self.night
                and self._stand(seen, "strange_hour", dark, self.night, at)
            )
        return stands

    def _early(self, seen: Seen, at: float) -> float:
        """How much more it takes while the past is short; 0.0 where it says nothing."""
        if "bounces" not in seen.signs or not seen.habits.before(at):
            return 0.0
        return self.early if "bounces" in self._standing(seen, at) else 0.0

    def _largest(
        self, event: Message, count: int, known: bool, before: list[Day], seen: Seen
    ) -> bool:
        """Whether one message has many recipients. Where deliveries are logged, they tell how
        many of them are not ours."""
        if count < self.fan_out or (known and usual([day.largest for day in before]) >= self.small):
            return False
        message = event.queue_id[:QUEUE_ID]
        if not seen.logged or not message:
            return self._stand(seen, "fan_out", count, self.fan_out, event.at)
        while len(seen.large) >= LARGE:
            del seen.large[next(iter(seen.large))]
        seen.large[message] = [count, 0, 0]
        return False

    def _of_large(self, event: Delivery, out: bool, seen: Seen) -> bool:
        """A delivery of a message with many recipients."""
        parts = seen.large.get(event.queue_id[:QUEUE_ID])
        if parts is None or (not out and event.status == "deferred"):
            return False
        parts[1 if out else 2] += 1
        count = min(parts[1], parts[0] - parts[2])
        return self._stand(seen, "fan_out", count, self.fan_out, event.at)

    def _climbs(self, count: int, seen: Seen, at: float) -> bool:
        """Whether each of the last messages had more recipients than the one before."""
        climb = seen.climb
        if climb and count == climb[-1][1]:
            return False
        if climb and (count < climb[-1][1] or at - climb[0][0] > HOUR.seconds):
            climb.clear()
        climb.append((at, count))
        del climb[: -self.climbs]
        if count < self.summit:
            return False
        return self._stand(seen, "probing", len(climb), self.climbs, at)

    def _senders(self, event: Message, seen: Seen) -> bool:
        at = event.at
        if not event.sender:
            nameless = TODAY.add(seen.nameless, at)
            return self._stand(seen, "senders", nameless, self.nameless, at)
        senders = TODAY.see(seen.senders, keys.mailbox(event.sender), at)
        about = seen.senders.estimated
        return self._stand(seen, "senders", senders, self.senders, at, about=about)

    def _clients(self, event: Message, seen: Seen, view: View) -> bool:
        at, places = event.at, seen.places
        client = net.client(event.client)
        clients, networks = places.sends(client, view.site.place(event.client), at)
        about = places.networks.estimated
        stands = self._stand(seen, "networks", networks, self.networks, at, about=about)
        about = places.clients.estimated
        stands |= self._stand(seen, "clients", clients, self.daily_clients, at, about=about)
        if view.past.homes(at) and not view.past.settled(net.network(client), at):
            stands |= self._stand(seen, "new_place", 1, 1, at)
            tested = places.follows_a_test(at, event.recipients, self.alone)
            if tested and SHORT.total(seen.short, at) >= self.then:
                stands |= self._stand(seen, "tested", 1, 1, at)
        if clients >= self.clients:
            clients, networks = places.hour(at)
            if networks >= self.client_places:
                stands |= self._stand(seen, "clients", clients, self.clients, at, about=about)
        return stands

    def _delivery(self, event: Delivery, seen: Seen, view: View) -> bool:
        if not event.recipient:
            return False
        at = event.at
        if not self._is_its(event, seen, view):
            # The last host on the way out is the one that hears of the refusal.
            again = not event.account and event.client in view.site.own
            if not again or event.status != "bounced" or not seen.login:
                return False
            TODAY.add(seen.refused, at)
            return self._bounces(seen, at)
        out = leaves(event, view.site)
        seen.logged = max(seen.logged, at)
        stands = bool(seen.large) and self._of_large(event, out, seen)
        fresh = 0
        if out:
            HOUR.add(seen.outside, at)
        if event.status != "deferred":
            TODAY.add(seen.tried, at)
            if event.status == "bounced":
                TODAY.add(seen.refused, at)
            if out:
                fresh = 1
                gone = TODAY.add(seen.gone, at)
                stands |= gone > self.daily and self._stand(seen, "volume", gone, self.daily, at)
            else:
                count = HOUR.add(seen.inside, at)
                stands |= count > self.inside and (
                    self._stand(seen, "inside", count, self.inside, at)
                )
                self._reaches(event.recipient, seen, at)
            stands |= self._bounces(seen, at)
        if out:
            stands |= self._habitual(fresh, self._is_known(seen, view), seen, at)
        return stands | self._volume(seen, at)

    def _reaches(self, recipient: str, seen: Seen, at: float) -> None:
        """Remember whom of ours it writes to while signs stand: they may be the next."""
        if not self._standing(seen, at):
            seen.reached.clear()
        elif recipient not in seen.reached:
            seen.reached = [*seen.reached[1 - REACHED :], recipient[: keys.LONGEST]]

    def _recipient(self, event: Recipient, seen: Seen) -> bool:
        if event.reason == "overload":
            limited = HOUR.add(seen.limited, event.at)
            return self._stand(seen, "limits", limited, self.limits, event.at)
        if event.verdict not in ("unknown", "refused"):
            return False
        TODAY.add(seen.tried, event.at)
        TODAY.add(seen.refused, event.at)
        return self._bounces(seen, event.at)

    def _complaint(self, event: Complaint, seen: Seen) -> bool:
        """Reports of abuse; two are enough where other signs stand."""
        if event.kind not in ABUSE:
            return False
        at = event.at
        count = TODAY.add(seen.complained, at)
        messages = TODAY.total(seen.messages, at)
        others = any(sign not in COMPLAINTS for sign in self._standing(seen, at))
        least = max(self.complained * messages, 2 if others else self.least_complaints)
        stands = self._stand(seen, "complained", count, least, at)
        if others or messages >= self.complaint_messages:
            least = max(self.complaints * messages, least)
            stands |= self._stand(seen, "complaints", count, least, at)
        return stands

    def _change(self, event: Change, seen: Seen, view: View) -> bool:
        """A thief hides what comes back, or has it sent elsewhere."""
        hides = event.what in HIDES or (
            event.what in SIGNS_AS
            and any(not view.site.local(name) for name in ADDRESS.findall(event.detail.lower()))
        )
        return hides and self._stand(seen, "changed", 1, 1, event.at)

    # -- the signs --------------------------------------------------------------------------

    def _volume(self, seen: Seen, at: float) -> bool:
        """How many recipients elsewhere its messages had in an hour. An attempt that failed for
        now is made again, and mail to ourselves counts nothing: so no more than were accepted,
        less those who had it here."""
        attempts = HOUR.total(seen.outside, at)
        if attempts <= self.hourly:
            return False
        accepted = HOUR.total(seen.accepted, at) - HOUR.total(seen.inside, at)
        count = min(attempts, accepted)
        return accepted > self.hourly and self._stand(seen, "volume", count, self.hourly, at)

    def _bounces(self, seen: Seen, at: float) -> bool:
        if not seen.refused.total and not seen.reports.seen:
            return False
        refused, tried = self._refused(seen, at), TODAY.total(seen.tried, at)
        if refused < self.least_refused or refused < self.bounces * tried:
            return False
        if TODAY.total(seen.messages, at) < self.bounce_messages:
            return False
        percent = round(100 * min(1.0, refused / max(1, tried)), 1)
        return self._stand(seen, "bounces", percent, 100 * self.bounces, at)

    def _refused(self, seen: Seen, at: float) -> int:
        """Recipients that were refused at once, and those that reports told of later."""
        return TODAY.total(seen.refused, at) + TODAY.distinct(seen.reports, at)

    def _stand(
        self,
        seen: Seen,
        sign: Sign,
        count: float,
        threshold: float,
        at: float,
        *,
        about: bool = False,
    ) -> bool:
        """Remember a sign, if it stands; `about` says that its count is an estimate."""
        if count < threshold:
            return False
        before = seen.signs.get(sign)
        if before is None or at - before.last > DAY:
            seen.signs[sign] = Standing(count, threshold, at, at, about)
        else:
            if count > before.peak:
                before.peak, before.threshold, before.estimated = count, threshold, about
            before.first = min(before.first, at)
            before.last = max(before.last, at)
        return True

    def _standing(self, seen: Seen, at: float) -> list[Sign]:
        """The signs that stand, the strongest first. What others did to the account counts if
        something was sent after it."""
        found = [sign for sign in SIGNS if sign in seen.signs and at - seen.signs[sign].last <= DAY]
        conduct: list[Sign] = [sign for sign in found if sign not in BEFORE]
        if not conduct:
            return []
        if ALONE.issuperset(conduct) and "tested" in found:  # before what?
            found.remove("tested")
        sent = max(seen.signs[sign].last for sign in conduct)
        return [sign for sign in found if sign not in BEFORE or seen.signs[sign].first <= sent]

    def _severity(self, score: int) -> Severity:
        if score >= self.critical:
            return "critical"
        return "high" if score >= self.high else "medium"

    # -- in words ---------------------------------------------------------------------------

    def judge(self, mark: Mark, seen: Seen, view: View) -> Judgement:
        at = view.at
        signs = self._standing(seen, at)
        places = seen.places
        through = many(places.count(at), "client", about=places.clients.estimated)
        tried, refused = TODAY.total(seen.tried, at), self._refused(seen, at)
        return Judgement(
            summary=f"{view.value} sends as its owner would not: "
            + ", ".join(word(sign, seen.signs[sign]) for sign in signs),
            evidence=[
                Evidence(sign, stood.peak, stood.threshold, UNITS[sign], stood.estimated)
                for sign in signs
                for stood in (seen.signs[sign],)
            ],
            clients=self._strangers(signs, seen, view),
            accounts=[view.value],
            targets=list(seen.reached),
            checks=[
                f"{TODAY.total(seen.messages, at)} messages in a day through {through}",
                f"of {tried} recipients in a day, {refused} refused",
            ],
            wish=self._wish(signs, mark.severity, view),
        )

    def _strangers(self, signs: list[Sign], seen: Seen, view: View) -> list[str]:
        """Clients that are accused: who guessed, and where many send, or what is sent cannot be
        the owner's, those that are new."""
        spread = {"clients", "networks"} & set(signs)
        if not {"new_place", *spread, *(OUTCOMES - {*BEFORE})} & set(signs):
            return list(seen.places.intruders)
        # Where many came, its owner may be in a new place as well, and was there before them.
        weak = {*BEFORE, *ALONE} if spread else BEFORE
        first = min(seen.signs[sign].first for sign in signs if sign not in weak)
        if view.cold and not 0 < view.past.oldest() < int(first) // DAY:
            return list(seen.places.intruders)  # a day of its own must tell where it is at home
        new = seen.places.new(first - self.lead, view.at, view.past)
        return list(dict.fromkeys([*seen.places.intruders, *new]))

    def _wish(self, signs: list[Sign], severity: Severity, view: View) -> Wish:
        """A limit slows a thief and an owner alike; more needs a sign that it is a thief."""
        target = Target("account", view.value)
        if _is_named(self.protected, view):
            return Wish("notify", target, against="the account is protected: a person decides")
        if severity == "medium" or self.strongest == "notify":
            return Wish("notify", target)
        if not OUTCOMES & set(signs):
            return Wish("limit", target)
        return Wish(self.strongest, target)


def _is_named(names: frozenset[str] | tuple[str, ...], view: View) -> bool:
    """Whether the subject is in a list of people's making: names may lack their domain."""
    if not names:
        return False
    name, _, domain = view.value.rpartition("@")
    return view.value in names or (domain == view.site.default_domain and name in names)
