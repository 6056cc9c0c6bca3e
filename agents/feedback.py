"""What a false positive teaches: an entry of a list or another threshold, beside what that would
have changed in the days before.

It is computed from the alerts that are kept, by their counts: an alert whose counts no longer
reach their thresholds would not have been. That is an estimate, since findings may rest on each
other; the logs themselves answer exactly (`mailwarden replay --suggest`).
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct, structs

from agents.configuration import Config
from agents.detector import Detector
from agents.suggestion import Values, silencing
from agents.thresholds import measures
from schemas import net
from schemas.findings import SEVERITIES, Alert

DAYS = 7.0
ENTRIES = 8  # of a list; neighbours beyond that are one network
NEIGHBOURS = 3  # clients of one network that are proposed as the network
# Of detectors of mailboxes: where those are listed that may do so.
SPARED = {
    "account_burst": ("site", "bulk"),
    "auto_reply_storm": ("detectors.auto_reply_storm", "robots"),
}


class Proposal(Struct, frozen=True):
    """A change of the settings. Lists of alerts are those of the days before."""

    kind: Literal["allow", "declare", "threshold"]
    settings: str  # as lines of the settings file
    silenced: list[Alert]  # of the incident
    left: list[Alert]  # of the incident, that are told all the same
    lost: list[Alert]  # of others: what it costs

    @property
    def weight(self) -> tuple[int, int]:
        """What it leaves, then what it costs: few findings of weight count more than many of
        none."""
        return len(self.left), sum(10 ** SEVERITIES.index(one.severity) for one in self.lost)


def proposals(config: Config, incident: Sequence[Alert], before: Sequence[Alert]) -> list[Proposal]:
    """For an incident that was none, the best first. `before` are the alerts of the last days,
    those of other false positives left out."""
    accusing = [one for one in incident if one.severity != "info" and one.state == "open"]
    own = {one.id for one in incident}
    others = [one for one in before if one.id not in own and one.state == "open"]
    found = [
        *_allowed(config, accusing, others),
        *_declared(config, accusing, others),
        *_thresholds(config, accusing, others),
    ]
    return sorted((one for one in found if one.silenced), key=lambda one: one.weight)


# -- lists ------------------------------------------------------------------------------------


def _allowed(config: Config, accusing: list[Alert], others: list[Alert]) -> Iterator[Proposal]:
    """Clients and networks that are never decided against."""
    clients = [one.subject.value for one in accusing if one.subject.kind in ("client", "network")]
    entries = _networks(one for one in dict.fromkeys(clients) if one not in config.allowed)
    if not entries:
        return
    spared = net.Networks(entries)

    def concerns(alert: Alert) -> bool:
        subject = alert.subject
        return subject.kind in ("client", "network") and subject.value in spared

    listed = [*config.settings.network.allow, *entries]
    lines = f"[network]\nallow = [{', '.join(map(_quoted, listed))}]"
    yield _proposal("allow", lines, accusing, others, concerns)


def _networks(clients: Iterable[str]) -> list[str]:
    """Each client, or the network of several neighbours."""
    around: dict[str, list[str]] = {}
    for client in clients:
        try:
            around.setdefault(net.network(client), []).append(client)
        except ValueError:
            continue  # a line named somebody who has no address
    found = [
        entry
        for network, members in around.items()
        for entry in ([network] if len(members) >= NEIGHBOURS else members)
    ]
    return found[:ENTRIES]


def _declared(config: Config, accusing: list[Alert], others: list[Alert]) -> Iterator[Proposal]:
    """Mailboxes that may send much, or answer everybody."""
    for detector, (section, key) in SPARED.items():
        mine = [one for one in accusing if one.detector == detector]
        names = {one.subject.value: None for one in mine if one.subject.kind != "client"}
        known = _known(config, detector)
        names = {name: None for name in names if name not in known}
        if names and len(names) <= ENTRIES:
            lines = f"[{section}]\n{key} = [{', '.join(map(_quoted, [*known, *names]))}]"
            yield _proposal("declare", lines, accusing, others, _of(detector, names))


def _known(config: Config, detector: str) -> Sequence[str]:
    if detector == "account_burst":
        return config.settings.site.bulk
    usual = next(one for one in config.detectors if one.name == detector)
    found: Sequence[str] = getattr(usual, SPARED[detector][1])
    return found


def _of(detector: str, names: Container[str]) -> Callable[[Alert], bool]:
    return lambda alert: alert.detector == detector and alert.subject.value in names


# -- thresholds -------------------------------------------------------------------------------


def _thresholds(config: Config, accusing: list[Alert], others: list[Alert]) -> Iterator[Proposal]:
    """Of each detector: the setting that costs least, else all that its findings rest on."""
    for detector in config.detectors:
        mine = [one for one in accusing if one.rule == detector.name]
        values = silencing(detector, mine)
        if not values:
            continue
        choices: list[Values] = [{name: value} for name, value in values.items()]
        choices += [values] if len(values) > 1 else []
        made = [_threshold(detector, chosen, accusing, others) for chosen in choices]
        enough = [one for one in made if not any(a.rule == detector.name for a in one.left)]
        yield min(enough or made, key=lambda one: one.weight)


def _threshold(
    detector: Detector, values: Values, accusing: list[Alert], others: list[Alert]
) -> Proposal:
    def silent(alert: Alert) -> bool:
        return alert.rule == detector.name and not stands(detector, values, alert)

    lines = [f"[detectors.{detector.name}]"]
    lines += [
        f"{name} = {new:g}  # was {getattr(detector, name):g}" for name, new in values.items()
    ]
    return _proposal("threshold", "\n".join(lines), accusing, others, silent)


def stands(detector: Detector, values: Values, alert: Alert) -> bool:
    """Whether a finding would have been told with other values of the detector's settings, by the
    counts it names. Counts that no setting measures are no ground of their own; where there is no
    other, it stands."""
    changed = structs.replace(detector, **values)
    grounds = [
        (seen, by)
        for seen in alert.evidence
        if seen.count >= seen.threshold > 0 and (by := measures(detector, seen))
    ]
    for seen, by in grounds:
        limits = [getattr(changed, one.setting) * one.scale for one in by if one.setting in values]
        if seen.count >= max(limits, default=seen.threshold):
            return True
    return not grounds


# -- both -------------------------------------------------------------------------------------


def _proposal(
    kind: Literal["allow", "declare", "threshold"],
    lines: str,
    accusing: list[Alert],
    others: list[Alert],
    silent: Callable[[Alert], bool],
) -> Proposal:
    silenced = [one for one in accusing if silent(one)]
    left = [one for one in accusing if not silent(one)]
    return Proposal(kind, lines, silenced, left, [one for one in others if silent(one)])


def _quoted(text: str) -> str:
    """As a string of TOML: it may be an attacker's."""
    plain = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in _escaped(text))
    return f'"{plain}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
