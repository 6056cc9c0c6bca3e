"""**Now**: what is going on, is it bad, what was done, what is held back and why."""

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from agents.console.desk import Desk
from agents.console.views.briefs import Brief, brief, unfinished
from agents.console.views.reach import anybody_can
from agents.operator.relays import Condition, programs, rows, wrong
from agents.words import many
from schemas.findings import DAY, SEVERITIES, Action, Alert, Severity

HOURS = 24
HOUR = 3600.0
INCIDENTS = 12
SPENT = "budget"


class Asked(Struct, frozen=True):
    """A question that has no parts."""


class Rate(Struct, frozen=True, kw_only=True):
    """How often a detector found something."""

    detector: str
    hours: list[int]  # findings that began in each of the last hours, the oldest first
    total: int
    last_hour: int
    worst: Severity


class Relay(Struct, frozen=True, kw_only=True):
    """A gateway."""

    name: str
    condition: Condition
    decisions: int
    enforced: int
    behind: int  # messages of decisions that another has applied, and it has not
    lag: float  # seconds from a decision until it was applied
    seen: float  # seconds ago
    programs: list[str]
    wrong: list[str]


class Blocks(Struct, frozen=True, kw_only=True):
    """Decisions in force."""

    enforced: int
    observed: int
    waits: int  # for another person
    pardons: int
    actions: dict[Action, int]  # of those enforced


class Held(Struct, frozen=True, kw_only=True):
    """Something that is found or decided and not done."""

    what: str
    why: str
    count: int
    remedy: str  # what changes it; "" where nothing need be changed
    example: str  # the target of one of them
    standing: str  # to look for them among the decisions; ""


class Now(Struct, frozen=True, kw_only=True):
    at: float  # Unix seconds
    headline: str
    calm: bool  # nothing is open
    lifted: bool  # the kill switch is pulled
    enforcing: bool  # response.enforce
    trouble: str  # why this may be old
    known_at: float  # Unix seconds: what is shown is not older
    complete: bool
    severities: dict[Severity, int]  # of open incidents
    incidents: list[Brief]  # not ended, the worst first
    incidents_count: int
    rates: list[Rate]
    gateways: list[Relay]
    blocks: Blocks
    held: list[Held]


def now(desk: Desk, _: Asked) -> Now:
    picture, around = desk.picture, desk.around
    at = desk.clock()
    found = unfinished(picture.incidents)
    severities = Counter(one.severity for one in found if one.state == "open")
    blocks, held = _blocks(desk, at)
    response = desk.config.settings.response
    gateways = relays(desk)
    return Now(
        at=at,
        headline=_headline(severities, len(found), blocks, desk, gateways),
        calm=not severities and around.complete and not around.trouble,
        lifted=desk.lifted(),
        enforcing=response.enforce,
        trouble=around.trouble,
        known_at=around.at,
        complete=around.complete,
        severities=dict(severities),
        incidents=[brief(one) for one in found[:INCIDENTS]],
        incidents_count=len(found),
        rates=rates(desk.picture.alerts, at),
        gateways=gateways,
        blocks=blocks,
        held=[*held, *_left_alone(picture.alerts, at)],
    )


