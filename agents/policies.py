"""What a domain of ours has of its own: whom it spares, how far may be gone for it, who hears.

A client attacks many domains at once, and what is decided about it holds for all of them. So where
a finding concerns several domains, the one that permits most rules: no domain spares a client that
attacks others.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import get_args

import msgspec
from msgspec import Struct

from agents.checked import networks, unknown
from agents.domains import inherited
from schemas.findings import ACTIONS, Action, Stage
from schemas.net import Networks
from schemas.settings import DomainSettings, Settings, SettingsError, convert

STAGES: tuple[Stage, ...] = get_args(Stage)

FITTING: Mapping[str, tuple[Action, ...]] = {
    "network": ("tarpit", "reject", "drop"),
    "client_account": ("reject",),
    "account": ("limit", "hold", "lock"),
    "address": ("reject",),
    "domain": ("reject",),
}
"""What can be done about each kind of target, from mild to severe."""


class Policy(Struct, frozen=True):
    """Of one domain, with what it has from those above it."""

    allowed: Networks
    allow: tuple[str, ...] = ()  # the same, as it is written
    severest: Action = ACTIONS[-1]
    stage: Stage = STAGES[-1]
    sinks: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """What it changes."""
        said = [f"nothing is decided against {', '.join(self.allow)}"] if self.allow else []
        if self.severest != ACTIONS[-1]:
            said.append(f"{self.severest} at most")
        if self.stage != STAGES[-1]:
            said.append(f"detectors at stage {self.stage} at most")
        if self.sinks:
            said.append(f"told by {', '.join(self.sinks)}")
        return said


NOTHING = Policy(Networks())


class Policies:
    """By domain; those below a domain that have none have its policy."""

    def __init__(self, table: Mapping[str, Policy] | None = None) -> None:
        self._table = dict(table or {})

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __bool__(self) -> bool:
        return bool(self._table)

    def __contains__(self, domain: str) -> bool:
        return inherited(self._table, domain) is not None

    def of(self, domain: str) -> Policy:
        return inherited(self._table, domain) or NOTHING

    def stage(self, stage: Stage, domains: Sequence[str]) -> Stage:
        """How far a detector is trusted about what concerns these domains."""
        if not domains or not self._table:
            return stage
        most = max((self.of(domain).stage for domain in domains), key=STAGES.index)
        return min(stage, most, key=STAGES.index)

    def severest(self, domains: Sequence[str]) -> Action:
        """The most severe action that may be taken for their sake."""
        found = (self.of(domain).severest for domain in domains)
        return max(found, key=ACTIONS.index, default=ACTIONS[-1])

    def sparing(self, client: str, domains: Sequence[str]) -> bool:
        """Whether all of them spare a client or network, or an address in it."""
        return bool(domains) and all(
            self.of(domain).allowed.overlapping(client) for domain in domains
        )

    def sinks(self) -> set[str]:
        """Those that any domain has chosen."""
        return {name for policy in self._table.values() for name in policy.sinks}

    def telling(self, sink: str) -> Callable[[Sequence[str]], bool]:
        """Whether a sink is to hear of what concerns certain domains."""
        return lambda domains: any(sink in self.of(domain).sinks for domain in domains)


def fitting(action: Action, severest: Action, kind: str) -> Action | None:
    """An action about a kind of target that is no more severe than may be; None: there is none."""
    if ACTIONS.index(action) <= ACTIONS.index(severest):
        return action
    milder = [one for one in FITTING.get(kind, ()) if ACTIONS.index(one) <= ACTIONS.index(severest)]
    return milder[-1] if milder else None


def named(domains: Sequence[str]) -> str:
    return domains[0] if len(domains) == 1 else f"all of {len(domains)} domains"


def build(settings: Settings, where: str) -> Policies:
    """The policies of the sections ``[domains."NAME"]``. Raises SettingsError."""
    tables: dict[str, DomainSettings] = {}
    for domain, table in settings.domains.items():
        key = f'domains."{domain}"'
        name = domain.lower().strip(".")
        if not name or "@" in name or any(c.isspace() for c in name):
            raise SettingsError(f"{where}: {key}: expected a domain such as example.org")
        if not isinstance(table, dict):
            raise SettingsError(f"{where}: {key}: expected a table of settings")
        tables[name] = convert(table, DomainSettings, where, key)
        for index, sink in enumerate(tables[name].sinks or ()):
            if sink not in settings.sinks:
                place = f"{key}.sinks[{index}]"
                raise SettingsError(unknown(where, place, "sink", sink, settings.sinks))
        networks(where, f"{key}.allow", tables[name].allow or ())
    return Policies({name: _policy(name, tables) for name in tables})


def _policy(domain: str, tables: Mapping[str, DomainSettings]) -> Policy:
    """Of a domain, with what the domains above it have and it has not."""
    merged: dict[str, object] = {}
    while domain:
        if domain in tables:
            for name, value in msgspec.structs.asdict(tables[domain]).items():
                if value is not None:
                    merged.setdefault(name, value)
        domain = domain.partition(".")[2]
    allow = merged.get("allow", ())
    return Policy(Networks(allow), **merged)  # type: ignore[arg-type]
