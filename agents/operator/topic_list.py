"""The Kafka topics that a site needs, and those that there are."""

import msgspec

from schemas import topics
from schemas.settings import KafkaSettings
from schemas.topics import Topic
from streams.bus import Bus


class Row(msgspec.Struct, frozen=True):
    """A topic as it is listed."""

    topic: str
    partitions: int  # 0: it is missing
    wanted: int
    key: str
    holds: str


def all_topics(settings: KafkaSettings) -> tuple[Topic, ...]:
    """All that the programs of a site need."""
    group = settings.group
    return (
        *topics.TOPICS,
        *topics.INTAKE,
        topics.changelog(group),
        topics.snapshots(group),
    )


def wanted(topic: Topic, settings: KafkaSettings) -> int:
    """How many partitions it should have."""
    return settings.partitions if topic.many else 1


def rows(bus: Bus, settings: KafkaSettings) -> list[Row]:
    """All that should be there. Raises BusError."""
    found = bus.topics()
    return [
        Row(
            settings.prefix + topic.name,
            found.get(topic.name, 0),
            wanted(topic, settings),
            topic.key,
            topic.holds,
        )
        for topic in all_topics(settings)
    ]
