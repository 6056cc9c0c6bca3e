"""Whatever carries the lines of a scenario, they say the same."""

from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from agents import configuration
from agents.replay import Replay
from load.scenarios import hijacking, passwords, spraying
from load.scenarios.carriers import CARRIERS
from load.scenarios.mixes import Mix, Performance
from load.scenarios.organisation import DAY, Form, Nature
from schemas.settings import Settings, SiteSettings
from streams.reader import DeadLine, ReadOptions

SMALL = Mix(
    name="small",
    seed=7,
    nature=Nature(domain="small.example", people=20, gateways=2, mail=0.5),
    first=datetime(2026, 6, 3, tzinfo=UTC),
    days=1,
    stories=(
        partial(spraying.spray, members=40, hours=3, tries=2, day=0.2),
        hijacking.phished_burst,
        passwords.departed,
    ),
    form=Form(),
)


Told = tuple[list[Any], list[Any], list[Any]]


def told(mix: Mix) -> Told:
    """Events, alerts and decisions that the lines of a mix give. All its lines are read."""
    dead: list[DeadLine] = []
    options = ReadOptions(zone="UTC", now=SMALL.first.timestamp() + 2 * DAY)
    settings = Settings(site=SiteSettings(domains=[mix.nature.domain]))
    replay, events = Replay(configuration.build(settings), options, dead.append), []
    lines = enumerate(Performance(mix).lines())
    verdict = replay.run([("log", lines)], watch=events.append)
    assert not dead
    assert not replay.reader.counts.nobody
    return tuple(
        [_comparable(one) for one in many] for many in (events, verdict.alerts, verdict.decisions)
    )


@cache
def plain(digits: int) -> Told:
    """The same of lines in a file, whose stamps tell so many digits of a second."""
    return told(replace(SMALL, form=Form("postfix", "iso", digits)))


def _comparable(value: Any) -> Any:
    found = msgspec.to_builtins(value)
    for place in ("offset", "samples"):
        found.pop(place, None)
    return _rounded(found)


def _rounded(value: Any) -> Any:
    """Times are to be the same to a microsecond: each shape of a time is read in another way."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("carrier", sorted(CARRIERS))
def test_a_carrier_changes_nothing(carrier: str) -> None:
    found = told(replace(SMALL, form=Form(carrier=carrier)))
    expected = plain(CARRIERS[carrier].digits)
    assert all(expected)
    assert found == expected
