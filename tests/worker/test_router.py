from typing import Any

import pytest

from agents.worker import router
from agents.worker.origins import Origins
from agents.worker.router import Batch, Router
from schemas import keys, wire
from schemas.events import Auth, Message, Signal
from schemas.keys import Site

SITE = Site(domains=frozenset({"example.org"}), default_domain="example.org")
PARTITIONS = 8
GUESS = Auth(at=1000.0, client="192.0.2.1", account="anna@example.org")


def add(found: Router, *events: Any, offset: int = 5) -> list[str]:
    """Reasons of what could not be routed."""
    letters = []
    for index, event in enumerate(events):
        value = event if isinstance(event, bytes) else wire.encode(event)
        letters += found.add(2, offset + index, value, 1000.0, 1000.0)
    return [letter.reason for letter in letters]


def events(batches: list[Batch]) -> dict[int, list[Any]]:
    return {batch.partition: wire.decode_events(batch.value) for batch in batches}


def test_an_event_goes_once_to_each_partition_of_its_subjects() -> None:
    found = Router(SITE, PARTITIONS, 600.0)
    assert add(found, GUESS) == []
    targets = {keys.partition(key, PARTITIONS) for key in keys.keys(GUESS, SITE)}
    assert len(targets) == 2
    assert events(found.take()) == {target: [GUESS] for target in targets}


def test_the_headers_say_where_the_events_lay() -> None:
    found = Router(SITE, 1, 600.0)
    add(found, wire.encode_events([GUESS, GUESS]), GUESS)
    (batch,) = found.take()
    assert batch.headers["origin"] == b"events/2"
    positions = wire.decode_positions(batch.headers["positions"])
    assert positions == [5 << router.BITS, 5 << router.BITS | 1, 6 << router.BITS]


def test_events_that_are_routed_again_are_absorbed_once_however_they_are_packed() -> None:
    origins, folded = Origins(), 0
    for takes in ([1, 1, 1], [3], [2, 1]):  # the lives of three workers
        found, rest = Router(SITE, 1, 600.0), [GUESS] * 3
        for count in takes:
            add(found, *rest[:count], offset=5 + 3 - len(rest))
            rest = rest[count:]
            (batch,) = found.take()
            positions = wire.decode_positions(batch.headers["positions"])
            folded += len(positions) - origins.skip("events/2", positions)
    assert folded == 3


def test_an_address_is_written_as_we_write_it() -> None:
    found = Router(SITE, 1, 600.0)
    assert add(found, Auth(at=1.0, client="::FFFF:192.0.2.1")) == []
    assert events(found.take()) == {0: [Auth(at=1.0, client="192.0.2.1")]}


def test_a_message_that_comes_twice_is_routed_once() -> None:
    found = Router(SITE, 1, 600.0)
    add(found, GUESS, offset=5)
    add(found, GUESS, offset=5)
    assert events(found.take()) == {0: [GUESS]}


def test_after_a_rebalance_a_message_is_routed_again() -> None:
    found = Router(SITE, 1, 600.0)
    add(found, GUESS, offset=5)
    found.forget()
    assert (found.waiting, found.take()) == (0, [])
    add(found, GUESS, offset=5)
    assert events(found.take()) == {0: [GUESS]}


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Auth(at=1.0, client="example.org"), "client: expected an IP address"),
        (Auth(at=2000.0), "its stamp is 1000 s ahead of its receipt"),
        (Signal(at=1.0, about="m:a@b"), "signal: only our own watchers send these"),
        (b"no event", "JSON is malformed: invalid character (byte 0)"),
    ],
)
def test_what_cannot_be_routed_becomes_a_dead_letter(event: Any, reason: str) -> None:
    found = Router(SITE, 1, 600.0)
    (why,) = add(found, event)
    assert why.startswith(reason[:30])
    assert found.take() == []


def test_an_event_that_concerns_nobody_is_passed_over() -> None:
    found = Router(SITE, 1, 600.0)
    assert add(found, Message(at=1.0)) == []
    assert found.take() == []


def test_what_waits_is_counted_until_it_is_taken() -> None:
    found = Router(SITE, PARTITIONS, 600.0)
    add(found, GUESS, GUESS)
    assert found.waiting == 2
    found.take()
    assert found.waiting == 0


def test_a_batch_stays_below_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "LARGEST", 150)
    found = Router(SITE, 1, 600.0)
    add(found, GUESS, GUESS, GUESS)
    batches = found.take()
    assert [len(wire.decode_events(batch.value)) for batch in batches] == [1, 1, 1]


def test_gateways_of_the_events_of_others_have_heartbeats() -> None:
    found = Router(SITE, PARTITIONS, 600.0)
    add(found, Auth(at=1000.0, client="192.0.2.1", gateway="mx1"))
    ((partition, value),) = found.heartbeats.due(1000.0)
    assert partition == keys.partition("g:mx1", PARTITIONS)
    (signal,) = wire.decode_events(value)
    assert (signal.gateway, signal.type) == ("mx1", "signal")
