"""Whom a replay accuses and decides against, and when it first did."""

from pathlib import Path

from msgspec import Struct, field

from agents import configuration
from agents.replay import KEEP
from agents.shard import Shard
from schemas.findings import Alert
from streams.reader import Reader, ReadOptions
from streams.sources.archive import open_lines


class Accusations(Struct):
    """Each accused name with the event time (Unix seconds) and the detector that came first.
    `clients` has networks too; `victims` are those who are told of as victims. `decided` are
    clients and networks that something was decided about, whether it was lifted later or not.
    `lost` lines were nobody's or could not be read."""

    clients: dict[str, tuple[float, str]] = field(default_factory=dict)
    accounts: dict[str, tuple[float, str]] = field(default_factory=dict)
    victims: dict[str, tuple[float, str]] = field(default_factory=dict)
    decided: dict[str, tuple[float, str]] = field(default_factory=dict)
    lost: int = 0


class _Dated:
    """Every alert in its newest state, and when it first named whom."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._alerts: dict[str, Alert] = {}
        self._named: dict[tuple[str, str], float] = {}
        self._decided: dict[str, tuple[float, str]] = {}

    def keep(self) -> None:
        outcome = self._shard.take()
        for decision in outcome.decisions:
            if decision.target.kind in ("network", "client_account"):
                client = decision.target.value.partition(" ")[0]
                self._decided.setdefault(client, (decision.since, decision.action))
        for alert in outcome.alerts:
            self._alerts[alert.id] = alert
            if alert.severity != "info":
                for name in (alert.subject.value, *alert.clients, *alert.accounts, *alert.targets):
                    self._named.setdefault((alert.id, name), alert.at)

    def accusations(self) -> Accusations:
        found = Accusations(decided=dict(self._decided))
        for alert in self._alerts.values():
            if alert.severity == "info" or alert.state == "withdrawn":
                continue
            clients, victims = list(alert.clients), []
            if alert.subject.kind in ("client", "network"):
                clients.append(alert.subject.value)
            if alert.detector.startswith("backscatter"):
                victims = [alert.subject.value, *alert.targets]
            for names, dated in (
                (clients, found.clients),
                (alert.accounts, found.accounts),
                (victims, found.victims),
            ):
                for name in names:
                    said = (self._named[alert.id, name], f"{alert.detector}/{alert.shape}")
                    dated[name] = min(said, dated.get(name, said))
        return found


def of_log(log: Path, settings: Path) -> Accusations:
    """Replay a log: the alerts above info that stand at its end, as `mailwarden replay` has
    them. Raises OSError or a settings error."""
    config = configuration.load(settings)
    shard = configuration.build_shard(config)
    dated, reader = _Dated(shard), Reader(ReadOptions(zone="UTC"))
    kept = shard.clock
    for facts in (reader.read([(str(log), open_lines(log))]), reader.close()):
        for place, event in facts:
            shard.fold(event, place=place)
            if event.at > kept + KEEP:
                kept = event.at
                dated.keep()
    shard.drain()
    dated.keep()
    found = dated.accusations()
    found.lost = reader.counts.nobody + reader.counts.dead
    return found