def rates(alerts: tuple[Alert, ...], at: float) -> list[Rate]:
    """By detector, the busiest first. Notes, which accuse nobody, and what was withdrawn do not
    count."""
    hours: dict[str, list[int]] = {}
    worst: dict[str, int] = {}
    for alert in alerts:
        age = int((at - alert.first) // HOUR)
        if 0 <= age < HOURS and alert.severity != "info" and alert.state == "open":
            hours.setdefault(alert.detector, [0] * HOURS)[HOURS - 1 - age] += 1
            severity = SEVERITIES.index(alert.severity)
            worst[alert.detector] = max(worst.get(alert.detector, 0), severity)
    found = [
        Rate(
            detector=name,
            hours=each,
            total=sum(each),
            last_hour=each[-1],
            worst=SEVERITIES[worst[name]],
        )
        for name, each in hours.items()
    ]
    return sorted(found, key=lambda one: (-one.last_hour, -one.total, one.detector))


def relays(desk: Desk) -> list[Relay]:
    overdue = desk.config.settings.response.overdue
    return [
        Relay(
            name=row.gateway,
            condition=row.standing,
            decisions=row.state.decisions,
            enforced=row.state.enforced,
            behind=row.behind,
            lag=row.state.lag,
            seen=row.seen,
            programs=programs(row.state),
            wrong=wrong(row.state),
        )
        for row in rows(list(desk.around.gateways), overdue, desk.clock())
    ]


def _headline(
    severities: Counter[Severity],
    unfinished: int,
    blocks: Blocks,
    desk: Desk,
    gateways: list[Relay],
) -> str:
    """The sentence that somebody reads who reads no more."""
    if not desk.around.complete and not severities:
        said = "What there is is being read; nothing open was seen yet."
    elif severities:
        worst = max(severities, key=SEVERITIES.index)
        said = f"{many(severities.total(), 'open incident')}, the worst {worst}."
    elif unfinished:
        said = f"Nothing new; {many(unfinished, 'incident')} taken on and not ended."
    else:
        said = "Nothing is open."
    if desk.lifted():
        return f"{said} The kill switch is pulled: nothing is enforced."
    said += f" {many(blocks.enforced, 'block')} in force."
    ailing = [one.name for one in gateways if one.condition not in ("ok", "lifted")]
    if ailing:
        said += f" {many(len(ailing), 'gateway')} not well: {', '.join(ailing[:3])}."
    return said


def _blocks(desk: Desk, at: float) -> tuple[Blocks, list[Held]]:
    counts = desk.shelf.counts(at)
    by: Counter[str] = Counter()
    actions: Counter[Action] = Counter()
    for (standing, action), count in counts.items():
        by[standing] += count
        if standing == "enforced":
            actions[action] += count
    found = Blocks(
        enforced=by["enforced"],
        observed=by["observed"],
        waits=by["waits"],
        pardons=by["pardon"],
        actions=dict(actions.most_common()),
    )
    return found, list(_held(desk, found))


def _held(desk: Desk, blocks: Blocks) -> Iterator[Held]:
    if desk.lifted() and blocks.enforced:
        yield Held(
            what="lifted",
            why="the kill switch is pulled",
            count=blocks.enforced,
            remedy="Blocks: resume",
            example="",
            standing="enforced",
        )
    if blocks.waits:
        yield Held(
            what="waits for another person",
            why="its action is one of response.approve",
            count=blocks.waits,
            remedy="Blocks: approve",
            example="",
            standing="waits",
        )
    if blocks.observed:
        on = desk.config.settings.response.enforce
        yield Held(
            what="observed only",
            why="the detectors' stage is not enforce" if on else "response.enforce is off",
            count=blocks.observed,
            remedy='stage = "enforce" of the detector' if on else "enforce = true in [response]",
            example="",
            standing="observed",
        )
    unreached = [
        (action, count) for action, count in blocks.actions.items() if not anybody_can(desk, action)
    ]
    for action, count in unreached:
        yield Held(
            what=f"{action}: nobody carries it out",
            why="no gateway that is configured here can",
            count=count,
            remedy="a section in [gateways]",
            example="",
            standing="enforced",
        )


def _left_alone(alerts: tuple[Alert, ...], at: float) -> Iterator[Held]:
    """Findings of a day about which nothing was decided, by the reason that was given."""
    reasons: dict[str, list[Alert]] = {}
    for alert in alerts:
        told = alert.severity != "info" and alert.state == "open" and at - alert.last < DAY
        if told and alert.decision.startswith("nothing: "):
            why = alert.decision.removeprefix("nothing: ").replace(alert.subject.value, "it")
            reasons.setdefault(why, []).append(alert)
    most = sorted(reasons.items(), key=lambda one: -len(one[1]))[:8]
    for why, found in most:
        yield Held(
            what="found, nothing decided",
            why=why,
            count=len(found),
            remedy="",
            example=found[-1].subject.value,
            standing="",
        )
