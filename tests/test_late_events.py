"""Events that come out of order: the demo's day, with a delay for each source of them."""

import random
from collections.abc import Callable, Iterable

import pytest

from agents import configuration
from agents.demo.traffic import SETTINGS, Plan, Traffic
from agents.shard import LATE
from schemas.events import Fact
from schemas.findings import Alert
from streams.reader import Reader, ReadOptions

SHARES = 7  # in which the clients of the gateway are delayed alike


@pytest.fixture(scope="module")
def day() -> list[Fact]:
    reader = Reader(ReadOptions())
    lines = enumerate(Traffic(Plan(scale=0.3, past=1)).lines())
    return [event for _, event in [*reader.read([("mail.log", lines)]), *reader.close()]]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> configuration.Config:
    path = tmp_path_factory.mktemp("late") / "mailwarden.toml"
    path.write_text(SETTINGS)
    return configuration.load(path)


def concluded(events: Iterable[Fact], settings: configuration.Config) -> dict[str, Alert]:
    shard = configuration.build_shard(settings)
    for event in events:
        shard.fold(event)
    shard.drain()
    return {alert.id: alert for alert in shard.take().alerts}


def essence(alerts: dict[str, Alert]) -> dict[str, tuple[str, str, str]]:
    return {name: (alert.shape, alert.severity, alert.state) for name, alert in alerts.items()}


def delayed(events: list[Fact], delay: Callable[[Fact], float]) -> list[Fact]:
    return sorted(events, key=lambda event: event.at + delay(event))


def test_shippers_that_are_minutes_behind_change_no_finding(
    day: list[Fact], settings: configuration.Config
) -> None:
    chance = random.Random(1)
    delays = [chance.uniform(0, LATE) for _ in range(SHARES)]

    def share(event: Fact) -> float:
        return delays[sum(getattr(event, "client", "").encode()) % SHARES]

    late = delayed(day, share)
    assert late != day
    assert essence(concluded(late, settings)) == essence(concluded(day, settings))


@pytest.mark.parametrize("span", [30.0, LATE])
def test_events_in_any_order_within_minutes_leave_the_same_findings(
    day: list[Fact], settings: configuration.Config, span: float
) -> None:
    """Each event by itself. A finding may come and be withdrawn in the one order only."""
    chance = random.Random(int(span))
    shuffled = delayed(day, lambda _: chance.uniform(0, span))
    found, usual = (
        {
            name: told
            for name, told in essence(concluded(events, settings)).items()
            if told[2] == "open"
        }
        for events in (shuffled, day)
    )
    assert found == usual
