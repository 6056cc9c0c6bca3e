"""One suite for both buses: what streams/bus.py promises."""

import random
import socket
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from schemas.settings import KafkaSettings
from schemas.topics import COMPACT, Topic
from streams.bus import Bus, BusError, Message, Subscription
from streams.kafka_bus import KafkaBus
from streams.memory_bus import MemoryBus
from tests.waiting import wait_for
from tools.kafka import Broker

numbers = count(1)
SECONDS = 20.0


def settings(broker: Broker) -> KafkaSettings:
    return KafkaSettings(bootstrap=(broker.bootstrap,), prefix=f"bus{next(numbers)}.")


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.broker)])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    if request.param == "memory":
        yield MemoryBus(clock=lambda: 7.0)
        return
    bus = KafkaBus(settings(request.getfixturevalue("broker")))
    yield bus
    bus.close()


@pytest.fixture
def topic(bus: Bus) -> str:
    bus.create(Topic("t", "words", "any"), 4, 1)
    return "t"


def read(subscription: Subscription, wanted: int) -> list[Message]:
    found: list[Message] = []
    wait_for(lambda: bool(found.extend(subscription.poll(0.1)) or len(found) >= wanted), "messages")
    return found


def publish(bus: Bus, topic: str, *values: bytes, key: bytes = b"k") -> None:
    for value in values:
        bus.publish(topic, key, value)
    bus.flush(SECONDS)


def values(messages: list[Message]) -> list[bytes | None]:
    return [message.value for message in messages]


def test_what_was_published_is_read_with_all_that_belongs_to_it(bus: Bus, topic: str) -> None:
    bus.publish(topic, b"k", b"v", partition=3, headers={"origin": b"mx1", "empty": b""})
    bus.flush(SECONDS)
    (message,) = read(bus.subscribe([topic], None), 1)
    assert (message.topic, message.partition, message.offset) == ("t", 3, 0)
    assert (message.key, message.value) == (b"k", b"v")
    assert message.headers == {"origin": b"mx1", "empty": b""}
    assert message.published > 0


def test_messages_of_one_key_keep_their_order(bus: Bus, topic: str) -> None:
    sent = [str(number).encode() for number in range(500)]
    publish(bus, topic, *sent)
    found = read(bus.subscribe([topic], None), len(sent))
    assert values(found) == sent
    assert len({message.partition for message in found}) == 1


def test_a_deletion_is_read_as_none(bus: Bus, topic: str) -> None:
    bus.publish(topic, b"k", None)
    bus.flush(SECONDS)
    assert values(read(bus.subscribe([topic], None), 1)) == [None]


def test_an_empty_key_is_a_key(bus: Bus, topic: str) -> None:
    publish(bus, topic, b"v", key=b"")
    assert [message.key for message in read(bus.subscribe([topic], None), 1)] == [b""]


def test_readers_without_a_group_each_read_everything_from_the_beginning(
    bus: Bus, topic: str
) -> None:
    publish(bus, topic, b"1", b"2")
    for _ in range(2):
        subscription = bus.subscribe([topic], None)
        assert values(read(subscription, 2)) == [b"1", b"2"]
        subscription.commit()


def test_a_member_can_be_done_with_a_part(bus: Bus, topic: str) -> None:
    for partition in (0, 1):
        for value in (b"1", b"2", b"3"):
            bus.publish(topic, b"k", value, partition=partition)
    bus.flush(SECONDS)
    first = bus.subscribe([topic], "g")
    read(first, 6)
    first.commit({(topic, 0): 2, (topic, 1): 0})
    first.close()
    found = read(bus.subscribe([topic], "g"), 4)
    assert sorted((message.partition, message.value) for message in found) == [
        (0, b"3"),
        (1, b"1"),
        (1, b"2"),
        (1, b"3"),
    ]


def test_a_member_that_holds_keeps_its_partitions_and_misses_nothing(bus: Bus, topic: str) -> None:
    publish(bus, topic, b"1")
    subscription = bus.subscribe([topic], "g")
    assert values(read(subscription, 1)) == [b"1"]
    subscription.hold(True)
    publish(bus, topic, b"2")
    assert not any(subscription.poll(0.05) for _ in range(10))
    subscription.hold(False)
    assert values(read(subscription, 1)) == [b"2"]


