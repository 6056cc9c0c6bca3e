"""Who is behind, gone or failing, as an operator sees it."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.commands import gateways, options
from agents.commands.topics import make
from agents.operator.relays import rows
from agents.single.store import GATEWAYS, Changes, Store
from schemas import wire
from schemas.gateways import GatewayState
from schemas.settings import KafkaSettings
from streams.memory_bus import MemoryBus

NOW = 1_800_000_000.0
Run = Callable[..., Result]


def state(name: str = "mx1", at: float = NOW - 3, **more: Any) -> GatewayState:
    fields: dict[str, Any] = {"complete": True, "decisions": 7, "enforced": 5, "applied_at": at}
    fields |= {"programs": ["postfix"], "generation": 12}
    return GatewayState(gateway=name, at=at, **(fields | more))


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> MemoryBus:
    bus = MemoryBus()
    make(bus, KafkaSettings(partitions=2))
    monkeypatch.setattr("streams.kafka_bus.KafkaBus", lambda settings: bus)
    monkeypatch.setattr(bus, "close", lambda: None)
    return bus


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(f'[storage]\npath = "{tmp_path}/mailwarden.db"\n')
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments: str, eyes: bool = False) -> Result:
        monkeypatch.setattr(options, "for_eyes", lambda as_json: eyes and not as_json)
        return CliRunner().invoke(gateways.command, ["-c", str(settings), *arguments])

    return call


def say(bus: MemoryBus, *states: GatewayState) -> None:
    for one in states:
        bus.publish("mail.gateways", one.gateway.encode(), wire.encode(one))


@pytest.mark.parametrize(
    ("said", "standing"),
    [
        ({}, "ok"),
        ({"at": NOW - 61}, "gone"),
        ({"lifted": True}, "lifted"),
        ({"troubles": {"postfix": "no"}}, "failing"),
        ({"complete": False}, "reads"),
        ({"applied_at": NOW - 64}, "behind"),
        ({"applied_at": 0.0}, "behind"),
        ({"at": NOW + 9}, "ok"),  # its clock is ahead
    ],
)
def test_how_a_gateway_stands(said: dict[str, Any], standing: str) -> None:
    [row] = rows([state(**said)], 60.0, NOW)
    assert row.standing == standing


def test_who_has_applied_less_than_the_best_is_behind_by_so_much() -> None:
    found = rows([state("mx1", generation=12), state("mx2", generation=20)], 60.0, NOW)
    assert [row.behind for row in found] == [8, 0]


def test_all_gateways_of_a_site_are_listed(run: Run, bus: MemoryBus) -> None:
    say(bus, state("mx2", refused={"wide": 3}, canary=True), state("mx1"))
    result = run("--kafka")
    assert result.exit_code == 0, result.output
    listed = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(one["gateway"], one["standing"]) for one in listed] == [("mx1", "ok"), ("mx2", "ok")]
    assert listed[0]["state"]["enforced"] == 5
    text = run("--kafka", eyes=True).stdout
    assert text.split()[:4] == ["GATEWAY", "STATE", "DECISIONS", "ENFORCED"]
    assert "postfix, (canary)" in text
    assert "refused 3 (wide)" in text


def test_one_that_is_not_well_is_an_exit_status(run: Run, bus: MemoryBus) -> None:
    say(bus, state("mx1"), state("mx2", at=NOW - 600, generation=3, lag=1.5))
    result = run("--kafka", eyes=True)
    assert result.exit_code == 1
    assert "gone" in result.stdout
    assert "9 messages" in result.stdout
    assert "10 min ago" in result.stdout


def test_what_a_gateway_says_does_not_steer_the_terminal(run: Run, bus: MemoryBus) -> None:
    say(bus, state("mx1", troubles={"postfix": "no\x1b[2J [red]such[/red]"}))
    text = run("--kafka", eyes=True).stdout
    assert "\x1b" not in text
    assert "[red]such[/red]" in text


def test_a_gateway_that_is_no_more_is_forgotten(run: Run, bus: MemoryBus) -> None:
    say(bus, state("mx1"), state("mx2", at=NOW - 600))
    assert run("--kafka", "--forget", "mx2").output == "mx2 is forgotten.\n"
    assert [json.loads(line)["gateway"] for line in run("--kafka").stdout.splitlines()] == ["mx1"]
    result = run("--kafka", "--forget", "mx2")
    assert result.exit_code == 1
    assert "no gateway mx2 is known" in result.output


def test_without_kafka_it_asks_the_process_that_runs_here(run: Run, tmp_path: Path) -> None:
    with Store(tmp_path / "mailwarden.db") as store:
        assert run(eyes=True).output == "No gateway has said anything yet.\n"
        store.commit(Changes(memory={GATEWAYS: wire.encode(state("here"))}), NOW)
        [listed] = [json.loads(line) for line in run().stdout.splitlines()]
        assert listed["gateway"] == "here"
        result = run("--forget", "here")
        assert result.exit_code == 2
        assert "add --kafka" in result.output
