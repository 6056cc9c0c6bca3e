"""The sender: what waits goes out in order, and goes again where it was not safe."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.topics import BY_NAME
from streams.bus import BusError, Message
from streams.memory_bus import MemoryBus
from streams.shipping.outbox import Batch, Outbox
from streams.shipping.sender import Sender
from tests.waiting import wait_for

SECONDS = 20.0


class Flaky(MemoryBus):
    """A bus that fails when told to, after or before it has taken what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = self.forgets = 0  # so many publications, flushes fail
        self.away = threading.Event()

    def publish(self, topic: str, key: bytes, value: bytes | None, **more: object) -> None:
        if self.refuses:
            self.refuses -= 1
            raise BusError("refused")
        super().publish(topic, key, value, **more)  # type: ignore[arg-type]

    def flush(self, timeout: float) -> None:
        if self.forgets:
            self.forgets -= 1
            raise BusError("not safe")


@pytest.fixture
def bus() -> Flaky:
    bus = Flaky()
    for name in ("mail.facts", "mail.dead"):
        bus.create(BY_NAME[name], 2, 1)
    return bus


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox.db", 2, "mx1")
    yield outbox
    outbox.close()


Start = Callable[..., Sender]


@pytest.fixture
def start(outbox: Outbox, bus: Flaky) -> Iterator[Start]:
    started: list[Sender] = []

    def make(connect: Callable[[], MemoryBus] = lambda: bus, partitions: int = 2) -> Sender:
        started.append(Sender(outbox, connect, partitions))
        return started[-1]

    yield make
    for sender in started:
        sender.close()


def put(outbox: Outbox, count: int, first: int = 0, partition: int = 0) -> None:
    numbers = range(first, first + count)
    batches = [
        Batch("mail.facts", partition, "mx1:log", b"[%d]" % n, b"\x91" + bytes([n]))
        for n in numbers
    ]
    outbox.commit(batches, {}, {}, {})


def read(bus: MemoryBus, topic: str = "mail.facts") -> list[Message]:
    return bus.subscribe([topic], None).poll(0)


def test_what_waits_is_sent_in_order_with_its_headers(
    outbox: Outbox, bus: Flaky, start: Start
) -> None:
    put(outbox, 5)
    assert start().drain(SECONDS)
    found = read(bus)
    assert [message.value for message in found] == [b"[%d]" % n for n in range(5)]
    assert found[3].headers == {"origin": b"mx1:log", "positions": b"\x91\x03"}
    assert found[3].key == b"mx1:log"
    assert outbox.waiting == 0


def test_what_comes_later_is_sent_when_it_is_told(outbox: Outbox, bus: Flaky, start: Start) -> None:
    sender = start()
    sender.drain(SECONDS)
    put(outbox, 1)
    sender.wake()
    assert sender.drain(SECONDS)
    assert len(read(bus)) == 1


def test_a_letter_without_positions_goes_where_its_origin_leads(
    outbox: Outbox, bus: Flaky, start: Start
) -> None:
    outbox.commit([Batch("mail.dead", None, "mx1:log", b"{}")], {}, {}, {})
    start().drain(SECONDS)
    (letter,) = read(bus, "mail.dead")
    assert letter.headers == {"origin": b"mx1:log"}


def test_a_round_that_was_refused_is_sent_again_and_nothing_overtakes_it(
    outbox: Outbox, bus: Flaky, start: Start
) -> None:
    bus.refuses = 2
    put(outbox, 3)
    assert start().drain(SECONDS)
    assert [message.value for message in read(bus)] == [b"[0]", b"[1]", b"[2]"]


def test_a_round_that_may_have_been_safe_comes_twice_under_the_same_positions(
    outbox: Outbox, bus: Flaky, start: Start
) -> None:
    bus.forgets = 1
    put(outbox, 2)
    assert start().drain(SECONDS)
    found = read(bus)
    assert [message.value for message in found] == [b"[0]", b"[0]", b"[1]"]
    assert found[0].headers == found[1].headers


def test_a_broker_that_is_away_is_told_once_and_awaited(
    outbox: Outbox, bus: Flaky, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    tries = []

    def connect() -> MemoryBus:
        tries.append(1)
        if len(tries) < 3:
            raise BusError("no Kafka broker answers at 127.0.0.1:9")
        return bus

    put(outbox, 1)
    sender = start(connect)
    wait_for(lambda: sender.trouble or len(tries) > 2)
    assert sender.drain(SECONDS)
    assert len(read(bus)) == 1
    wait_for(lambda: not sender.trouble)
    said = [record.message for record in caplog.records if "failed" in record.message]
    assert len(said) == 1
    assert "no Kafka broker answers" in said[0]


@pytest.mark.parametrize(
    ("partitions", "word"), [(3, "has 2 partitions, kafka.partitions is 3"), (2, "topics create")]
)
def test_a_topic_that_does_not_fit_gets_nothing(
    outbox: Outbox, bus: Flaky, start: Start, partitions: int, word: str
) -> None:
    put(outbox, 1)
    other = MemoryBus()
    sender = start((lambda: bus) if partitions == 3 else (lambda: other), partitions)
    wait_for(lambda: sender.trouble)
    assert word in sender.trouble
    assert outbox.waiting
    assert read(bus) == []


def test_what_could_not_be_forgotten_is_sent_again(
    outbox: Outbox, bus: Flaky, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streams.shipping.outbox import OutboxError

    done, failures = outbox.done, [OutboxError("disk full")]

    def fail(batches: list[Batch]) -> None:
        if failures:
            raise failures.pop()
        done(batches)

    monkeypatch.setattr(outbox, "done", fail)
    put(outbox, 1)
    assert start().drain(SECONDS)
    assert [message.value for message in read(bus)] == [b"[0]", b"[0]"]