def test_a_new_group_can_begin_with_what_is_recent(bus: Bus, topic: str) -> None:
    publish(bus, topic, b"old", b"older")
    last = read(bus.subscribe([topic], None), 2)[-1].published
    late = bus.subscribe([topic], "late", last + 3600.0)
    early = bus.subscribe([topic], "early", last - 3600.0)
    publish(bus, topic, b"new")
    assert values(read(late, 1)) == [b"new"]
    assert values(read(early, 3)) == [b"old", b"older", b"new"]
    early.commit()
    early.close()
    again = bus.subscribe([topic], "early", last - 3600.0)
    publish(bus, topic, b"newer")
    assert values(read(again, 1)) == [b"newer"]


def test_several_topics_are_read_at_once(bus: Bus, topic: str) -> None:
    bus.create(Topic("u", "other words", "any"), 1, 1)
    publish(bus, topic, b"1")
    publish(bus, "u", b"2")
    found = read(bus.subscribe([topic, "u"], None), 2)
    assert {(message.topic, message.value) for message in found} == {("t", b"1"), ("u", b"2")}


def test_a_reader_has_caught_up_when_all_that_lay_there_was_polled(bus: Bus, topic: str) -> None:
    for partition in range(4):
        bus.publish(topic, b"k", b"v", partition=partition)
    bus.flush(SECONDS)
    subscription = bus.subscribe([topic], None)
    assert not subscription.caught_up()
    read(subscription, 4)
    wait_for(subscription.caught_up, "caught up")


def test_a_reader_of_an_empty_topic_catches_up_at_once(bus: Bus, topic: str) -> None:
    subscription = bus.subscribe([topic], None)
    wait_for(lambda: subscription.poll(0.1) == [] and subscription.caught_up(), "caught up")


def test_what_came_after_the_start_is_not_waited_for(bus: Bus, topic: str) -> None:
    publish(bus, topic, b"1")
    subscription = bus.subscribe([topic], None)
    read(subscription, 1)
    wait_for(subscription.caught_up, "caught up")
    publish(bus, topic, b"2")
    assert subscription.caught_up()
    assert values(read(subscription, 1)) == [b"2"]


def test_poll_gives_nothing_where_nothing_has_arrived(bus: Bus, topic: str) -> None:
    subscription = bus.subscribe([topic], None)
    assert subscription.poll(0.1) == []


def test_a_member_begins_where_its_group_committed(bus: Bus, topic: str) -> None:
    publish(bus, topic, b"1", b"2")
    first = bus.subscribe([topic], "g")
    read(first, 2)
    first.commit()
    first.close()
    publish(bus, topic, b"3")
    assert values(read(bus.subscribe([topic], "g"), 1)) == [b"3"]


def test_what_was_not_committed_comes_again(bus: Bus, topic: str) -> None:
    publish(bus, topic, b"1")
    first = bus.subscribe([topic], "g")
    read(first, 1)
    first.commit()
    publish(bus, topic, b"2")
    read(first, 1)
    first.close()
    assert values(read(bus.subscribe([topic], "g"), 1)) == [b"2"]


def test_groups_do_not_disturb_each_other(bus: Bus, topic: str) -> None:
    publish(bus, topic, b"1")
    for group in ("g", "h"):
        subscription = bus.subscribe([topic], group)
        assert values(read(subscription, 1)) == [b"1"]
        subscription.commit()


def test_members_of_a_group_share_the_partitions(bus: Bus, topic: str) -> None:
    members = [bus.subscribe([topic], "g") for _ in range(2)]
    seen: list[set[int]] = [set(), set()]
    numbers = count()

    def both_work() -> bool:
        for partition in range(4):
            bus.publish(topic, b"k", str(next(numbers)).encode(), partition=partition)
        bus.flush(SECONDS)
        for member, partitions in zip(members, seen, strict=True):
            partitions.clear()
            partitions.update(message.partition for message in member.poll(0.1))
        return len(seen[0]) == len(seen[1]) == 2

    wait_for(both_work, "two partitions each")
    assert seen[0] | seen[1] == {0, 1, 2, 3}


def test_a_topic_that_is_not_there_is_an_error_that_names_it(bus: Bus) -> None:
    with pytest.raises(BusError, match="nowhere"):
        bus.subscribe(["nowhere"], None)
    with pytest.raises(BusError, match="nowhere"):
        bus.publish("nowhere", b"k", b"v")


def test_a_partition_that_is_not_there_is_an_error(bus: Bus, topic: str) -> None:
    with pytest.raises(BusError, match="partition 9"):
        bus.publish(topic, b"k", b"v", partition=9)


