"""What `mailwarden incidents learn` shows: what a false positive teaches."""

import shlex
from collections.abc import Iterator, Sequence

from msgspec import Struct
from rich.console import Group, RenderableType
from rich.text import Text

from agents.configuration import Config
from agents.feedback import DAYS, Proposal, proposals
from agents.incidents.assembling import Found
from agents.incidents.incident import Incident
from agents.operator import report
from agents.words import many
from schemas.findings import DAY, Alert

NAMED = 8  # of whom the command for the logs names


class Lesson(Struct, frozen=True):
    proposals: list[Proposal]
    replay: str  # the command that answers exactly


def lesson(
    config: Config, found: Found, one: Incident, alerts: Sequence[Alert], now: float
) -> Lesson:
    """For one incident, beside the alerts of the last days; those of other false positives are
    nothing to be missed."""
    judged = {
        name
        for other in found.incidents
        if other.state == "false_positive" and other.id != one.id
        for name in other.alerts
    }
    own = [alert for alert in alerts if alert.id in set(one.alerts)]
    since = now - DAYS * DAY
    before = [alert for alert in alerts if alert.last >= since and alert.id not in judged]
    subjects = dict.fromkeys(
        alert.subject.value for alert in own if alert.subject.kind not in ("site", "gateway")
    )
    named = " ".join(f"--innocent {shlex.quote(name)}" for name in list(subjects)[:NAMED])
    logs = " ".join(map(shlex.quote, config.settings.logs.files)) or "/var/log/mail.log"
    command = f"mailwarden replay --suggest {named} {logs}" if named else ""
    return Lesson(proposals(config, own, before), command)


def shown(told: Lesson) -> RenderableType:
    parts: list[RenderableType] = []
    for each in told.proposals:
        parts += [*_proposal(each), Text()]
    if not parts:
        parts.append(Text("No entry of a list and no threshold would have kept it silent.", "bold"))
    if told.replay:
        parts.append(Text("What the logs say exactly:", "dim"))
        parts.append(report.indented(Text(report.printable(told.replay), overflow="fold")))
    return Group(*parts)


def _proposal(one: Proposal) -> Iterator[RenderableType]:
    of = len(one.silenced) + len(one.left)
    silent = f"silent: {len(one.silenced)} of {many(of, 'alert')} of this incident"
    yield Text(silent, "green" if not one.left else "yellow")
    yield report.indented(Text(one.settings))
    days = f"{DAYS:g} days"
    if not one.lost:
        yield report.indented(
            Text(f"It would have cost no other alert in the last {days}.", "green")
        )
        return
    cost = f"It would have cost {many(len(one.lost), 'other alert')} in the last {days}:"
    yield report.indented(Text(cost, "yellow"))
    yield report.indented(report.findings(one.lost), 4)


def brief(one: Proposal) -> dict[str, object]:
    """For programs: alerts by their ids."""
    return {
        "kind": one.kind,
        "settings": one.settings,
        "silenced": [alert.id for alert in one.silenced],
        "left": [alert.id for alert in one.left],
        "lost": [alert.id for alert in one.lost],
    }
