"""What the workers hear of the gateways."""

from collections.abc import Callable, Iterator

import pytest

from agents.worker.gateways import Hearing
from schemas import wire
from schemas.gateways import GatewayState
from schemas.topics import BY_NAME
from streams.bus import Bus, BusError
from streams.memory_bus import MemoryBus
from tests.waiting import wait_for

SECONDS = 20.0


def state(name: str, at: float = 1.0, generation: int = 1) -> GatewayState:
    return GatewayState(
        gateway=name, at=at, complete=True, decisions=0, enforced=0, generation=generation
    )


@pytest.fixture
def bus() -> MemoryBus:
    bus = MemoryBus()
    bus.create(BY_NAME["mail.gateways"], 1, 1)
    return bus


@pytest.fixture
def hear(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Hearing]]:
    monkeypatch.setattr("agents.worker.gateways.PAUSE", 0.01)
    made: list[Hearing] = []

    def start(connect: Callable[[], Bus]) -> Hearing:
        made.append(Hearing(connect, 60.0))
        return made[-1]

    yield start
    for one in made:
        one.close()


def say(bus: Bus, *states: GatewayState) -> None:
    for one in states:
        bus.publish("mail.gateways", one.gateway.encode(), wire.encode(one))


def test_the_newest_word_of_each_is_known(bus: MemoryBus, hear: Callable[..., Hearing]) -> None:
    say(bus, state("mx1"), state("mx2", generation=7), state("mx1", at=2.0))
    hearing = hear(lambda: bus)
    wait_for(lambda: hearing.complete and len(hearing.states) == 2)
    assert hearing.states["mx1"].at == 2.0
    assert hearing.expected(100.0) == 0
    assert hearing.expected(160.0) == 7
    say(bus, state("mx3"))
    wait_for(lambda: "mx3" in hearing.states)
    bus.publish("mail.gateways", b"mx2", None)
    wait_for(lambda: "mx2" not in hearing.states)


def test_what_cannot_be_read_or_is_not_its_own_word_is_passed_over(
    bus: MemoryBus, hear: Callable[..., Hearing], caplog: pytest.LogCaptureFixture
) -> None:
    bus.publish("mail.gateways", b"mx1", b"{")
    bus.publish("mail.gateways", b"mx2", wire.encode(state("mx9")))
    say(bus, state("mx3"))
    hearing = hear(lambda: bus)
    wait_for(lambda: hearing.states)
    assert set(hearing.states) == {"mx3"}
    assert "word of a gateway unreadable gateway=mx1" in caplog.text


def test_a_broker_that_is_away_is_asked_again_and_said_once(
    bus: MemoryBus, hear: Callable[..., Hearing], caplog: pytest.LogCaptureFixture
) -> None:
    failures = [BusError("no broker")] * 3

    def connect() -> Bus:
        if failures:
            raise failures.pop()
        return bus

    say(bus, state("mx1"))
    hearing = hear(connect)
    wait_for(lambda: hearing.complete)
    assert caplog.text.count("gateways are not heard") == 1