def test_topics_are_listed_with_their_partitions(bus: Bus, topic: str) -> None:
    bus.create(Topic("u", "words", "any", config=COMPACT), 2, 1)
    assert bus.topics() == {"t": 4, "u": 2}


def test_a_topic_is_not_made_twice(bus: Bus, topic: str) -> None:
    with pytest.raises(BusError, match=topic):
        bus.create(Topic(topic, "words", "any"), 2, 1)


def test_a_flush_of_nothing_is_done_at_once(bus: Bus) -> None:
    bus.flush(0.0)


@pytest.fixture
def nobody() -> Iterator[KafkaSettings]:
    """Settings that lead to a port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening
        yield KafkaSettings(bootstrap=(f"127.0.0.1:{taken.getsockname()[1]}",))


@pytest.mark.parametrize(
    "use",
    [
        lambda bus: bus.publish("t", b"k", b"v"),
        lambda bus: bus.subscribe(["t"], None),
        lambda bus: bus.topics(),
    ],
    ids=["publish", "subscribe", "topics"],
)
def test_a_broker_that_is_not_there_is_named(
    nobody: KafkaSettings, use: Callable[[Bus], object]
) -> None:
    bus = KafkaBus(nobody)
    with pytest.raises(BusError, match=f"no Kafka broker answers at {nobody.bootstrap[0]}"):
        use(bus)
    bus.close()


Connect = Callable[[Broker], KafkaBus]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes buses, and closes them."""
    made: list[KafkaBus] = []

    def make(broker: Broker) -> KafkaBus:
        made.append(KafkaBus(settings(broker)))
        return made[-1]

    yield make
    for bus in made:
        bus.close()


@pytest.mark.broker
def test_what_was_published_while_the_broker_was_down_arrives_when_it_is_back(
    own_broker: Broker, connect: Connect
) -> None:
    bus = connect(own_broker)
    bus.create(Topic("t", "words", "any"), 1, 1)
    publish(bus, "t", b"1")
    subscription = bus.subscribe(["t"], None)
    own_broker.kill()
    for value in (b"2", b"3"):
        bus.publish("t", b"k", value)
    with pytest.raises(BusError, match="2 messages are not safe yet"):
        bus.flush(0.5)
    with pytest.raises(BusError, match="no Kafka broker answers"):
        bus.flush(SECONDS)
    with pytest.raises(BusError, match="no Kafka broker answers"):
        wait_for(lambda: subscription.poll(0.1) != [], "the word that there is no broker")
    own_broker.start()
    bus.flush(SECONDS)
    assert values(read(subscription, 3)) == [b"1", b"2", b"3"]


@pytest.mark.broker
def test_a_bus_is_closed_though_the_broker_is_gone_and_something_is_on_its_way(
    own_broker: Broker, connect: Connect
) -> None:
    bus = connect(own_broker)
    bus.create(Topic("t", "words", "any"), 1, 1)
    publish(bus, "t", b"1")
    own_broker.kill()
    bus.publish("t", b"k", b"2")
    bus.close()
    with pytest.raises(BusError, match="no Kafka broker answers"):
        bus.publish("t", b"k", b"3")


@pytest.mark.broker
def test_a_message_that_is_too_large_is_refused(broker: Broker, connect: Connect) -> None:
    bus = connect(broker)
    bus.create(Topic("t", "words", "any"), 1, 1)
    with pytest.raises(BusError, match="bytes"):
        bus.publish("t", b"k", bytes(2_000_000))


@pytest.mark.broker
def test_a_message_that_the_broker_refuses_is_told_at_the_flush(
    broker: Broker, connect: Connect
) -> None:
    bus = connect(broker)
    bus.create(Topic("t", "words", "any", config={"max.message.bytes": "1000"}), 1, 1)
    bus.publish("t", b"k", random.randbytes(5000))
    with pytest.raises(BusError, match="1 messages were refused"):
        bus.flush(SECONDS)


def test_a_password_comes_from_its_file(tmp_path: Path) -> None:
    from streams.kafka_client import password

    file = tmp_path / "password"
    file.write_text("secret\n", encoding="utf-8")
    assert password(KafkaSettings(password_file=str(file), password="other")) == "secret"
    assert password(KafkaSettings(password="other")) == "other"
    with pytest.raises(BusError, match=r"kafka\.password_file"):
        password(KafkaSettings(password_file=str(tmp_path / "missing")))
