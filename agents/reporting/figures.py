"""The figures of a report, counted from alerts, decisions and the trail of changes.

Findings of detectors on trial, notes that accuse nobody and withdrawn findings are counted apart:
they are neither attacks nor proof of work.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from statistics import median, quantiles

from msgspec import Struct, field

from agents.reporting.served import Served
from schemas import net
from schemas.audit import Audit
from schemas.findings import ACTIONS, DAY, SEVERITIES, Alert, Decision

TOP = 10  # rows of a list
LONGEST = 400  # days that are told one by one: the newest
HIJACKED = frozenset({"account_burst", "account_cluster", "phish_answered"})
BREACHED = frozenset({"auth_breach"})
ATTACKED = frozenset({"auth_dictionary", "auth_distributed", "auth_campaign"})
_COUNTED = re.compile(r" \((\d+)\)$")
_COUNTRY = re.compile(r"(?:^|, )([A-Z]{2})$")


class Facts(Struct, kw_only=True):
    """What is counted. Times are Unix seconds.

    `made` are decisions where no trail is kept, as of a replay, `told` the times at which findings
    were told first where it is known, by the alert's id; `in_force` holds at `until`.
    """

    source: str  # where it comes from, in words
    since: float
    until: float
    alerts: Sequence[Alert]
    in_force: Sequence[Decision] = ()
    audit: Sequence[Audit] = ()
    made: Sequence[Decision] = ()
    told: dict[str, float] = field(default_factory=dict)
    replayed: bool = False
    served: Served | None = None


class Count(Struct, frozen=True):
    name: str
    count: int


class Kind(Struct, frozen=True):
    """The findings of one name; `median` seconds to detect, None where it is not known."""

    detector: str
    findings: int
    severest: str
    withdrawn: int
    median: float | None


class Day(Struct, frozen=True):
    """Findings by severity on one UTC day."""

    day: str  # as 2026-03-01
    severities: dict[str, int]


class Acted(Struct, frozen=True):
    """Decisions of one action: targets that they were made about."""

    action: str
    enforced: int
    observed: int


class Times(Struct, frozen=True):
    """Seconds from a first event until it was told, of the `known` incidents or findings."""

    known: int
    median: float | None = None
    nine_of_ten: float | None = None


class Account(Struct, frozen=True):
    account: str
    findings: int
    severest: str
    last: float


class Report(Struct, frozen=True, kw_only=True):
    """All figures. `findings` accuse somebody and stand."""

    source: str
    since: float
    until: float
    replayed: bool
    findings: int
    incidents: int
    severe: int  # high and critical
    notes: int  # findings that accuse nobody
    on_trial: int  # of detectors at stage observe
    withdrawn: int
    severities: list[Count]
    detectors: list[Kind]
    days: list[Day]
    decisions: list[Acted]
    by_persons: list[Count]
    in_force: int
    in_force_observed: int
    detection: Times
    networks: list[Count]
    systems: list[Count]
    countries: list[Count]
    to_look_after: int  # accounts in other hands or broken into, of which lists name the gravest
    hijacked: list[Account]
    breached: list[Account]
    attacked: list[Account]
    served: Served | None  # what gateways here have refused since their program began


def figures(facts: Facts) -> Report:
    """The report of what happened from `since` until `until`."""
    heard = [alert for alert in facts.alerts if facts.since <= alert.last]
    trial = [alert for alert in heard if alert.stage == "observe"]
    told = [alert for alert in heard if alert.stage != "observe"]
    accusing = [alert for alert in told if alert.severity != "info"]
    standing = [alert for alert in accusing if alert.state == "open"]
    withdrawn = [alert for alert in accusing if alert.state == "withdrawn"]
    times = _times(facts, standing)
    counts = Counter(alert.severity for alert in standing)
    hijacked, breached = _accounts(standing, HIJACKED), _accounts(standing, BREACHED)
    rules = [d for d in facts.in_force if d.origin != "pardon" and d.action != "notify"]
    return Report(
        source=facts.source,
        since=facts.since,
        until=facts.until,
        replayed=facts.replayed,
        findings=len(standing),
        incidents=len({alert.incident or alert.id for alert in standing}),
        severe=counts["high"] + counts["critical"],
        notes=len(told) - len(accusing),
        on_trial=len(trial),
        withdrawn=len(withdrawn),
        severities=[Count(name, counts[name]) for name in reversed(SEVERITIES) if name != "info"],
        detectors=_detectors(standing, withdrawn, times),
        days=_days(facts, standing),
        decisions=_decisions(facts),
        by_persons=_by_persons(facts.audit),
        in_force=sum(decision.enforced for decision in rules),
        in_force_observed=sum(not decision.enforced for decision in rules),
        detection=_summed(_by_incident(standing, times)),
        networks=_networks(standing),
        systems=_origins(standing, system=True),
        countries=_origins(standing, system=False),
        to_look_after=len({each.account for each in (*hijacked, *breached)}),
        hijacked=hijacked[:TOP],
        breached=breached[:TOP],
        attacked=_accounts(standing, ATTACKED)[:TOP],
        served=facts.served,
    )


def _times(facts: Facts, alerts: Iterable[Alert]) -> dict[str, float]:
    """Seconds to detect, by alert. Of a revised alert nobody has kept when it was told first but
    whoever heard it, and the first decision that it asked for."""
    decided: dict[str, float] = {}
    for entry in facts.audit:
        if entry.what == "decided" and entry.alert:
            decided[entry.alert] = min(entry.at, decided.get(entry.alert, entry.at))
    found = {}
    for alert in alerts:
        moments = [alert.at] if alert.revision == 1 else []
        moments += [at[alert.id] for at in (facts.told, decided) if alert.id in at]
        if moments and min(moments) >= alert.first:
            found[alert.id] = min(moments) - alert.first
    return found


def _by_incident(alerts: list[Alert], times: dict[str, float]) -> list[float]:
    """Seconds from the first event of each incident until its first finding was told: a campaign
    of thousands counts once."""
    began: dict[str, float] = {}
    told: dict[str, float] = {}
    for alert in alerts:
        incident = alert.incident or alert.id
        began[incident] = min(alert.first, began.get(incident, alert.first))
        if alert.id in times:
            at = alert.first + times[alert.id]
            told[incident] = min(at, told.get(incident, at))
    return [max(0.0, at - began[incident]) for incident, at in told.items()]


def _summed(times: list[float]) -> Times:
    if not times:
        return Times(0)
    ninth = quantiles(times, n=10, method="inclusive")[-1] if len(times) > 1 else times[0]
    return Times(len(times), median(times), ninth)


def _severest(alerts: Iterable[Alert]) -> str:
    return max((alert.severity for alert in alerts), key=SEVERITIES.index, default="")


def _detectors(
    standing: list[Alert], withdrawn: list[Alert], times: dict[str, float]
) -> list[Kind]:
    found: dict[str, list[Alert]] = defaultdict(list)
    for alert in standing:
        found[alert.detector].append(alert)
    taken_back = Counter(alert.detector for alert in withdrawn)
    kinds = [
        Kind(
            detector=name,
            findings=len(found[name]),
            severest=_severest(found[name]),
            withdrawn=taken_back[name],
            median=_summed([times[a.id] for a in found[name] if a.id in times]).median,
        )
        for name in found.keys() | taken_back.keys()
    ]
    return sorted(kinds, key=lambda kind: (-kind.findings, kind.detector))


def _days(facts: Facts, alerts: Iterable[Alert]) -> list[Day]:
    """Each day of the period, by when a finding began; what began earlier and went on counts on
    the first."""
    first, last = int(facts.since // DAY), int(facts.until // DAY)
    first = max(first, last - LONGEST + 1)
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for alert in alerts:
        found[min(last, max(first, int(alert.first // DAY)))][alert.severity] += 1
    return [Day(_day(day), dict(found[day])) for day in range(first, last + 1)]


def _day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY, UTC).strftime("%Y-%m-%d")


def _decisions(facts: Facts) -> list[Acted]:
    """Each target counts once for each action, however often its lease was renewed."""
    made: dict[str, tuple[str, bool]] = {}
    for entry in facts.audit:
        if entry.what in ("decided", "added", "approved") and entry.at >= facts.since:
            before = made.get(entry.decision, ("", False))[1]
            made[entry.decision] = (entry.action, entry.enforced or before)
    for decision in facts.made:
        made[decision.id] = (decision.action, decision.enforced)
    counts = Counter(made.values())
    return [
        Acted(action, counts[action, True], counts[action, False])
        for action in reversed(ACTIONS)
        if counts[action, True] or counts[action, False]
    ]


def _by_persons(audit: Iterable[Audit]) -> list[Count]:
    counts = Counter(entry.what for entry in audit)
    words = ("added", "pardoned", "removed", "approved", "panic", "resumed")
    return [Count(what, counts[what]) for what in words if counts[what]]  # type: ignore[index]


def _networks(alerts: Iterable[Alert]) -> list[Count]:
    """The /24 and /48 that most findings name a client of."""
    counts: Counter[str] = Counter()
    for alert in alerts:
        counts.update({network for client in alert.clients if (network := _network(client))})
    return _top(counts)


def _network(client: str) -> str:
    try:
        return net.network(client)
    except ValueError:  # it is no address: the word of another publisher
        return ""


def _origins(alerts: Iterable[Alert], *, system: bool) -> list[Count]:
    """The autonomous systems, or countries, of the most clients ("AS64496 Example Net, NL (3)":
    agents/enrichment.py)."""
    counts: Counter[str] = Counter()
    for alert in alerts:
        for origin in alert.origins:
            several = _COUNTED.search(origin)
            place = origin[: several.start()] if several else origin
            country = _COUNTRY.search(place)
            name = place[: country.start()] if country and system else place
            if not system:
                name = country[1] if country else ""
            if name:
                counts[name] += int(several[1]) if several else 1
    return _top(counts)


def _top(counts: Counter[str]) -> list[Count]:
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Count(name, count) for name, count in order[:TOP]]


def _accounts(alerts: Iterable[Alert], detectors: frozenset[str]) -> list[Account]:
    """The accounts that findings of these names are about, or name."""
    found: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        if alert.detector in detectors:
            about = alert.subject.kind == "account"
            for account in {alert.subject.value} if about else {*alert.accounts}:
                found[account].append(alert)
    accounts = [
        Account(account, len(each), _severest(each), max(alert.last for alert in each))
        for account, each in found.items()
    ]
    order = {name: -number for number, name in enumerate(SEVERITIES)}
    accounts.sort(key=lambda a: (order[a.severest], -a.findings, a.account))  # type: ignore[index]
    return accounts
