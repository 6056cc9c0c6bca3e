from typing import Any

import pytest

from agents.worker import broker
from agents.worker.partition import Topic
from schemas.settings import KafkaSettings, SettingsError
from schemas.topics import TOPICS, changelog
from streams.bus import BusError

SETTINGS = KafkaSettings(prefix="site.", partitions=4)
ALL = {topic.name: 4 for topic in TOPICS} | {changelog(SETTINGS.group).name: 4}


class Bus:
    def __init__(self, found: dict[str, int]) -> None:
        self.found = found
        self.closed = False

    def topics(self) -> dict[str, int]:
        return self.found

    def identity(self, topic: str) -> str:
        return f"id of {topic}"

    def close(self) -> None:
        self.closed = True


class Away(Bus):
    def topics(self) -> dict[str, int]:
        raise BusError("no Kafka broker answers at 127.0.0.1:9092")


def ready(*buses: Bus) -> tuple[Topic, list[float]]:
    """What it found, and how long it slept between its tries."""
    left, slept = list(buses), list[float]()

    def connect(settings: KafkaSettings) -> Any:
        return left.pop(0)

    topic = broker.ready(SETTINGS, connect, slept.append)
    assert all(bus.closed for bus in buses)
    return topic, slept


def test_topics_as_they_should_be_are_found_at_once() -> None:
    assert ready(Bus(ALL)) == (Topic("id of mail.facts", 4), [])


def test_a_broker_that_is_away_is_waited_for_ever_longer(caplog: pytest.LogCaptureFixture) -> None:
    _, slept = ready(*[Away({})] * 7, Bus(ALL))
    assert slept == [1, 2, 4, 8, 16, 30, 30]
    told = 'no topics reason="no Kafka broker answers at 127.0.0.1:9092" retry_seconds=1'
    assert told in caplog.text


@pytest.mark.parametrize("name", ["mail.facts", "mail.alerts", "mailwarden-records-changelog"])
def test_a_topic_that_is_missing_is_named_with_the_cure(name: str) -> None:
    found = {key: value for key, value in ALL.items() if key != name}
    with pytest.raises(SettingsError, match=rf"no topic site\.{name}: run `mailwarden topics cre"):
        ready(Bus(found))


@pytest.mark.parametrize("name", ["mail.facts", "mail.events", "mailwarden-records-changelog"])
def test_another_number_of_partitions_is_an_error_that_names_both(name: str) -> None:
    with pytest.raises(
        SettingsError, match=rf"kafka.partitions: the settings say 4, topic site.{name} has 8"
    ):
        ready(Bus(ALL | {name: 8}))


def test_other_topics_may_have_as_many_partitions_as_they_like() -> None:
    assert ready(Bus(ALL | {"mail.alerts": 1}))[0].partitions == 4
