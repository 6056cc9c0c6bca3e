"""What lies at a place of a topic: on the real broker, with what leaves gaps in its offsets."""

import time
from collections.abc import Iterator

import pytest
from kafka import KafkaProducer

from schemas.settings import KafkaSettings
from schemas.topics import Topic
from streams.bus import BusError
from streams.kafka_bus import KafkaBus
from streams.kafka_lookup import Lookup
from tools.kafka import Broker, free_ports

TOPIC = Topic("looked-at", "for this test", "any", many=False)


@pytest.fixture
def lookup(broker: Broker) -> Iterator[Lookup]:
    settings = KafkaSettings(bootstrap=(broker.bootstrap,), prefix=f"lookup-{time.monotonic_ns()}.")
    bus = KafkaBus(settings)
    bus.create(TOPIC, 1, 1)
    bus.close()
    made = Lookup(settings)
    yield made
    made.close()


def publish(broker: Broker, lookup: Lookup, *transactions: int) -> str:
    """So many messages in each transaction; behind each lies its mark. The topic's name."""
    name = lookup._settings.prefix + TOPIC.name
    producer = KafkaProducer(
        bootstrap_servers=broker.bootstrap, transactional_id=lookup._settings.prefix
    )
    producer.init_transactions()
    for count in transactions:
        producer.begin_transaction()
        for _ in range(count):
            producer.send(name, b"x")
        producer.commit_transaction()
    producer.close()
    return name


@pytest.mark.broker
def test_marks_of_transactions_are_no_messages(broker: Broker, lookup: Lookup) -> None:
    name = publish(broker, lookup, 2, 1)  # 0 1 mark 3 mark
    assert [lookup.first(name, 0, offset) for offset in range(5)] == [0, 1, 3, 3, None]


@pytest.mark.broker
def test_what_is_not_there_yet_is_none(broker: Broker, lookup: Lookup) -> None:
    name = lookup._settings.prefix + TOPIC.name
    assert lookup.first(name, 0, 0) is None
    publish(broker, lookup, 1)
    assert lookup.first(name, 0, 0) == 0


def test_where_no_broker_answers_it_says_so() -> None:
    lookup = Lookup(KafkaSettings(bootstrap=(f"127.0.0.1:{free_ports(1)[0]}",)))
    with pytest.raises(BusError, match="no Kafka broker answers"):
        lookup.first("any", 0, 0)
