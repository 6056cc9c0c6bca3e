"""**Subject**: all that is known of an address, a network or an account: why blocked, or why
not."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from agents.configuration import build_shard
from agents.console.desk import Desk
from agents.console.problems import ProblemError
from agents.console.views.briefs import Brief, brief
from agents.console.views.decided import Decided, of_target, shown
from agents.console.views.fields import Named
from agents.console.views.incident import Told, told
from agents.operator import orders
from agents.operator.orders import OrderError
from agents.record import unpack
from agents.shard import KEPT
from agents.words import many
from schemas import keys, net
from schemas.audit import Audit
from schemas.findings import Alert
from schemas.keys import Key

ALERTS = 20  # shown whole
INCIDENTS = 20
TRAIL = 50
COUNTS = 60

EXACT = ("account", "address", "domain")

Kind = Literal["auto", "network", "account", "address", "domain", "client_account"]


class SubjectWanted(Struct, frozen=True):
    value: Named  # as a person types it
    kind: Kind = "auto"


class Count(Struct, frozen=True, kw_only=True):
    """What a detector counts now beside its threshold."""

    of: str  # the kind of subject that is watched: client, network, account
    detector: str
    sign: str
    count: float
    threshold: float
    unit: str
    estimated: bool


class SubjectView(Struct, frozen=True, kw_only=True):
    kind: str
    value: str
    origins: list[str]  # AS and country
    why: list[str]  # why it is blocked, or why not, in sentences
    blocked: bool  # something is enforced against it now
    decisions: list[Decided]
    counts: list[Count]
    counts_known: bool  # else the worker knows that owns it
    logins: int  # names that logged in from here or networks that logged in as it, in 30 days
    alerts: list[Told]
    alerts_count: int
    incidents: list[Brief]
    trail: list[Audit]


def subject(desk: Desk, wanted: SubjectWanted) -> SubjectView:
    """Raises ProblemError where nobody can be called so."""
    kind, value = meant(desk, wanted)
    alerts = sorted(_naming(desk, kind, value), key=lambda one: -one.last)
    decisions = shown(desk, of_target(desk, kind, value))
    counts, logins = _weighed(desk, kind, value)
    names = dict.fromkeys(desk.picture.assembly.incident(one.id) for one in alerts)
    briefs = {one.id: one for one in desk.picture.incidents if one.id in names}
    return SubjectView(
        kind=kind,
        value=value,
        origins=desk.config.enrichment.origins([value.partition(" ")[0]])
        if kind in ("network", "client_account")
        else [],
        why=list(_why(desk, kind, value, decisions, alerts)),
        blocked=any(one.effect in ("enforced", "asked_for") for one in decisions),
        decisions=decisions,
        counts=counts,
        counts_known=not desk.kafka,
        logins=logins,
        alerts=[told(one) for one in desk.shelf.alerts([a.id for a in alerts[:ALERTS]])],
        alerts_count=len(alerts),
        incidents=[brief(briefs[name]) for name in names if name in briefs][:INCIDENTS],
        trail=desk.shelf.audit(TRAIL, targets=[f"{kind}:{value}"]),
    )


def meant(desk: Desk, wanted: SubjectWanted) -> tuple[str, str]:
    """Kind and value in their one spelling. Raises ProblemError."""
    text = wanted.value if wanted.kind == "auto" else f"{wanted.kind}:{wanted.value}"
    try:
        found = orders.target(text, desk.config)
    except OrderError as error:
        kind = _told_of(desk, wanted)
        if kind:
            return kind, wanted.value
        raise ProblemError(422, str(error)) from error
    return found.kind, found.value


def _told_of(desk: Desk, wanted: SubjectWanted) -> str:
    """What kind of subject an alert or a decision calls exactly so, if any does: a name that an
    attacker chose may be one that nobody could type."""
    value = wanted.value
    for kind in EXACT if wanted.kind == "auto" else (wanted.kind,):
        if desk.shelf.about(desk.clock(), [(kind, value)]):
            return kind
    for alert in desk.picture.alerts:
        if alert.subject.value == value and alert.subject.kind in EXACT:
            return alert.subject.kind
        if value in alert.accounts or value in alert.targets:
            return "account"
    return ""


def _naming(desk: Desk, kind: str, value: str) -> Iterator[Alert]:
    """The alerts that are about a subject or name it, or somebody in that network."""
    names = {value, value.partition("/")[0]} if kind == "network" else {value}
    around = net.Networks([value]) if kind == "network" and "/" in value else None
    for alert in desk.picture.alerts:
        listed = alert.clients if kind == "network" else [*alert.accounts, *alert.targets]
        named = alert.subject.value in names or not names.isdisjoint(listed)
        if named or (around is not None and any(_inside(one, around) for one in listed)):
            yield alert


def _inside(client: str, around: net.Networks) -> bool:
    try:
        return client in around
    except ValueError:
        return False


def _why(
    desk: Desk, kind: str, value: str, decisions: list[Decided], alerts: list[Alert]
) -> Iterator[str]:
    for one in decisions:
        name = "" if (one.kind, one.value) == (kind, value) else f" (by {one.value})"
        if one.effect == "spared":
            yield f"Spared{name}: a person pardoned it. {one.reason}"
        elif one.effect in ("enforced", "asked_for"):
            yield f"{one.action} is in force{name}: {one.reason}"
        elif one.effect == "lifted":
            yield f"{one.action} would be in force{name}, but the kill switch is pulled."
        elif one.effect == "observed":
            yield f"{one.action} is observed only{name}, not enforced: {one.reason}"
        elif one.effect == "waits":
            yield f"{one.action} waits for another person{name}: {one.reason}"
        elif one.effect == "nobody_can":
            yield f"{one.action} is decided{name}, but no gateway here carries it out."
        elif one.effect == "outranked":
            yield f"{one.action} is outranked{name} by another decision."
    if kind in ("network", "client_account"):
        yield from _spared(desk, value.partition(" ")[0])
    if not decisions:
        yield "Nothing is decided about it."
    against = [one for one in alerts if one.severity != "info" and one.state == "open"]
    if against and not decisions:
        yield f"The newest finding decided {against[0].decision or 'nothing'}."
    elif not alerts:
        yield "No finding names it: what was seen of it stayed below the thresholds."
    elif not against:
        yield f"{many(len(alerts), 'finding')} named it, none of which accuses anybody now."


def _spared(desk: Desk, network: str) -> Iterator[str]:
    site = desk.config.site
    for networks, what in (
        (desk.config.allowed, "on the allow list: nothing is decided against it"),
        (site.own, "one of our own networks: nothing is decided against it"),
        (site.trusted, "a trusted relay: nothing is decided against it"),
        (site.shared, "shared by many people: it is never blocked wholesale"),
    ):
        if networks.overlapping(network):
            yield f"It is {what}."


# -- what is counted now --------------------------------------------------------------------------


def _weighed(desk: Desk, kind: str, value: str) -> tuple[list[Count], int]:
    """Each detector's counts, the nearest to their thresholds first, and the logins."""
    watched = list(_keys(desk, kind, value))
    records = desk.records(watched)
    if not records:
        return [], 0
    shard = build_shard(desk.config)
    now = desk.clock()
    shard.begun, shard.clock = now - KEPT, now  # it is not as if it had just begun
    for key, packed in records.items():
        shard.restore(key, packed)
    counts = [
        Count(
            of=keys.subject(key)[0],
            detector=name,
            sign=seen.sign,
            count=seen.count,
            threshold=seen.threshold,
            unit=seen.unit,
            estimated=seen.estimated,
        )
        for key in records
        for name, evidence in shard.weigh(key, now)
        for seen in evidence
        if seen.count
    ]
    counts.sort(key=lambda one: (one.threshold <= 1, -one.count / max(one.threshold, 1e-9)))
    return counts[:COUNTS], max(_logins(packed, now) for packed in records.values())


def _logins(packed: bytes, now: float) -> int:
    try:
        return unpack(packed).past.count(now)
    except ValueError:
        return 0


def _keys(desk: Desk, kind: str, value: str) -> Iterator[Key]:
    if kind == "network":
        single = "/" not in value or value.endswith("/64")
        if single:
            yield f"c:{value}"
            yield f"n:{net.network(value)}"
        else:
            yield f"n:{value}"
    elif kind in ("account", "address"):
        yield f"m:{keys.mailbox(value, desk.config.site.default_domain)}"
    elif kind == "domain":
        yield f"d:{value}"
