"""What the tests of the edge share: decisions, a bus in memory, a gateway that notes what it is
told."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents import configuration
from agents.commands.topics import make
from agents.configuration import Config
from agents.edge.gateway import Edge
from schemas import wire
from schemas.findings import Decision, Target, decision_id
from schemas.gateways import GatewayState
from schemas.settings import (
    KafkaSettings,
    NetworkSettings,
    ResponseSettings,
    Settings,
    SiteSettings,
    StorageSettings,
)
from streams.bus import Bus
from streams.gateway import Gateway, GatewayError, GatewaySettings
from streams.memory_bus import MemoryBus
from streams.signing import Keys

SECONDS = 40.0
NOW = 1_800_000_000.0


def decision(
    value: str = "198.51.100.7/32",
    *,
    until: float = NOW + 600,
    origin: str = "automatic",
    kind: str = "network",
    action: str = "drop",
    **more: Any,
) -> Decision:
    target = Target(kind, value)  # type: ignore[arg-type]
    name = decision_id(target, action) + ("" if origin == "automatic" else f":{origin}")
    fields: dict[str, Any] = {"id": name, "reason": "guessed passwords", "since": NOW}
    fields |= {"enforced": True, **more}
    return Decision(target=target, action=action, until=until, origin=origin, **fields)  # type: ignore[arg-type]


def publish(bus: Bus, *decisions: Decision, keys: Keys | None = None, at: float = NOW) -> None:
    for one in decisions:
        key, value = one.id.encode(), wire.encode(one)
        signature = keys.sign("mail.decisions", key, value, at) if keys else None
        bus.publish("mail.decisions", key, value, headers=signature)
    bus.flush(SECONDS)


class Table(Gateway):
    """A gateway that notes what it is told."""

    Settings = GatewaySettings

    def __init__(self) -> None:
        super().__init__(GatewaySettings(), "table")
        self.told: list[set[str]] = []
        self.broken = ""

    def enforce(self, decisions: Sequence[Decision]) -> bool:
        if self.broken:
            raise GatewayError(self.broken)
        self.told.append({one.target.value for one in decisions})
        return True


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Site:
    """One bus and edges around it, each with a table."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.bus = MemoryBus(clock=self.clock)
        make(self.bus, KafkaSettings(partitions=2))
        self.edges: list[Edge] = []

    def config(
        self, name: str, table: Gateway, response: ResponseSettings, **network: Any
    ) -> Config:
        settings = Settings(
            site=SiteSettings(host=name, domains=("example.org",)),
            network=NetworkSettings(**network),
            response=response,
            storage=StorageSettings(path=str(self.folder / name / "mailwarden.db")),
        )
        return msgspec.structs.replace(configuration.build(settings), gateways=[table])

    def edge(
        self,
        name: str = "edge1",
        response: ResponseSettings | None = None,
        *,
        keys: Keys | None = None,
        connect: Callable[[], Bus] | None = None,
        **network: Any,
    ) -> tuple[Edge, Table]:
        table = Table()
        config = self.config(name, table, response or ResponseSettings(), **network)
        edge = Edge(
            config,
            connect or (lambda: self.bus),
            self.folder / name / "decisions.snapshot",
            keys=keys,
            clock=self.clock,
        )
        self.edges.append(edge)
        return edge, table

    def until(self, done: Callable[[], object]) -> None:
        """Turn all edges until it is so."""
        deadline = time.monotonic() + SECONDS
        while not done():
            assert time.monotonic() < deadline
            for edge in self.edges:
                edge.turn()

    def stop(self, edge: Edge) -> None:
        self.edges.remove(edge)
        edge.close()

    def reports(self, name: str = "edge1") -> list[GatewayState]:
        found = self.bus.subscribe(["mail.gateways"], None).poll(0.1)
        states = [wire.decode_state(message.value or b"") for message in found]
        return [state for state in states if state.gateway == name]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    for edge in made.edges:
        edge.close()
